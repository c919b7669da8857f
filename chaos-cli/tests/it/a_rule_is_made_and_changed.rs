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

/// With `--strict`, a warning of one service keeps the rule from all.
#[test]
fn a_warning_is_a_refusal_where_it_is_to_be_one() {
    let (one, two) = (Port::new(), Port::new());
    for (port, site) in [(&one, "db.read"), (&two, "db.raed")] {
        let _ = port.injector.site(site);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rule.toml");
    let rule = "id = \"a\"\nsite = \"db.read\"\nfaults = [{ error = \"x\" }]\n";
    std::fs::write(&file, rule).unwrap();
    let file = file.to_str().unwrap();
    let both = ["-e", &one.url, "-e", &two.url];
    for command in [
        &["arm", "db.read=error(x)", "--strict"][..],
        &["apply", "-f", file, "--strict"],
        &["arm", "db.read=error(x)", "--strict", "--dry-run"],
    ] {
        let ran = chaosctl(&[&both, command].concat()).expect(1);
        for expected in [
            "would take it",
            "warning: site: no site is called \"db.read\"; try: db.raed",
            "site: a warning, which --strict does not take",
            "nothing was changed anywhere",
        ] {
            assert!(ran.stderr.contains(expected), "{expected}: {ran:?}");
        }
        let json = chaosctl(&[&["--json"], &both[..], command].concat())
            .expect(1)
            .json();
        assert_eq!(json[1]["error"]["field"], "site");
        assert!(one.ids().is_empty() && two.ids().is_empty());
        chaosctl(&[&["-e", &one.url], command].concat()).expect(0);
        chaosctl(&["-y", "-e", &one.url, "rm", "--all"]).expect(0);
    }
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

/// In each format, a rule is written as `apply` reads it.
#[test]
fn a_rule_is_shown_as_the_file_that_makes_it() {
    let folder = tempfile::tempdir().unwrap();
    let (shown, made) = (Port::new(), Port::new());
    let arm = [
        "arm",
        "http.server=30%status(503)",
        "--id",
        "a",
        "--path",
        "/a/{id}",
        "--reason",
        "on: it's",
    ];
    chaosctl(&[&["-e", &shown.url], &arm[..]].concat()).expect(0);
    let show = ["-e", &shown.url, "show", "a", "-o"];
    for format in ["json", "toml", "yaml"] {
        let printed = [&arm[..], &["-o", format]].concat();
        for command in [&[&show[..], &[format]].concat(), &printed] {
            let text = chaosctl(command).expect(0).stdout;
            let file = folder.path().join(format!("rule.{format}"));
            std::fs::write(&file, text).unwrap();
            chaosctl(&["-e", &made.url, "apply", "-f", file.to_str().unwrap()]).expect(0);
            assert_eq!(made.rule("a"), shown.rule("a"), "{format}");
            chaosctl(&["-e", &made.url, "rm", "a"]).expect(0);
        }
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

/// Only a write of the whole rule arms it anew.
#[test]
fn a_rule_that_has_ended_is_armed_by_on() {
    let port = Port::new();
    port.put_ended("ended");
    let before = port.injector.audit().last();
    chaosctl(&["-e", &port.url, "on", "ended"]).expect(0);
    // Its millisecond may be over by now.
    let mut entries = port.injector.audit().after(before).entries.into_iter();
    assert!(entries.any(|entry| entry.action.as_str() == "put"));
    assert_eq!(port.rule("ended")["enabled"], true);
}

#[test]
fn a_rule_that_is_named_twice_is_edited_once() {
    let port = Port::new();
    port.put("db.read=error(x)", "a");
    let entries = port.injector.audit().last();
    for command in ["off", "on", "rm"] {
        let ran = chaosctl(&["-e", &port.url, command, "a", "a"]).expect(0);
        assert_eq!(ran.stdout.lines().count(), 1, "{ran:?}");
    }
    assert_eq!(port.injector.audit().last(), entries + 3);
    assert!(port.ids().is_empty());
}
