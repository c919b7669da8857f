//! Rules are made from the short form, changed by their ids, and shown as the command that makes them.

use serde_json::json;

use crate::support::{port::Port, program::chaosctl};

#[test]
fn a_rule_is_made_of_the_short_form_and_arguments() {
    let port = Port::new();
    let arm = |arguments: &[&str]| {
        let base = ["-e", &port.url, "arm"];
        chaosctl(&[&base, arguments].concat())
    };
    let ran = arm(&[
        "db.read=10%latency(200ms)",
        "--label",
        "table=orders",
        "--ttl",
        "5m",
    ])
    .expect(0);
    assert_eq!(
        ran.stdout,
        "made db.read-1, ends in 5:00; delete it: chaosctl rm db.read-1\n"
    );
    let expected = json!({
        "id": "db.read-1", "site": "db.read", "enabled": true, "rate": 0.1, "ttl": "5m",
        "match": { "labels": { "table": "orders" } }, "faults": [{ "latency": "200ms" }],
    });
    assert_eq!(port.rule("db.read-1"), expected);
    // A name that is taken is not taken twice.
    arm(&["db.read=error(x)"]).expect(0);
    arm(&[
        "db.read=1*error(x)->latency(1s)",
        "--id",
        "two",
        "--reason",
        "why",
    ])
    .expect(0);
    assert_eq!(port.ids(), ["db.read-1", "db.read-2", "two.1", "two.2"]);
    assert_eq!(port.rule("two.1")["reason"], "why");
    let ran = arm(&["db.read=error(x)", "--dry-run"]).expect(0);
    assert!(ran.stderr.contains("would take it"), "{ran:?}");
    assert_eq!(port.ids().len(), 4);
}

#[test]
fn a_slip_is_pointed_at() {
    let ran = chaosctl(&["arm", "http.server=5%latency(200ms)+statsu(503)"]).expect(2);
    let mark =
        "  http.server=5%latency(200ms)+statsu(503)\n                               ^^^^^^^^^^^\n";
    assert!(ran.stderr.ends_with(mark), "{}", ran.stderr);
    assert!(ran.stderr.contains("the action is unknown"), "{ran:?}");
}

#[test]
fn a_warning_does_not_change_the_code() {
    let port = Port::new();
    let _ = port.injector.site("db.read");
    let ran = chaosctl(&["-e", &port.url, "arm", "db.raed=error(x)"]).expect(0);
    assert!(
        ran.stderr.contains("warning: site") && ran.stderr.contains("db.read"),
        "{ran:?}"
    );
}

#[test]
fn rules_are_switched_and_deleted() {
    let port = Port::new();
    for id in ["a", "b", "c"] {
        port.put("db.read=error(x)", id);
    }
    let run = |arguments: &[&str]| chaosctl(&[&["-e", port.url.as_str()], arguments].concat());
    run(&["off", "a", "b", "--reason", "enough"]).expect(0);
    assert_eq!(port.rule("a")["enabled"], false);
    let entry = port.injector.audit().after(0).entries.pop().unwrap();
    assert_eq!(entry.actor.reason(), Some("enough"));
    run(&["on", "a"]).expect(0);
    assert_eq!(port.rule("a")["enabled"], true);
    // One that is unknown: nothing is done to the other.
    run(&["rm", "a", "x"]).expect(1);
    assert_eq!(port.ids(), ["a", "b", "c"]);
    run(&["rm", "a"]).expect(0);
    assert_eq!(port.ids(), ["b", "c"]);
    run(&["release", "b"]).expect(0);
    run(&["release", "x"]).expect(1);
    run(&["-y", "rm", "--all"]).expect(0);
    assert!(port.ids().is_empty());
}

#[test]
fn a_rule_is_shown_as_the_command_that_makes_it() {
    let port = Port::new();
    let url = port.url.as_str();
    let rules = [
        json!({ "id": "a", "site": "http.server", "rate": 0.3, "faults": [{ "status": 503 }], "key": "header:x-user-id",
                "match": { "path": "/checkout/{id}", "method": ["GET", "POST"] }, "mode": "shadow" }),
        json!({ "id": "b", "site": "db.*", "limit": 3, "faults": [{ "latency": { "p50": "20ms", "p99": "800ms" } }, { "error": { "kind": "connection_reset" } }],
                "guards": [{ "site": "http.server", "latency": { "p99": "800ms" } }], "reason": "it's a test" }),
    ];
    for rule in rules {
        let id = rule["id"].as_str().unwrap().to_owned();
        let parsed = chaos_core::wire::rule_from_value(rule, None).unwrap();
        port.injector.put(parsed);
        let before = port.rule(&id);
        let ran = chaosctl(&["-e", url, "show", &id, "-o", "cmd"]).expect(0);
        chaosctl(&["-e", url, "rm", &id]).expect(0);
        let line = ran.stdout.replacen(
            "chaosctl",
            &format!("{} -e {url}", env!("CARGO_BIN_EXE_chaosctl")),
            1,
        );
        let made = std::process::Command::new("sh")
            .args(["-c", &line])
            .output()
            .unwrap();
        assert!(made.status.success(), "{line}: {made:?}");
        assert_eq!(port.rule(&id), before);
    }
}

#[test]
fn an_arm_that_is_only_printed_asks_nobody() {
    let ran = chaosctl(&[
        "-e",
        "http://127.0.0.1:1",
        "arm",
        "db.read=error(x)",
        "-o",
        "json",
    ])
    .expect(0);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["rules"][0]["id"], "db.read-1");
}
