//! What is shown is what the port says, for people and as JSON.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use chaos_core::inject;
use serde_json::Value;

use crate::support::{
    port::{ARMER, Port},
    program::{chaosctl, command, run},
};

fn hit(port: &Port) -> bool {
    let injector = &port.injector;
    inject!(injector: injector, "db.read", table = "orders").is_err()
}

#[test]
fn status_says_state_counts_and_who_halted() {
    let port = Port::new();
    port.put("db.read=error(x)", "lost");
    assert!(hit(&port));
    let ran = chaosctl(&["-e", &port.url, "status"]).expect(0);
    assert!(
        ran.stdout
            .contains("armed  1 rule; 1 injection, 0 under way"),
        "{ran:?}"
    );
    assert!(ran.stdout.contains("\n  next to end  lost in "), "{ran:?}");
    chaosctl(&["-e", &port.url, "halt", "errors rise"]).expect(0);
    let ran = chaosctl(&["-e", &port.url, "status"]).expect(0);
    for expected in ["by anyone, ", " s ago: errors rise"] {
        assert!(ran.stdout.contains(expected), "{ran:?}");
    }
    let ran = chaosctl(&["-e", &port.url, "status", "--handover"]).expect(0);
    for expected in ["lost (on, ends in", "error(x), hit 1 of 1", "anyone halt"] {
        assert!(ran.stdout.contains(expected), "{expected}: {ran:?}");
    }
}

#[test]
fn rules_are_listed_with_what_they_did() {
    let port = Port::new();
    port.put("db.read=error(x)", "lost");
    port.put("http.server=30%status(503)", "down");
    assert!(hit(&port));
    let ran = chaosctl(&["-e", &port.url, "ls"]).expect(0);
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert!(lines[0].starts_with("ID"), "{ran:?}");
    assert!(
        lines[1].contains("error(x)") && lines[1].contains("1 of 1"),
        "{ran:?}"
    );
    assert!(
        lines[2].contains("30%status(503)") && lines[2].contains("0 of 0"),
        "{ran:?}"
    );
    assert!(!ran.stdout.contains('\u{1b}'), "{ran:?}");
    let ids = |arguments: &[&str]| -> Vec<Value> {
        let base = ["--json", "-e", &port.url, "rules"];
        let document = chaosctl(&[&base, arguments].concat()).expect(0).json();
        let rules = document[0]["rules"].as_array().unwrap();
        rules.iter().map(|rule| rule["id"].clone()).collect()
    };
    assert_eq!(ids(&[]), ["lost", "down"]);
    assert_eq!(ids(&["--site", "db.read"]), ["lost"]);
    assert_eq!(ids(&["--state", "off"]), [Value::Null; 0]);
    chaosctl(&["-e", &port.url, "off", "lost"]).expect(0);
    assert_eq!(ids(&["--state", "off"]), ["lost"]);
}

/// Whose a rule is and why, and what the service warns of.
#[test]
fn a_rule_is_listed_with_whose_it_is_and_what_is_wrong_with_it() {
    let port = Port::with_tokens();
    let _ = port.injector.site("db.read");
    let run = |arguments: &[&str]| {
        let mut command = command(&[&["-e", port.url.as_str()], arguments].concat());
        command.env("CHAOSCTL_TOKEN", ARMER);
        run(command).expect(0)
    };
    run(&["arm", "db.read=error(x)", "--reason", "GameDay 12"]);
    run(&["arm", "db.raed=error(x)", "--id", "typo", "--shadow"]);
    let listed = run(&["rules"]).stdout;
    let lines: Vec<_> = listed.lines().collect();
    let head: Vec<_> = lines[0].split_whitespace().collect();
    assert_eq!(head, ["ID", "WHERE", "DOES", "HIT", "ENDS", "WHOSE"]);
    assert!(lines[1].ends_with("ann: GameDay 12"), "{listed}");
    assert!(lines[2].contains("0 of 0 in shadow"), "{listed}");
    let warned = "ann  ! no site is called \"db.raed\"; try: db.read";
    assert!(lines[2].ends_with(warned), "{listed}");
    let shown = run(&["show", "typo"]).stdout;
    for expected in [
        "whose     ann",
        "state     shadow",
        "warning   site: no site is called",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let status = run(&["status"]).stdout;
    assert!(status.contains("armed  2 rules, 1 in shadow; "), "{status}");
}

#[test]
fn sites_are_found_by_name_and_file() {
    let port = Port::new();
    // A site is known from its first pass on, and no pass looks at an injector without rules.
    port.put("**=0.1%1*error(x)", "some");
    let injector = &port.injector;
    let _ = inject!(injector: injector, "db.read", table = "orders");
    let names = |arguments: &[&str]| -> usize {
        let base = ["--json", "-e", &port.url, "sites"];
        let document = chaosctl(&[&base, arguments].concat()).expect(0).json();
        document[0]["sites"].as_array().unwrap().len()
    };
    assert_eq!(names(&["db.*"]), 1);
    assert_eq!(names(&["read"]), 1);
    assert_eq!(names(&["--file", "it_shows_what"]), 1);
    assert_eq!(
        (names(&["http.**"]), names(&["--file", "other.rs"])),
        (0, 0)
    );
    let ran = chaosctl(&["-e", &port.url, "sites"]).expect(0);
    assert!(ran.stdout.contains("it_shows_what_there_is.rs:"), "{ran:?}");
    assert!(ran.stdout.contains("table"), "{ran:?}");
}

#[test]
fn the_audit_is_filtered() {
    let port = Port::new();
    port.put("db.read=error(x)", "one");
    port.put("db.read=error(x)", "two");
    let ran = chaosctl(&["-e", &port.url, "audit", "--rule", "two", "--since", "1h"]).expect(0);
    assert!(
        ran.stdout.contains("two") && !ran.stdout.contains("one"),
        "{ran:?}"
    );
    let json = chaosctl(&["--json", "-e", &port.url, "audit"])
        .expect(0)
        .json();
    assert_eq!(json[0]["entries"].as_array().unwrap().len(), 2);
}

#[test]
fn a_preview_names_the_calls() {
    let port = Port::new();
    port.put("db.read=1*off->error(x)", "two");
    let preview = |arguments: &[&str]| {
        let base = ["-e", &port.url, "preview"];
        chaosctl(&[&base, arguments].concat())
    };
    let ran = preview(&["two", "--calls", "0..5"]).expect(0);
    assert_eq!(ran.stdout, "would hit 1, 2, 3, 4\n");
    preview(&["two", "--keys", "a,b"]).expect(1);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rule.toml");
    std::fs::write(
        &file,
        "id = \"k\"\nsite = \"db.read\"\nkey = \"label:table\"\nfaults = [{ error = \"x\" }]\n",
    )
    .unwrap();
    let ran = preview(&["--file", file.to_str().unwrap(), "--keys", "a,b"]).expect(0);
    assert_eq!(ran.stdout, "would hit a, b\n");
}

#[test]
fn events_are_lines_and_end_when_nobody_reads() {
    let port = Port::new();
    let mut child = command(&["--json", "-e", &port.url, "events"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(next()["event"], "start");
    port.put("db.read=error(x)", "lost");
    assert_eq!(next()["event"], "put");
    assert!(hit(&port));
    let event = next();
    assert_eq!(
        (&event["event"], &event["data"]["rule"]),
        (&"injection".into(), &"lost".into())
    );
    drop(lines);
    hit(&port);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_look_is_repeated_until_nobody_reads() {
    let port = Port::new();
    port.put("db.read=error(x)", "lost");
    for look in [&["rules", "-w"][..], &["show", "lost", "-w"]] {
        let mut child = command(&[&["--json", "-e", &port.url], look].concat())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in lines.take(2) {
            let document: Value = serde_json::from_str(&line.unwrap()).unwrap();
            assert_eq!(document[0]["endpoint"], port.url);
        }
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}
