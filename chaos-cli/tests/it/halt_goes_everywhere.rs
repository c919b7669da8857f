//! A halt goes to all endpoints at once, never asks, and no failure stops it.

use std::{process::Stdio, time::Duration};

use axum::Router;
use chaos_core::Clock;

use crate::support::{
    port::{ARMER, Port, dead, serve},
    program::{chaosctl, command, run},
};

#[test]
fn two_of_three_are_halted_if_one_is_dead() {
    let (one, two) = (Port::new(), Port::new());
    let halt = [
        "-e",
        &one.url,
        "-e",
        &dead(),
        "-e",
        &two.url,
        "halt",
        "checkout",
        "errors",
        "rise",
    ];
    let ran = chaosctl(&halt).expect(6);
    assert!(one.is_halted() && two.is_halted());
    assert!(
        ran.stdout.contains("halted") && ran.stderr.contains("no answer"),
        "{ran:?}"
    );
    let entry = one.injector.audit().after(0).entries.pop().unwrap();
    assert_eq!(entry.actor.reason(), Some("checkout errors rise"));
}

/// The soonest of five: the machine may be busy with something else.
#[test]
fn two_of_three_are_halted_within_a_second() {
    let hangs = serve(Router::new().fallback(async || {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }));
    let clock = Clock::monotonic();
    let took = (0..5).map(|_| {
        let (one, two) = (Port::new(), Port::new());
        let ports = ["-e", &one.url, "-e", &hangs, "-e", &two.url];
        let began = clock.now();
        let mut child = command(&[&ports[..], &["--timeout", "3s", "halt"]].concat());
        let mut child = child
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while !(one.is_halted() && two.is_halted()) {
            assert!(clock.now() - began < Duration::from_secs(20));
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let took = clock.now() - began;
        assert_eq!(child.wait().unwrap().code(), Some(6));
        took
    });
    let soonest = took.min().unwrap();
    assert!(soonest < Duration::from_secs(1), "{soonest:?}");
}

/// One that takes the connection and never answers does not hold the others up.
#[test]
fn one_that_hangs_holds_nobody_up() {
    let hangs = serve(Router::new().fallback(async || {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }));
    let one = Port::new();
    let halt = ["-e", &hangs, "-e", &one.url, "--timeout", "1s", "halt"];
    let ran = chaosctl(&halt).expect(6);
    assert!(one.is_halted());
    assert!(ran.stderr.contains("it took too long"), "{ran:?}");
}

#[test]
fn it_asks_nothing_in_production_and_a_resume_does() {
    let (folder, port) = (tempfile::tempdir().unwrap(), Port::new());
    let config = folder.path().join("config.toml");
    let text = format!(
        "[contexts.live]\nendpoints = [\"{}\"]\nproduction = true\n",
        port.url
    );
    std::fs::write(&config, text).unwrap();
    let live = |arguments: &[&str]| {
        let mut command = command(&[&["-c", "live"], arguments].concat());
        run({
            command.env("CHAOSCTL_CONFIG", &config);
            command
        })
    };
    let ran = live(&["halt"]).expect(0);
    assert!(ran.stderr.contains("live (production)"), "{ran:?}");
    assert!(port.is_halted());
    live(&["resume", "fixed"]).expect(2);
    live(&["arm", "db.read=error(x)"]).expect(2);
    assert!(port.is_halted() && port.ids().is_empty());
    live(&["-y", "arm", "db.read=error(x)"]).expect(0);
    live(&["-y", "resume", "fixed"]).expect(0);
    assert!(!port.is_halted());
}

/// An address with a slip, or one that the token may not go to, is told; the others are halted.
#[test]
fn an_unusable_address_keeps_no_other_from_being_halted() {
    for (slip, says) in [
        ("unix:relative", "not absolute"),
        ("http://10.0.0.1:9", "over plain HTTP"),
    ] {
        let port = Port::with_tokens();
        let asked = ["-e", slip, "-e", &port.url];
        let with = |arguments: &[&str]| {
            let mut command = command(&[&asked, arguments].concat());
            command.env("CHAOSCTL_TOKEN", ARMER);
            run(command)
        };
        with(&["status"]).expect(2);
        let ran = with(&["halt", "enough"]).expect(6);
        assert!(port.is_halted());
        assert!(ran.stderr.contains("endpoint 1: "), "{ran:?}");
        assert!(ran.stderr.contains(says), "{ran:?}");
        let document = with(&["--json", "halt", "enough"]).expect(6).json();
        assert_eq!(document[1]["endpoint"], "endpoint 1");
        assert_eq!(document[1]["error"]["kind"], "usage");
        let alone = chaosctl(&["-e", "unix:relative", "halt"]).expect(2);
        assert!(alone.stderr.contains("not absolute"), "{alone:?}");
    }
}

/// A variable that is not set, and a reason that is longer than a port takes.
#[test]
fn no_reason_keeps_it_from_halting() {
    let long = "é".repeat(1001);
    for (reason, expected) in [
        ("", "none given"),
        (" \n", "none given"),
        (long.as_str(), &long[2..]),
    ] {
        let port = Port::new();
        chaosctl(&["-e", &port.url, "halt", reason]).expect(0);
        assert!(port.is_halted());
        let entry = port.injector.audit().after(0).entries.pop().unwrap();
        assert_eq!(entry.actor.reason(), Some(expected));
    }
}
