//! Whom a pick hits.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::at;
use crate::{
    picker::{Choice, Pick, State, picks_from_toml},
    replica::Replica,
};

fn texts<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

fn replica(id: &str, service: &str, zone: &str, opted_in: &[&str]) -> Replica {
    let replica = Replica::new(id.parse().unwrap());
    let replica = replica.label("service", service).unwrap();
    let replica = replica.label("zone", zone).unwrap();
    opted_in
        .iter()
        .fold(replica, |replica, fault| replica.opt_in(fault))
}

fn pick(fields: &str) -> Pick {
    let text =
        format!("[[pick]]\ngroup_by = ['service', 'zone']\nwindow = {{ days = 'mon' }}\n{fields}");
    picks_from_toml(&text).unwrap().remove(0)
}

/// Makes picks one after the other, and returns what came of them.
fn choices(pick: &Pick, seed: u64, replicas: &[Replica], count: usize) -> Vec<Choice> {
    let mut state = pick.start(seed << 1, at("2026-06-01T00:00:00Z"));
    let mut choices = Vec::new();
    for _ in 0..count {
        let choice = pick.choose(&state, replicas);
        choices.push(choice.clone());
        state = pick.record(&state, state.planned().at, choice);
    }
    choices
}

fn ids(choices: &[Choice]) -> BTreeMap<&str, usize> {
    let mut ids = BTreeMap::new();
    for choice in choices {
        if let Choice::Replica { id, .. } = choice {
            *ids.entry(&**id).or_insert(0) += 1;
        }
    }
    ids
}

/// Three replicas in one zone and one in another: each zone is picked as often.
#[test]
fn a_group_is_drawn_and_then_a_replica_of_it() {
    let exit = &["exit"][..];
    let replicas = [
        replica("a1", "shop", "a", exit),
        replica("a2", "shop", "a", exit),
        replica("a3", "shop", "a", exit),
        replica("b1", "shop", "b", exit),
        // A group without one that has opted in is not drawn.
        replica("c1", "shop", "c", &["abort"]),
    ];
    let choices = choices(&pick("fault = 'abort(exit)'"), 1, &replicas, 6000);
    let ids = ids(&choices);
    assert_eq!(
        ids.keys().copied().collect::<Vec<_>>(),
        ["a1", "a2", "a3", "b1"]
    );
    for (id, count) in ids {
        let expected = if id == "b1" { 3000 } else { 1000 };
        assert!(
            (expected * 9 / 10..expected * 11 / 10).contains(&count),
            "{id}: {count}"
        );
    }
    let of_b = choices
        .iter()
        .find(|choice| matches!(choice, Choice::Replica { id, .. } if id == "b1"));
    let group = texts([("service", "shop"), ("zone", "b")]);
    assert_eq!(
        of_b,
        Some(&Choice::Replica {
            id: "b1".to_owned(),
            group
        })
    );
}

#[test]
fn only_who_is_meant_and_has_opted_in_to_all_faults_is_picked() {
    let mut without_zone = replica("no-zone", "shop", "a", &["latency", "status"]);
    without_zone.labels = crate::replica::Labels::default()
        .with("service", "a")
        .unwrap();
    let replicas = [
        replica("both", "shop", "a", &["latency", "status", "abort"]),
        replica("one", "shop", "a", &["latency"]),
        replica("none", "shop", "a", &[]),
        replica("other", "cart", "a", &["latency", "status"]),
        without_zone,
    ];
    let both = pick("fault = '**=latency(1ms)+status(503)'\nlabels = { service = 'shop' }");
    assert_eq!(
        ids(&choices(&both, 2, &replicas, 100)),
        BTreeMap::from([("both", 100)])
    );
    let nobody = choices(&both, 2, &replicas[1..], 3);
    assert_eq!(nobody, [const { Choice::Nobody { meant: 2 } }; 3]);
    assert_eq!(choices(&both, 2, &[], 1), [Choice::Nobody { meant: 0 }]);
}

#[test]
fn the_kinds_of_faults_are_those_of_all_rules() {
    for (fields, expected) in [
        ("fault = 'abort(exit)'", &["exit"][..]),
        ("fault = 'abort(reset)'", &["abort"]),
        (
            "fault = 'db.read=1*latency(1ms)->status(500); db.write=value(1)'",
            &["latency", "status", "value"],
        ),
        (
            "rules = [{ site = 'a', faults = [{ one_of = [{ fault = { status = 500 } }, { fault = { abort = 'exit' } }] }] }]",
            &["exit", "status"],
        ),
    ] {
        let kinds: Vec<_> = pick(fields).faults().iter().cloned().collect();
        assert_eq!(kinds, expected, "{fields}");
    }
}

#[test]
fn a_share_of_the_picks_is_made() {
    let replicas = [replica("a1", "shop", "a", &["status"])];
    let half = pick("fault = 'status(503)'\nprobability = 0.25");
    let choices = choices(&half, 4, &replicas, 4000);
    let made = ids(&choices)["a1"];
    assert!((900..1100).contains(&made), "{made}");
    let spared = choices.iter().filter(|choice| **choice == Choice::Spared);
    assert_eq!(spared.count(), 4000 - made);
}

proptest! {
    #[test]
    fn same_seed_same_choices_in_whatever_order(seed in 0..u64::MAX >> 1, order in any::<u64>()) {
        let zones = ["a", "b", "c"];
        let mut replicas: Vec<_> = (0..20)
            .map(|at| replica(&format!("r{at}"), "shop", zones[at % 3], &["status"]))
            .collect();
        let pick = pick("fault = 'status(503)'\nprobability = 0.8");
        let first = choices(&pick, seed, &replicas, 20);
        replicas.rotate_left((order % 20) as usize);
        replicas.swap(0, (order / 20 % 20) as usize);
        // One that is there twice is one.
        replicas.push(replicas[3].clone());
        prop_assert_eq!(&choices(&pick, seed, &replicas, 20), &first);
        prop_assert_ne!(&choices(&pick, seed ^ 1, &replicas, 20), &first);
    }
}

/// What is recorded is what a person finds in the store.
#[test]
fn a_choice_is_remembered_as_json() {
    let group = texts([("zone", "a")]);
    for (choice, json) in [
        (
            Choice::Replica {
                id: "a1".to_owned(),
                group,
            },
            r#"{"replica":{"id":"a1","group":{"zone":"a"}}}"#,
        ),
        (Choice::Spared, r#""spared""#),
        (Choice::Nobody { meant: 3 }, r#"{"nobody":{"meant":3}}"#),
        (
            Choice::Withheld {
                reason: "no".to_owned(),
            },
            r#"{"withheld":{"reason":"no"}}"#,
        ),
    ] {
        assert_eq!(serde_json::to_string(&choice).unwrap(), json);
        assert_eq!(serde_json::from_str::<Choice>(json).unwrap(), choice);
    }
    let pick = pick("fault = 'status(503)'\nseed = 7");
    let state = pick.record(
        &pick.start(0, at("2026-06-01T00:00:00Z")),
        at("2026-06-01T10:00:00Z"),
        Choice::Spared,
    );
    let json = serde_json::to_value(&state).unwrap();
    assert_eq!(
        json["last"],
        serde_json::json!({ "ordinal": 0, "at": "2026-06-01T10:00:00Z", "choice": "spared" })
    );
    assert_eq!(
        json["today"],
        serde_json::json!({ "date": "2026-06-01", "picks": 1 })
    );
    assert_eq!(json["seed"], 7);
    let mut unknown = json;
    unknown["more"] = 1.into();
    assert!(serde_json::from_value::<State>(unknown).is_err());
}
