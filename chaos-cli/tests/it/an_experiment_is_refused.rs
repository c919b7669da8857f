//! `run`: what cannot go well is told before anything is armed. Real processes, against a service that is called.

use std::time::Duration;

use chaos_core::{Policy, Rate, SiteKind, wire};
use serde_json::{Value, json};

use crate::support::{
    experiment::Lab,
    port::{OBSERVER, Port, dead},
    program::{command, run},
    wait::until,
};

#[test]
fn what_a_target_would_not_take_is_told_before_anything_is_armed() {
    let lab = Lab::new();
    let phases = |rule: Value| json!([{ "name": "lost", "for": "2s", "rules": [rule] }]);
    let rule = |more: Value| {
        let mut rule =
            json!({ "id": "lost", "site": "http.server", "faults": [{ "status": 503 }] });
        rule.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        rule
    };
    for (fields, why) in [
        (
            json!({ "phases": phases(rule(json!({ "rate": 5 }))) }),
            "rate: rule `lost`: 5 is out of range",
        ),
        (
            json!({ "phases": phases(rule(json!({ "site": "http.servr" }))) }),
            "such as http.server",
        ),
        (
            json!({ "phases": phases(rule(json!({ "ratte": 1 }))) }),
            "ratte",
        ),
        (json!({ "fases": [] }), "unknown field `fases`"),
        (
            json!({ "hypothesis": { "title": "x", "probes": [{ "name": "a", "site": "nowhere", "expect": { "error_ratio": { "at_most": 1 } } }] } }),
            "no site \"nowhere\"",
        ),
    ] {
        let ran = lab.run(2, fields);
        assert!(ran.stderr.contains(why), "{why}: {ran:?}");
    }
    let longest = Policy::new().max_ttl(Duration::from_secs(6));
    lab.port.injector.set_policy(longest);
    let ran = lab.run(2, json!({}));
    assert!(
        ran.stderr.contains("rule lost: ttl: ") && ran.stderr.contains("at most 6s"),
        "{ran:?}"
    );
    assert!(!lab.was_armed());
    lab.port.injector.set_policy(Policy::new());
    let report = lab.path("nowhere/report.html");
    let ran = run(lab.command(json!({}), &["--report", report.to_str().unwrap()])).expect(2);
    assert!(ran.stderr.contains("report.html"), "{ran:?}");
    let ran = run(lab.command(json!({}), &["--journal", report.to_str().unwrap()])).expect(2);
    assert!(ran.stderr.contains("cannot be written"), "{ran:?}");
    lab.port.injector.halt("not now");
    let ran = lab.run(5, json!({}));
    assert!(ran.stderr.contains("halted by"), "{ran:?}");
    assert!(!lab.was_armed());
    let nobody = json!({ "target": { "endpoint": dead() } });
    lab.run(3, nobody);
}

#[test]
fn a_rule_of_somebody_else_is_left_alone() {
    let lab = Lab::new();
    lab.port.put("http.server=latency(1ms)", "lost");
    let ran = lab.run(5, json!({}));
    assert!(
        ran.stderr.contains("there is a rule `lost` already"),
        "{ran:?}"
    );
    assert_eq!(lab.port.ids(), ["lost"]);
}

#[test]
fn a_token_that_may_only_observe_is_4() {
    let lab = Lab::of(Port::with_tokens());
    let mut command = lab.command(json!({}), &[]);
    command.env("CHAOSCTL_TOKEN", OBSERVER);
    run(command).expect(4);
    assert!(!lab.was_armed());
}

#[test]
fn a_second_run_on_a_target_is_5() {
    let lab = Lab::new();
    let first = lab.start(json!({}), &[]);
    until("a call is hit", || lab.faults() > 0);
    let other = json!({ "phases": [{ "name": "slow", "for": "2s", "rules": [
        { "id": "slow", "site": "http.server", "faults": [{ "latency": "1ms" }] },
    ] }] });
    let journal = lab.path("second.json");
    let ran = run(lab.command(other, &["--journal", journal.to_str().unwrap()])).expect(5);
    // What is refused leaves no journal, and none of another run is lost.
    assert!(!journal.exists());
    assert!(
        ran.stderr.contains("another experiment is under way"),
        "{ran:?}"
    );
    assert_eq!(first.wait_with_output().unwrap().status.code(), Some(0));
    assert!(lab.port.ids().is_empty());
}

#[cfg(not(feature = "fleet"))]
#[test]
fn a_fleet_needs_the_feature_of_this_name() {
    let lab = Lab::new();
    let fleet = json!({ "fleet": { "etcd": ["http://127.0.0.1:2379"], "name": "demo" } });
    let ran = lab.run(2, json!({ "target": fleet }));
    assert!(ran.stderr.contains("the feature `fleet`"), "{ran:?}");
}

/// A site in code does not see how calls end.
#[test]
fn failures_are_asked_for_only_where_they_are_counted() {
    let lab = Lab::new();
    let _ = lab.port.injector.site_of("db.read", SiteKind::Sync);
    let probe = json!({ "name": "few fail", "site": "db.read", "expect": { "error_ratio": { "at_most": 0.1 } } });
    let compare = json!({ "name": "no worse", "site": "db.read", "compare": { "rule": "lost", "error_ratio": { "at_most": 0.1 } } });
    let worse = json!({ "rule": "lost", "site": "db.read", "error_ratio": 0.05 });
    for (fields, field) in [
        (
            json!({ "hypothesis": { "title": "x", "probes": [probe] } }),
            "hypothesis.probes[0].site: ",
        ),
        (
            json!({ "hypothesis": { "title": "x", "probes": [compare] } }),
            "hypothesis.probes[0].site: ",
        ),
        (
            json!({ "stop": { "worse_than_control": worse } }),
            "stop.worse_than_control.site: ",
        ),
    ] {
        let ran = lab.run(2, fields);
        assert!(
            ran.stderr.contains(field) && ran.stderr.contains("the site of a layer"),
            "{field}: {ran:?}"
        );
        assert!(!lab.was_armed());
    }
}

/// The lock is no more than the rule that it stands for.
#[test]
fn a_policy_that_permits_the_rules_permits_the_lock() {
    let lab = Lab::new();
    let half = Policy::new().rate(Rate::new(0.5).unwrap());
    lab.port
        .injector
        .set_policy(half.clone().max_ttl(Duration::from_secs(60)));
    lab.run(0, json!({}));
    let program = json!([{ "for": "2s", "rate": "0.4..0.5" }]);
    let phases = json!([{ "name": "lost", "for": "2s", "rules": [
        { "id": "lost", "site": "http.server", "program": program, "faults": [{ "status": 503 }] },
    ] }]);
    lab.run(0, json!({ "phases": phases }));
    lab.port.injector.set_policy(half);
    let program = json!([{ "for": "15m", "rate": "0.4..0.5" }]);
    let phases = json!([{ "name": "lost", "for": "20m", "rules": [
        { "id": "lost", "site": "http.server", "program": program, "faults": [{ "status": 503 }] },
    ] }]);
    let path = lab.experiment(json!({ "phases": phases }));
    run(command(&["experiment", "check", path.to_str().unwrap()])).expect(0);
}

/// Whatever phase it was of, and however its durations are written.
#[test]
fn what_a_killed_run_has_left_is_recognised() {
    let lab = Lab::new();
    let rule = |fault: Value| json!({ "id": "lost", "site": "http.server", "rate": 0.5, "faults": [fault] });
    let (fails, is_slow) = (json!({ "status": 503 }), json!({ "latency": "1000us" }));
    let mut left = rule(is_slow.clone());
    left["enabled"] = false.into();
    let phases = json!([
        { "name": "lost", "for": "1s", "rules": [rule(fails)] },
        { "name": "slow", "for": "1s", "rules": [rule(is_slow)] },
    ]);
    lab.port
        .injector
        .put(wire::rule_from_value(left, None).unwrap());
    lab.run(0, json!({ "phases": phases }));
    assert!(lab.port.ids().is_empty());
}
