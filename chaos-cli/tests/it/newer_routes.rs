//! Extensions, undo, explanations and tokens, which need routes that older ports do not have.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
    time::{Duration, SystemTime},
};

use chaos_core::{inject, token::TokenKey};

use crate::support::{
    port::{Port, dead},
    program::{chaosctl, command, kill},
};

const SIGN: [&str; 7] = [
    "token",
    "--rule",
    "stock.read=error(lost)",
    "--for",
    "1m",
    "--subject",
    "alice",
];

#[test]
fn an_extension_keeps_the_counts() {
    let port = Port::new();
    port.put("db.read=error(x)", "lost");
    let injector = &port.injector;
    assert!(inject!(injector: injector, "db.read").is_err());
    let left = || port.injector.counts("lost").unwrap().expires_in.unwrap();
    let before = left();
    let ran = chaosctl(&["-e", &port.url, "extend", "lost", "5m"]).expect(0);
    assert!(ran.stdout.starts_with("lost ends in 1"), "{ran:?}");
    assert!(left() > before + Duration::from_secs(290));
    assert_eq!(port.injector.counts("lost").unwrap().injected, 1);
    // Longer than a rule may live.
    chaosctl(&["-e", &port.url, "extend", "lost", "1000days"]).expect(5);
}

#[test]
fn an_undo_brings_a_rule_back_to_its_place() {
    let port = Port::new();
    for id in ["a", "b"] {
        port.put("db.read=error(x)", id);
    }
    let run = |arguments: &[&str]| chaosctl(&[&["-e", port.url.as_str()], arguments].concat());
    run(&["undo"]).expect(1);
    run(&["rm", "a"]).expect(0);
    let ran = run(&["undo"]).expect(0);
    assert!(ran.stdout.contains("remove a"), "{ran:?}");
    assert_eq!(port.ids(), ["a", "b"]);
    run(&["off", "a"]).expect(0);
    let entry = port.injector.audit().last().to_string();
    run(&["on", "a"]).expect(0);
    // Edited since; unknown.
    run(&["undo", &entry]).expect(5);
    run(&["undo", "1000"]).expect(1);
}

/// The last change is taken back, whatever it was, and none before it.
#[test]
fn an_undo_skips_no_change() {
    let port = Port::new();
    let run = |arguments: &[&str]| chaosctl(&[&["-e", port.url.as_str()], arguments].concat());
    run(&["arm", "db.read=error(x)", "--id", "x"]).expect(0);
    run(&["extend", "x", "5m"]).expect(0);
    let ran = run(&["undo"]).expect(1);
    assert!(
        ran.stderr.contains("an extension cannot be taken back"),
        "{ran:?}"
    );
    assert!(ran.stderr.contains("ENTRY"), "{ran:?}");
    assert_eq!(port.ids(), ["x"]);
    run(&["off", "x"]).expect(0);
    let ran = run(&["undo"]).expect(0);
    assert!(ran.stderr.contains("take back entry "), "{ran:?}");
    assert_eq!(port.rule("x")["enabled"], true);
    // An undo is a change like any other.
    run(&["undo"]).expect(0);
    assert_eq!(port.rule("x")["enabled"], false);
}

#[test]
fn an_explanation_names_the_condition() {
    let port = Port::new();
    let _ = port.injector.site("http.server");
    let run = |arguments: &[&str]| chaosctl(&[&["-e", port.url.as_str()], arguments].concat());
    let arm = [
        "arm",
        "http.server=status(503)",
        "--id",
        "down",
        "--method",
        "POST",
        "--path",
        "/checkout/{id}",
    ];
    run(&arm).expect(0);
    let ran = run(&[
        "explain",
        "down",
        "--method",
        "POST",
        "--path",
        "/checkout/7",
    ])
    .expect(0);
    assert_eq!(ran.stdout, "matches, and is hit\n");
    let ran = run(&[
        "explain",
        "down",
        "--method",
        "GET",
        "--path",
        "/checkout/7",
    ])
    .expect(0);
    assert!(
        ran.stdout.starts_with("does not match: match.method wants"),
        "{ran:?}"
    );
    let keyed = [
        "arm",
        "http.server=30%status(503)",
        "--id",
        "some",
        "--key",
        "header:x-user-id",
    ];
    run(&keyed).expect(0);
    let ran = run(&["explain", "some", "--key", "carol"]).expect(0);
    assert!(
        ran.stdout.contains("key header:x-user-id=carol draws "),
        "{ran:?}"
    );
}

/// A token is printed alone, so that `$(chaosctl token …)` is one.
#[test]
fn a_token_carries_rules() {
    const KEY: &[u8] = b"a key of at least thirty-two bytes";
    let key = TokenKey::new(KEY).unwrap();
    let port = Port::of(|admin| admin.token_key(TokenKey::new(KEY).unwrap()));
    let run = |port: &Port| chaosctl(&[&["-e", port.url.as_str()], &SIGN[..]].concat());
    let ran = run(&port).expect(0);
    let token = key
        .verify(ran.stdout.trim(), SystemTime::from(jiff::Timestamp::now()))
        .unwrap();
    assert_eq!(token.subject(), "alice");
    assert_eq!(token.rules()[0].site().as_str(), "stock.read");
    let ran = run(&Port::new()).expect(5);
    assert!(
        ran.stderr.contains("no key for signing rule tokens"),
        "{ran:?}"
    );
}

/// As the book hands it to curl.
#[test]
fn a_command_runs_with_a_token() {
    const KEY: &[u8] = b"a key of at least thirty-two bytes";
    let key = TokenKey::new(KEY).unwrap();
    let port = Port::of(|admin| admin.token_key(TokenKey::new(KEY).unwrap()));
    let run = |arguments: &[&str]| {
        let endpoint = ["-e", port.url.as_str()];
        chaosctl(&[&endpoint[..], &SIGN, &["--"], arguments].concat())
    };
    let script = "printf %s \"$CHAOS_TOKEN\"; echo words >&2; exit 7";
    let ran = run(&["sh", "-c", script]).expect(7);
    let now = SystemTime::from(jiff::Timestamp::now());
    // Nothing but what the command prints.
    let token = key.verify(&ran.stdout, now).unwrap();
    assert_eq!(token.subject(), "alice");
    assert_eq!(ran.stderr, "words\n");
    run(&["true"]).expect(0);
    let ran = run(&["sh", "-c", "kill -KILL $$"]).expect(137);
    assert_eq!((&*ran.stdout, &*ran.stderr), ("", ""));
    let ran = run(&["/nowhere/program"]).expect(2);
    assert!(ran.stderr.contains("cannot be run"), "{ran:?}");
}

#[test]
fn a_signal_ends_a_command_that_runs_with_a_token() {
    let key = TokenKey::new(b"a key of at least thirty-two bytes").unwrap();
    let port = Port::of(|admin| admin.token_key(key));
    let endpoint = ["-e", port.url.as_str()];
    let script = ["--", "sh", "-c", "echo $$; exec sleep 1000"];
    let mut child = command(&[&endpoint[..], &SIGN, &script].concat())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut id = String::new();
    said.read_line(&mut id).unwrap();
    kill(&child, "-TERM");
    assert_eq!(child.wait().unwrap().code(), Some(143));
    // The pipe ends with the command.
    assert_eq!(said.read_to_string(&mut String::new()).unwrap(), 0);
}

#[test]
fn no_command_runs_without_its_token() {
    let port = Port::new();
    let run = |arguments: &[&str]| {
        let echo = ["--", "echo", "it runs"];
        let ran = chaosctl(&[arguments, &SIGN, &echo].concat());
        assert!(!ran.stdout.contains("it runs"), "{ran:?}");
        ran
    };
    // It has no key.
    run(&["-e", &port.url]).expect(5);
    run(&["-e", &dead()]).expect(3);
    let other = Port::new();
    let ran = run(&["-e", &port.url, "-e", &other.url]).expect(2);
    assert!(
        ran.stderr.contains("one endpoint with a command"),
        "{ran:?}"
    );
    let ran = run(&["-e", &port.url, "--json"]).expect(2);
    assert_eq!(ran.json()[0]["error"]["field"], "--json", "{ran:?}");
}

/// Killed without a chance to say anything: the lease ends, long before the trial would.
#[test]
fn a_lease_ends_soon_after_the_process() {
    let port = Port::new();
    port.put("db.write=error(x)", "other");
    let injector = port.injector.clone();
    let is_hit = || inject!(injector: &injector, "db.read").is_err();
    let arguments = [
        "-e",
        &port.url,
        "try",
        "db.read=error(x)",
        "--for",
        "1h",
        "--lease",
        "4s",
    ];
    let mut child = command(&arguments).stderr(Stdio::null()).spawn().unwrap();
    let wait = |seconds: u32, hit: bool| {
        (0..seconds * 20).any(|_| {
            std::thread::park_timeout(Duration::from_millis(50));
            is_hit() == hit
        })
    };
    assert!(wait(20, true));
    // It is extended: it lives longer than one lease.
    assert!(!wait(8, false));
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-KILL", &id])
            .status()
            .unwrap()
            .success()
    );
    child.wait().unwrap();
    assert!(wait(10, false));
}
