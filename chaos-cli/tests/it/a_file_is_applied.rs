//! `apply` makes the rules of a file, shows what changes, and leaves the others as they are.

use std::{fs, io::Write, process::Stdio, time::Duration};

use chaos_core::inject;

use crate::support::{
    port::Port,
    program::{Ran, chaosctl, command},
};

const TOML: &str =
    "[[rules]]\nid = \"b\"\nsite = \"db.read\"\nrate = 0.5\nfaults = [{ error = \"x\" }]\n";
const YAML: &str =
    "rules:\n  - id: b\n    site: db.read\n    rate: 0.5\n    faults: [{ error: x }]\n";
const JSON: &str = r#"{"rules":[{"id":"b","site":"db.read","rate":0.5,"faults":[{"error":"x"}]}]}"#;

#[test]
fn each_format_says_the_same_and_counts_stay() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("r.toml", TOML), ("r.yaml", YAML), ("r.json", JSON)] {
        let port = Port::new();
        port.put("db.write=error(x)", "a");
        port.put("db.read=10%error(x)", "b");
        let injector = &port.injector;
        assert!(inject!(injector: injector, "db.write").is_err());
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        let apply = |more: &[&str]| -> Ran {
            let base = ["-e", &port.url, "apply", "-f", file.to_str().unwrap()];
            chaosctl(&[&base, more].concat()).expect(0)
        };
        let ran = apply(&["--dry-run"]);
        assert!(
            ran.stdout
                .starts_with("  b\n-   rate = 0.1\n+   rate = 0.5\n"),
            "{ran:?}"
        );
        assert_eq!(port.rule("b")["rate"], 0.1);
        let ran = apply(&[]);
        assert!(
            ran.stdout
                .ends_with("1 changed, 0 as they were, on 1 of 1 endpoints\n"),
            "{ran:?}"
        );
        assert_eq!(port.rule("b")["rate"], 0.5);
        assert_eq!(port.injector.counts("a").unwrap().injected, 1);
        assert!(apply(&[]).stdout.starts_with("0 changed, 1 as they were"));
        apply(&["--prune"]);
        assert_eq!(port.ids(), ["b"]);
    }
}

#[test]
fn a_slip_in_a_file_changes_nothing() {
    let (folder, port) = (tempfile::tempdir().unwrap(), Port::new());
    for (name, text) in [
        ("r.toml", "[[rules]\n"),
        (
            "r.toml",
            "[[rules]]\nid = \"a\"\nsite = \"db.read\"\nrat = 1\nfaults = [{ error = \"x\" }]\n",
        ),
        (
            "r.json",
            r#"[{"id":"a","site":"x","faults":[{"error":"x"}]},{"id":"a","site":"y","faults":[{"error":"x"}]}]"#,
        ),
        ("r.txt", "{}"),
    ] {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        chaosctl(&["-e", &port.url, "apply", "-f", file.to_str().unwrap()]).expect(2);
    }
    chaosctl(&["-e", &port.url, "apply", "-f", "/nowhere/r.json"]).expect(2);
    assert_eq!(port.injector.rules().generation(), 0);
}

#[test]
fn standard_input_is_a_file() {
    let port = Port::new();
    let mut child = command(&["-e", &port.url, "apply", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(JSON.as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(port.ids(), ["b"]);
}

/// A file that was applied yesterday: its rules have ended, and are armed anew.
#[test]
fn rules_that_have_ended_are_armed_anew() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.json");
    let rule = r#"{"id":"b","site":"db.read","ttl":"1s","faults":[{"error":"x"}]}"#;
    fs::write(&file, format!("[{rule}]")).unwrap();
    for prune in [&[][..], &["--prune"]] {
        let port = Port::new();
        let injector = &port.injector;
        let is_hit = || inject!(injector: injector, "db.read").is_err();
        let base = ["-e", &port.url, "apply", "-f", file.to_str().unwrap()];
        let apply = || chaosctl(&[&base, prune].concat()).expect(0);
        apply();
        while is_hit() {
            std::thread::park_timeout(Duration::from_millis(20));
        }
        let before = port.injector.audit().last();
        let ran = apply();
        assert!(
            ran.stdout.contains("had ended, and is armed anew"),
            "{ran:?}"
        );
        assert!(ran.stdout.contains("1 changed, 0 as they were"), "{ran:?}");
        let mut entries = port.injector.audit().after(before).entries.into_iter();
        assert!(
            entries.any(|entry| entry.action.as_str() == "put"),
            "{prune:?}"
        );
    }
}

/// A rule that has ended and is changed, too, is armed anew with the list and without it.
#[test]
fn a_rule_that_has_ended_and_is_changed_is_armed_anew() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.json");
    let rule =
        r#"{"id":"b","site":"db.read","ttl":"1h","reason":"again","faults":[{"error":"x"}]}"#;
    for (prune, text, is_hit) in [
        (&[][..], rule.to_owned(), true),
        (&["--prune"], rule.to_owned(), true),
        (&["--prune"], rule.replace("1h", "1ms"), false),
        (
            &["--prune"],
            rule.replace("{\"id", "{\"enabled\":false,\"id"),
            false,
        ),
    ] {
        fs::write(&file, format!("[{text}]")).unwrap();
        let port = Port::new();
        port.put_ended("b");
        let base = ["-e", &port.url, "apply", "-f", file.to_str().unwrap()];
        let ran = chaosctl(&[&base, prune].concat()).expect(0);
        assert_eq!(port.rule("b")["reason"], "again");
        let is_anew = ran.stdout.contains("armed anew");
        assert_eq!(is_anew, !text.contains("enabled"), "{ran:?}");
        std::thread::park_timeout(Duration::from_millis(5));
        let injector = &port.injector;
        assert_eq!(
            inject!(injector: injector, "db.read").is_err(),
            is_hit,
            "{text}"
        );
    }
}

/// The order decides which rule hits first, so another order is a change, and the same one is none.
#[test]
fn another_order_is_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.json");
    let rule = |id| format!(r#"{{"id":"{id}","site":"db.read","faults":[{{"error":"x"}}]}}"#);
    fs::write(&file, format!("[{},{}]", rule("b"), rule("a"))).unwrap();
    let port = Port::new();
    let base = ["-e", &port.url, "apply", "-f", file.to_str().unwrap()];
    chaosctl(&base).expect(0);
    fs::write(&file, format!("[{},{}]", rule("a"), rule("b"))).unwrap();
    let ran = chaosctl(&base).expect(0);
    assert!(ran.stdout.starts_with("0 changed"), "{ran:?}");
    assert_eq!(port.ids(), ["b", "a"]);
    let prune = [&base[..], &["--prune"]].concat();
    let ran = chaosctl(&prune).expect(0);
    assert!(
        ran.stdout.starts_with("  order: a, b\n2 changed"),
        "{ran:?}"
    );
    assert_eq!(port.ids(), ["a", "b"]);
    let generation = port.injector.rules().generation();
    let ran = chaosctl(&prune).expect(0);
    assert!(
        ran.stdout.starts_with("0 changed, 2 as they were"),
        "{ran:?}"
    );
    assert_eq!(port.injector.rules().generation(), generation);
}
