//! What a preview says, what happens, what is logged and what a replay of the log does are one thing.

use std::time::Duration;

use chaos_core::{
    Call, Injector, Plan, Rule,
    trigger::{Decisions, Replay},
    wire::{decisions_to_value, rule_from_value, rule_to_value},
};
use http::{HeaderMap, HeaderValue, Method, Uri};
use serde_json::{Value, json};

fn try_rule(mut rule: Value) -> Result<Rule, chaos_core::RuleError> {
    rule["site"] = "replays".into();
    rule["faults"] = json!([{"latency": "0ms..1000ms"}]);
    rule_from_value(rule, Some("r"))
}

fn rule(trigger: &Value) -> Rule {
    try_rule(trigger.clone()).unwrap()
}

/// The same trigger with a field more.
fn with(trigger: &Value, field: &str, value: Value) -> Value {
    let mut trigger = trigger.clone();
    trigger[field] = value;
    trigger
}

fn user(n: u64) -> String {
    format!("user-{n}")
}

/// What happened to one call: its number, and its delay.
type Hit = (u64, Duration);

/// Passes `calls` calls, the n-th of the n-th user, and says which were hit and what was logged.
fn run(rule: Rule, calls: u64) -> (Vec<Hit>, Option<Decisions>) {
    let injector = Injector::new();
    injector.put(rule);
    let site = injector.site("replays");
    let (uri, mut headers) = (Uri::from_static("/"), HeaderMap::new());
    let mut hits = Vec::new();
    for n in 0..calls {
        headers.insert("x-user", HeaderValue::try_from(user(n)).unwrap());
        let decision = site.decide(&Call::http(&Method::GET, &uri, &headers));
        if let Some(plan) = decision.and_then(|mut decision| decision.next_plan()) {
            let Plan::Wait(wait) = plan else {
                panic!("{plan:?}");
            };
            hits.push((n, wait.time()));
        }
    }
    (hits, injector.decisions("r"))
}

fn numbers(hits: &[Hit]) -> Vec<u64> {
    hits.iter().map(|(n, _)| *n).collect()
}

/// Triggers whose calls have numbers, and such as have keys.
fn certain() -> Vec<Value> {
    let key = "header:x-user";
    vec![
        json!({"seed": 7, "rate": 0.1}),
        json!({"seed": 7, "rate": 0.5, "skip": 100, "every": 3}),
        json!({"seed": 7}),
        json!({"seed": 7, "rate": 0.0}),
        json!({"key": key, "rate": 0.1}),
        json!({"key": key, "seed": 7, "rate": 0.5}),
        json!({"key": key}),
        json!({"first_attempts": {"n": 2, "key": key}, "rate": 0.3}),
    ]
}

fn is_keyed(trigger: &Value) -> bool {
    trigger.get("seed").is_none() || trigger.get("key").is_some()
}

#[test]
fn what_is_previewed_happens_and_is_logged() {
    for trigger in certain() {
        let rule = rule(&trigger);
        let preview = rule.preview().unwrap();
        assert_eq!(rule.is_keyed(), is_keyed(&trigger), "{trigger}");
        let is_hit = |n: &u64| match rule.is_keyed() {
            true => preview.hits_key(&user(*n)),
            false => preview.hits_ordinal(*n),
        };
        let expected: Vec<u64> = (0..2000).filter(is_hit).collect();
        let (hits, decisions) = run(rule.clone(), 2000);
        assert_eq!(numbers(&hits), expected, "{trigger}");
        let logged = match rule.is_keyed() {
            true => Replay::keys(expected.into_iter().map(user)),
            false => Replay::ordinals(expected),
        };
        let decisions = decisions.unwrap();
        assert_eq!(decisions.hits, logged.unwrap(), "{trigger}");
        assert_eq!(decisions.dropped, 0, "{trigger}");
        // By the wrong name, none is hit.
        let other_way = |n| match rule.is_keyed() {
            true => preview.hits_ordinal(n),
            false => preview.hits_key(&user(n)),
        };
        assert!(!(0..2000).any(other_way), "{trigger}");
    }
}

#[test]
fn a_preview_leaves_no_trace() {
    let trigger = json!({"seed": 7, "rate": 0.5});
    let injector = Injector::new();
    injector.put(rule(&trigger));
    let rules = injector.rules();
    let rule = rules.find("r").unwrap();
    assert!((0..100).any(|n| rule.preview().unwrap().hits_ordinal(n)));
    let counts = injector.counts("r").unwrap();
    assert_eq!((counts.matched, counts.injected), (0, 0));
    assert_eq!(
        injector.decisions("r").unwrap().hits,
        Replay::ordinals([]).unwrap()
    );
}

/// The same calls, and the same delays, whatever the rule's own chances are.
#[test]
fn a_log_that_is_replayed_hits_the_same_calls_the_same_way() {
    for trigger in certain() {
        let (hits, decisions) = run(rule(&trigger), 2000);
        let decisions = decisions.unwrap();
        // Without `skip` and `every`, and at another rate.
        let mut bare = with(&trigger, "rate", json!(0.0));
        for field in ["skip", "every"] {
            bare.as_object_mut().unwrap().remove(field);
        }
        let replay = decisions_to_value(&decisions);
        for again in [&trigger, &bare] {
            let again = rule(&with(again, "replay", replay.clone()));
            let preview = again.preview().unwrap();
            let is_hit = |n: &u64| match again.is_keyed() {
                true => preview.hits_key(&user(*n)),
                false => preview.hits_ordinal(*n),
            };
            let previewed: Vec<u64> = (0..2000).filter(is_hit).collect();
            assert_eq!(previewed, numbers(&hits), "{again:?}");
            assert_eq!(
                run(again, 2000),
                (hits.clone(), Some(decisions.clone())),
                "{trigger}"
            );
        }
    }
}

#[test]
fn a_log_is_put_into_a_trigger_as_it_is() {
    let trigger = || chaos_core::Trigger::new().seed(7);
    let first = rule(&json!({})).trigger(trigger().rate(chaos_core::Rate::new(0.1).unwrap()));
    let (hits, decisions) = run(first, 2000);
    let again = rule(&json!({})).trigger(trigger().replay(decisions.unwrap().hits));
    assert_eq!(run(again.clone(), 2000).0, hits);
    // It is written as it is read.
    let written = rule_to_value(&again);
    assert_eq!(rule_from_value(written, None).unwrap(), again);
}

/// Another seed does other things to the same calls.
#[test]
fn delays_are_those_of_the_seed() {
    let (hits, decisions) = run(rule(&json!({"seed": 7, "rate": 0.1})), 2000);
    let replay = decisions_to_value(&decisions.unwrap());
    let (others, _) = run(rule(&json!({"seed": 8, "replay": replay})), 2000);
    assert_eq!(numbers(&others), numbers(&hits));
    assert!(hits.iter().zip(&others).all(|(one, other)| one != other));
}

/// Where chance decides, but calls have numbers, what chance said can be replayed.
#[test]
fn chance_can_be_replayed_where_calls_are_numbered() {
    let trigger = json!({"rate": 0.5, "every": 2});
    let (hits, decisions) = run(rule(&trigger), 2000);
    assert!(hits.len() > 100 && hits.len() < 900);
    let replay = decisions_to_value(&decisions.unwrap());
    let again = run(rule(&with(&trigger, "replay", replay)), 2000).0;
    assert_eq!(numbers(&again), numbers(&hits));
}

#[test]
fn chance_alone_is_neither_logged_nor_previewed() {
    let rule = rule(&json!({"rate": 0.5}));
    let error = rule.preview().unwrap_err();
    assert_eq!((error.field(), error.rule()), ("seed", Some("r")));
    let (hits, decisions) = run(rule, 2000);
    assert!(!hits.is_empty());
    assert_eq!(decisions, None);
    assert_eq!(Injector::new().decisions("r"), None);
}

/// A rule that hits each call that it matches has no log, and its hits are known all the same.
#[test]
fn what_hits_every_call_is_known_without_a_log() {
    let known = |trigger: Value, calls| run(rule(&trigger), calls).1;
    let first = |calls| Replay::ordinals(0..calls).unwrap();
    for (trigger, calls, hits) in [
        (json!({}), 0, 0),
        (json!({}), 7, 7),
        (json!({"mode": "shadow"}), 7, 7),
        (json!({"limit": 3}), 2, 2),
        (json!({"limit": 3}), 7, 3),
    ] {
        let decisions = known(trigger.clone(), calls).unwrap();
        assert_eq!(
            (decisions.hits, decisions.dropped),
            (first(hits), 0),
            "{trigger}"
        );
    }
    let many = known(json!({}), 10_005).unwrap();
    assert_eq!(
        (many.hits, many.dropped),
        (Replay::ordinals(5..10_005).unwrap(), 5)
    );
}

/// A call that left before anything happened to it was not hit, and nobody knows which one it was.
#[test]
fn what_hits_every_call_but_one_is_not_known() {
    let injector = Injector::new();
    injector.put(rule(&json!({})));
    let site = injector.site("replays");
    drop(site.decide(&Call::new()).unwrap());
    site.decide(&Call::new()).unwrap().next_plan();
    assert_eq!(injector.decisions("r"), None);
}

#[test]
fn the_log_has_the_last_10_000_and_counts_the_others() {
    for trigger in [json!({"seed": 7}), json!({"key": "header:x-user"})] {
        let (hits, decisions) = run(rule(&trigger), 12_345);
        assert_eq!(hits.len(), 12_345);
        let last = match is_keyed(&trigger) {
            true => Replay::keys((2345..12_345).map(user)),
            false => Replay::ordinals(2345..12_345),
        };
        let decisions = decisions.unwrap();
        assert_eq!((&decisions.hits, decisions.dropped), (&last.unwrap(), 2345));
        // As it is told, it can be replayed.
        let replay = decisions_to_value(&decisions);
        assert_eq!(replay["dropped"], 2345);
        let again = rule(&with(&trigger, "replay", replay));
        assert_eq!(run(again, 12_345).0, hits[2345..]);
    }
}

/// A call that was decided and left before anything happened to it was not hit.
#[test]
fn only_what_began_is_logged() {
    let injector = Injector::new();
    injector.put(rule(&json!({"seed": 7})));
    let site = injector.site("replays");
    for n in 0..10 {
        let mut decision = site.decide(&Call::new()).unwrap();
        if n % 3 == 0 {
            decision.next_plan();
        }
    }
    let hits = injector.decisions("r").unwrap().hits;
    assert_eq!(hits, Replay::ordinals([0, 3, 6, 9]).unwrap());
}

#[test]
fn a_shadow_logs_what_it_would_have_hit() {
    let trigger = json!({"seed": 7, "rate": 0.1});
    let expected = run(rule(&trigger), 2000).1;
    let shadow = rule(&with(&trigger, "mode", json!("shadow")));
    assert_eq!(run(shadow, 2000), (Vec::new(), expected));
}

#[test]
fn a_replay_that_makes_no_sense_is_refused() {
    let keyed = json!({"key": "header:x-user"});
    let too_many: Vec<u64> = (0..10_001).collect();
    for (trigger, replay, field) in [
        (json!({}), json!({"keys": ["a"]}), "replay.keys"),
        (json!({"seed": 1}), json!({"keys": ["a"]}), "replay.keys"),
        (json!({}), json!({"ordinals": too_many}), "replay.ordinals"),
        (
            keyed.clone(),
            json!({"keys": ["a"], "ordinals": [1]}),
            "replay",
        ),
        (json!({}), json!({}), "replay"),
        (json!({}), json!({"dropped": 1}), "replay"),
        (json!({}), json!({"ordinals": [-1]}), "replay.ordinals[0]"),
        (json!({}), json!({"numbers": [1]}), "replay.numbers"),
    ] {
        let error = try_rule(with(&trigger, "replay", replay)).unwrap_err();
        assert_eq!(error.field(), field, "{error:?}");
    }
    assert!(Replay::keys((0..10_001).map(user)).is_err());
    assert!(try_rule(with(&keyed, "replay", json!({"keys": ["a"]}))).is_ok());
}

/// Of a key, the first 256 bytes count: in a replay, too, that someone wrote by hand.
#[test]
fn a_long_key_is_replayed() {
    let long = "x".repeat(300);
    let replay = json!({"keys": [long]});
    let rule = rule(&json!({"key": "header:x-user", "replay": replay}));
    assert!(rule.preview().unwrap().hits_key(&long));
}

/// A rule with a key whose calls are replayed by number: what is previewed is what happens.
#[test]
fn numbers_are_replayed_in_a_rule_with_a_key() {
    let rule = rule(&json!({"key": "header:x-user", "replay": {"ordinals": [1, 3]}}));
    assert_eq!(numbers(&run(rule.clone(), 10).0), [1, 3]);
    let preview = rule.preview().unwrap();
    let previewed: Vec<u64> = (0..10).filter(|n| preview.hits_ordinal(*n)).collect();
    assert_eq!(previewed, [1, 3]);
}
