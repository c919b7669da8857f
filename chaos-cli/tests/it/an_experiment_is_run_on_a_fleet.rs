//! `run` on a fleet: who is meant, what they have counted, and what ends it. Real processes, a real etcd, and replicas that
//! are called.

use std::{
    process::{Child, Output, Stdio},
    time::Duration,
};

use chaos_core::{Clock, Policy, Rule};
use serde_json::{Value, json};

use crate::support::{
    experiment::phase,
    program::{kill, run},
    shops::{Shop, Shops},
    wait::until,
};

/// Starts an experiment, and waits until it hits a call, in a phase that has begun.
fn start(shops: &Shops, fields: Value, arguments: &[&str]) -> Child {
    let before = shops.faults();
    let mut command = shops.command(fields, arguments);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = child.spawn().unwrap();
    // By then, the journal is that of this run.
    until("a call is hit", || shops.faults() > before);
    until("the phase begins", || shops.is_in_a_phase());
    child
}

#[track_caller]
fn ends(child: Child, code: i32, told: &str) -> Output {
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(printed.contains(told), "{told}: {printed}");
    output
}

#[test]
fn a_share_grows_with_the_phases_and_each_hit_is_counted() {
    let shops = Shops::start(20);
    // Nobody waits for one that is not meant.
    shops.etcd.register("shop-silent", "b");
    let fields = json!({
        "estimate": { "for": "1s", "hits": { "at_least": 1 } },
        "phases": [
            phase("one in ten", "3s", json!({ "share": 0.1 })),
            phase("half", "2s", json!({ "share": 0.5 })),
        ],
    });
    let child = start(&shops, fields, &[]);
    let clock = Clock::monotonic();
    let mut first = vec![];
    while clock.now() < Duration::from_secs(2) {
        first = shops.hit().iter().map(|&id| id.to_owned()).collect();
        assert_eq!(first.len(), 1, "{first:?}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    ends(child, 0, ": held\n");
    let hit = shops.hit();
    assert_eq!(hit.len(), 5, "{hit:?}");
    assert!(hit.contains(&first[0].as_str()), "{first:?}, {hit:?}");
    assert!(shops.are_idle() && !shops.has_document());
    let of_zone_a = |shop: &&Shop| hit.contains(&shop.id.as_str()) && shop.is_of_zone_a();
    assert_eq!(shops.all.iter().filter(of_zone_a).count(), 5);
    // Nobody but those is in the journal, each with what it has counted.
    let targets = shops.targets();
    assert_eq!(targets.len(), 5, "{targets:?}");
    for target in &targets {
        let shop = shops.all.iter().find(|shop| target["target"] == shop.id);
        let faults = shop.unwrap().faults();
        assert_eq!(target["hits"], faults, "{target}");
        assert_eq!(target["fate"], "applied");
    }
    let journal = shops.journal();
    assert!(journal["duration"].as_f64().unwrap() < 15.0, "{journal:#}");
    let details = &journal["x-chaos"];
    assert_eq!(details["hits"], shops.faults());
    // One for each phase.
    let comparisons = details["comparisons"].as_array().unwrap();
    let hit = comparisons
        .iter()
        .map(|it| it["hit"]["calls"].as_u64().unwrap());
    assert_eq!(hit.sum::<u64>(), shops.faults(), "{details:#}");
    assert_eq!(comparisons.len(), 2);
    let audit = details["audit"].as_array().unwrap();
    let is_refused = |entry: &Value| entry["action"].to_string().contains("refuse");
    assert!(
        !audit.is_empty() && !audit.iter().any(is_refused),
        "{audit:#?}"
    );
    let left = shops.all.iter().flat_map(|shop| shop.port.ids());
    assert_eq!(left.count(), 0);
}

#[test]
fn one_broken_guard_rail_ends_it_everywhere() {
    let shops = Shops::start(6);
    let guard = json!({ "site": "http.server", "error_ratio": 0.2, "window": "10s", "at_least": 20, "then": "disarm" });
    let mut guarded = phase("lost", "1m", json!({}));
    guarded["rules"][0]["guards"] = json!([guard]);
    let child = start(&shops, json!({ "phases": [guarded] }), &[]);
    until("a guard rail breaks", || {
        let audits = shops.all.iter().map(|shop| shop.port.injector.status());
        audits.into_iter().any(|status| !status.breaches.is_empty())
    });
    let clock = Clock::monotonic();
    until("all are idle", || shops.are_idle());
    assert!(clock.now() < Duration::from_secs(2), "{:?}", clock.now());
    ends(child, 13, "a guard rail has broken");
    assert!(!shops.has_document());
}

#[test]
fn whoever_has_not_applied_it_is_in_the_journal() {
    let shops = Shops::start(6);
    shops.etcd.register("shop-silent", "a");
    let strict = &shops.all[2];
    let longest = Policy::new().max_ttl(Duration::from_secs(6));
    strict.port.injector.set_policy(longest);
    let ran = run(shops.command(json!({}), &[])).expect(14);
    assert!(ran.stdout.contains("did not apply the rules"), "{ran:?}");
    let fate = |id: &str| {
        let targets = shops.targets();
        let target = targets.iter().find(|target| target["target"] == id);
        target.unwrap_or_else(|| panic!("{targets:?}")).clone()
    };
    assert_eq!(shops.targets().len(), 4);
    assert_eq!(fate(&strict.id)["fate"], "refused");
    assert!(fate(&strict.id)["problem"].to_string().contains("ttl"));
    assert_eq!(fate("shop-silent")["fate"], "silent");
    assert_eq!(fate(&shops.all[0].id)["fate"], "withdrawn");
    assert!(shops.are_idle() && !shops.has_document());
}

#[test]
fn hits_at_a_replica_without_a_port_are_not_known() {
    let shops = Shops::with_labels(2, |_| false);
    let probe = json!({ "name": "site", "site": "http.server", "expect": { "error_ratio": { "at_most": 0.9 } } });
    let fields = json!({ "hypothesis": { "title": "x", "probes": [probe] } });
    let ran = run(shops.command(fields, &[])).expect(2);
    assert!(ran.stderr.contains("label `admin`"), "{ran:?}");
    let probe = json!({ "name": "up", "http": { "url": shops.all[0].port.url }, "expect": { "status": 200 } });
    let fields = json!({
        "hypothesis": { "title": "x", "probes": [probe] },
        "phases": [phase("lost", "2s", json!({}))],
    });
    let ran = run(shops.command(fields, &[])).expect(14);
    assert!(ran.stdout.contains("0 calls were hit"), "{ran:?}");
    assert!(shops.faults() > 0);
    let target = &shops.targets()[0];
    assert_eq!(
        (&target["fate"], &target["hits"]),
        (&json!("applied"), &json!(0))
    );
    let problem = target["problem"].to_string();
    assert!(problem.contains("its hits are not known"), "{problem}");
}

/// A replica that joins during a phase decides for itself whether the document is meant for it.
#[test]
fn a_replica_that_joins_during_a_phase_is_in_the_journal() {
    let mut shops = Shops::start(2);
    let fields = json!({ "phases": [phase("lost", "1m", json!({}))] });
    let child = start(&shops, fields, &[]);
    shops.join();
    until("it has the rules", || !shops.all[2].is_idle());
    kill(&child, "-INT");
    ends(child, 130, ": interrupted\n");
    assert!(shops.are_idle() && !shops.has_document());
    let targets = shops.targets();
    let joined = targets.iter().find(|it| it["target"] == shops.all[2].id);
    let joined = joined.unwrap_or_else(|| panic!("{targets:?}"));
    assert_eq!(joined["fate"], "applied");
    let problem = joined["problem"].to_string();
    assert!(problem.contains("its hits are not known"), "{problem}");
}

#[test]
fn a_fleet_is_held_by_one_run_at_a_time() {
    let shops = Shops::start(2);
    let child = start(&shops, json!({}), &[]);
    let journal = shops.folder.path().join("second.json");
    let arguments = ["--journal", journal.to_str().unwrap()];
    let other = json!({ "phases": [{ "name": "slow", "for": "2s", "rules": [
        { "id": "slow", "site": "http.server", "faults": [{ "latency": "1ms" }] },
    ] }] });
    let ran = run(shops.command(other, &arguments)).expect(5);
    assert!(ran.stderr.contains("held by ann"), "{ran:?}");
    kill(&child, "-INT");
    let clock = Clock::monotonic();
    until("all are idle", || shops.are_idle());
    assert!(clock.now() < Duration::from_secs(1), "{:?}", clock.now());
    ends(child, 130, ": interrupted\n");
    assert!(!shops.has_document());
    assert_eq!(shops.etcd.revision("controller"), None);
    assert_eq!(shops.journal()["status"], "interrupted");
}

#[test]
fn it_ends_when_somebody_else_ends_it() {
    let shops = Shops::start(2);
    let place = |key: &str| format!("/chaos/demo/{key}");
    let document = place(&format!("orders/rules/{}", Shops::document()));
    let halt = json!({ "by": "bob", "reason": "enough", "at": 1 }).to_string();
    for (ctl, code, why) in [
        (vec!["del", &document], 13, "has taken the document away"),
        (vec!["del", &place("controller")], 14, "no longer held"),
        (
            vec!["put", &place("orders/halt"), &halt],
            13,
            "halted by bob: enough",
        ),
    ] {
        let child = start(&shops, json!({}), &[]);
        shops.etcd.ctl(&ctl);
        ends(child, code, why);
        let injects = |shop: &Shop| shop.port.injector.status().state.as_str() == "armed";
        assert!(!shops.all.iter().any(injects), "{why}");
    }
    let ran = run(shops.command(json!({}), &[])).expect(5);
    assert!(ran.stderr.contains("halted by bob"), "{ran:?}");
}

#[test]
fn a_rule_that_is_taken_away_at_one_replica_is_13() {
    let shops = Shops::start(4);
    let shop = &shops.all[0];
    for (is_deleted, told) in [
        (true, "shop-0: somebody else has deleted the rule `lost`"),
        (false, "shop-0: somebody else has disabled the rule `lost`"),
    ] {
        let hit = shop.faults();
        let mut command = shops.command(json!({}), &[]);
        let child = command.stdout(Stdio::piped()).spawn().unwrap();
        until("a call is hit", || shop.faults() > hit);
        let injector = &shop.port.injector;
        if is_deleted {
            injector.remove(&"lost".parse().unwrap());
        } else {
            let rule = Rule::clone(injector.rules().find("lost").unwrap());
            injector.put(rule.enabled(false));
        }
        ends(child, 13, told);
        assert!(shops.are_idle() && !shops.has_document());
    }
}

/// It is not known whether replicas go on, until their leash is over.
#[test]
fn an_etcd_that_is_lost_is_never_0() {
    let shops = Shops::start(2);
    let fields = json!({ "phases": [phase("lost", "3s", json!({}))] });
    let child = start(&shops, fields, &["--timeout", "1s"]);
    shops.etcd.0.pause();
    ends(child, 15, "not known that the faults are gone");
    assert_eq!(shops.targets()[0]["fate"], "cut_off");
    until("all are idle", || shops.are_idle());
    shops.etcd.0.go_on();
}

/// Nothing has to be reached for its faults to end.
#[test]
fn killed_it_leaves_nothing_for_longer_than_its_phase_and_five_seconds() {
    let shops = Shops::start(2);
    let fields = json!({ "phases": [phase("lost", "2s", json!({}))] });
    let mut child = start(&shops, fields, &[]);
    let clock = Clock::monotonic();
    child.kill().unwrap();
    child.wait().unwrap();
    until("all are idle", || shops.are_idle());
    assert!(clock.now() < Duration::from_secs(8), "{:?}", clock.now());
    assert_eq!(shops.journal()["x-chaos"]["ended_in"], "lost");
}
