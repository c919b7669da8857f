//! `watch` in a pseudo-terminal: it shows hits, halts with a key, and gives the screen back.

use std::time::Duration;

use axum::Router;
use chaos_core::{Clock, inject};

use crate::support::{
    port::{Port, dead, serve},
    program::chaosctl,
    screen::{Ended, Screen},
    traffic::Traffic,
};

fn watch(columns: u16, arguments: &str) -> Screen {
    Screen::chaosctl(columns, &format!("{arguments} watch"), &[])
}

/// Quits, and waits until the program has ended and the screen is as it was.
fn quit(screen: Screen) {
    assert!(screen.is_alternate());
    screen.press("q");
    let ended = screen.end();
    assert_eq!(ended.code, 0, "{}", ended.written);
    assert!(!ended.is_alternate, "the screen was not given back");
}

#[test]
fn a_hit_is_seen_and_h_halts_at_80_and_at_40_columns() {
    for columns in [80, 40] {
        let port = Port::new();
        port.put("db.read=error(x)", "lost");
        let screen = watch(columns, &format!("-e {}", port.url));
        screen.wait(&["ARMED", "lost", "0 of 0"]);
        let injector = &port.injector;
        let clock = Clock::monotonic();
        // The soonest of five: the machine may be busy with something else.
        let seen = (1..=5).map(|hits| {
            let began = clock.now();
            assert!(inject!(injector: injector, "db.read").is_err());
            screen.wait(&[&format!("{hits} of {hits}")]);
            clock.now() - began
        });
        let soonest = seen.min().unwrap();
        assert!(soonest < Duration::from_secs(2), "{soonest:?}");
        screen.press("?");
        screen.wait(&["halt all endpoints"]);
        screen.press("?h");
        screen.wait(&["HALTED", "pressed in", "halted 1 of 1"]);
        assert!(port.is_halted());
        quit(screen);
    }
}

/// Latency and errors of the sites that rules aim at, of calls that were hit beside those left alone.
#[test]
fn what_calls_do_is_shown_at_80_and_at_40_columns() {
    for (columns, expected) in [
        (
            80,
            ["http.server  p99 ", " left alone, ", " hit; errors 0.0 %"],
        ),
        (40, ["http.server  ", " ms, hit ", "; errors"]),
    ] {
        let port = Port::new();
        let _traffic = Traffic::new(&port.injector);
        port.put("http.server=50%latency(30ms)", "slow");
        let screen = watch(columns, &format!("-e {}", port.url));
        screen.wait(&expected);
        // What is watched changes with the rules.
        chaosctl(&["-e", &port.url, "rm", "slow"]).expect(0);
        screen.wait(&["IDLE"]);
        quit(screen);
    }
}

/// One that is gone is not shown as it was, and does not keep the others from being shown.
#[test]
fn what_is_not_known_is_said() {
    let port = Port::new();
    let screen = watch(80, &format!("-e {} -e {}", dead(), port.url));
    screen.wait(&["NOT KNOWN", "no answer", "IDLE"]);
    quit(screen);
}

#[test]
fn it_needs_a_terminal() {
    let port = Port::new();
    chaosctl(&["-e", &port.url, "watch"]).expect(2);
    chaosctl(&["--json", "-e", &port.url, "watch"])
        .expect(2)
        .json();
    let arguments = format!("-e {} watch", port.url);
    let Ended { code, written, .. } = Screen::chaosctl(80, &arguments, &[("TERM", "dumb")]).end();
    assert_eq!(code, 2, "{written}");
    assert!(!written.contains('\u{1b}'), "{written:?}");
}

/// One service does not answer to the halt: the other is halted, and keys are read.
#[test]
fn a_halt_without_an_answer_keeps_no_key_waiting() {
    let port = Port::new();
    let hangs = serve(Router::new().fallback(async || {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }));
    let screen = watch(80, &format!("--timeout 60s -e {} -e {hangs}", port.url));
    screen.wait(&["IDLE"]);
    screen.press("h");
    screen.wait(&["HALTED", "halting"]);
    assert!(port.is_halted());
    screen.press("?");
    screen.wait(&["halt all endpoints"]);
    // The first waits for the answers.
    screen.press("q");
    screen.wait(&["q again"]);
    screen.press("q");
    let Ended { code, written, .. } = screen.end();
    assert_eq!(code, 3, "{written}");
    assert!(written.contains("is not known"), "{written}");
}

#[test]
fn a_halt_is_sent_although_it_is_quit_at_once() {
    let port = Port::new();
    let screen = watch(80, &format!("-e {} -e {}", port.url, dead()));
    screen.wait(&["IDLE"]);
    screen.press("hq");
    let Ended { code, written, .. } = screen.end();
    assert!(port.is_halted(), "{written}");
    assert_eq!(code, 6, "{written}");
    assert!(written.contains("no answer"), "{written}");
}
