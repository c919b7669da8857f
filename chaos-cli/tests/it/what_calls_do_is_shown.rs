//! What calls of watched sites do: latency and errors of those that were hit beside those left alone, and what they
//! have. Sites are watched only while somebody looks.

use std::{io::Read, process::Stdio, thread::park_timeout, time::Duration};

use serde_json::Value;

use crate::support::{
    port::{Port, dead},
    program::{chaosctl, command, kill},
    screen::Screen,
    traffic::Traffic,
};

#[test]
fn status_compares_calls_that_are_hit_with_those_left_alone() {
    let port = Port::new();
    port.put("http.server=50%latency(30ms)", "slow");
    let _traffic = Traffic::new(&port.injector);
    let ran = chaosctl(&["-e", &port.url, "status", "--latency"]).expect(0);
    let mut lines = ran.stdout.lines();
    let line = lines
        .find(|line| line.starts_with("  http.server "))
        .unwrap();
    for expected in [
        "p99 ",
        " left alone, ",
        " hit; errors 0.0 % left alone, 0.0 % in all; ",
        " calls/s, ",
    ] {
        assert!(line.contains(expected), "{expected}: {line}");
    }
    let json = [
        "--json",
        "-e",
        &port.url,
        "status",
        "--latency",
        "http.*",
        "db.read",
    ];
    let document = chaosctl(&json).expect(0).json();
    let site = &document[0]["latency"]["http.server"];
    let number = |value: &Value| value.as_f64().unwrap();
    assert!(number(&site["calls"]) > 5.0, "{site}");
    assert!(number(&site["hit"]) > 1.0, "{site}");
    // The service is that close to what the rule says: a tenth of the delay is what counts are rounded by.
    assert!(number(&site["injected"]["p50"]) > 0.025, "{site}");
    assert!(
        number(&site["alone"]["p50"]) < number(&site["injected"]["p50"]),
        "{site}"
    );
    assert_eq!(document[0]["latency"].as_object().unwrap().len(), 1);
}

/// Without a rule, too: the layers show how the service does.
#[test]
fn errors_are_counted_before_and_after() {
    let port = Port::new();
    let _traffic = Traffic::new(&port.injector);
    let status = || {
        chaosctl(&["-e", &port.url, "status", "--latency"])
            .expect(0)
            .stdout
    };
    let text = status();
    assert!(
        text.contains("  idle  ") && text.contains(" left alone; errors 0.0 %; "),
        "{text}"
    );
    port.put("http.server=50%status(503)", "down");
    let text = status();
    let (_, rest) = text.split_once("errors 0.0 % left alone, ").unwrap();
    let errors: f64 = rest.split_once(" % in all; ").unwrap().0.parse().unwrap();
    assert!((10.0..90.0).contains(&errors), "{text}");
}

#[test]
fn what_calls_have_is_seen_while_it_looks() {
    let port = Port::new();
    let _ = port.injector.site("db.write");
    let _traffic = Traffic::new(&port.injector);
    let sites = |more: &[&str]| {
        let base = ["-e", port.url.as_str(), "sites"];
        chaosctl(&[&base, more].concat()).expect(0)
    };
    let mut ran = sites(&["--seen=2s"]);
    // The machine may be busy with something else.
    for _ in 0..5 {
        if ran.stdout.contains("orders") {
            break;
        }
        ran = sites(&["--seen=2s"]);
    }
    let lines: Vec<_> = ran.stdout.lines().collect();
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        words(lines[0]),
        ["SITE", "METHODS", "ROUTES", "HOSTS", "LABELS"]
    );
    let expected = ["http.server", "GET", "/orders/{id}", "127.0.0.1"];
    assert_eq!(words(lines[1]), expected, "{ran:?}");
    assert_eq!(lines.len(), 2, "{ran:?}");
    let json = ["--json", "-e", &port.url, "sites", "server", "--seen=1s"];
    let document = chaosctl(&json).expect(0).json();
    let seen = &document[0]["sites"][0]["seen"];
    for field in ["methods", "paths", "hosts", "labels"] {
        assert!(seen[field].is_array(), "{document}");
    }
    assert_eq!(
        sites(&["nothing", "--seen=1s"]).stdout,
        "no calls were seen\n"
    );
}

#[test]
fn why_accounts_for_the_calls_of_a_rule() {
    let port = Port::new();
    let _traffic = Traffic::new(&port.injector);
    let run = |arguments: &[&str]| chaosctl(&[&["-e", port.url.as_str()], arguments].concat());
    let arm = [
        "arm",
        "http.server=status(503)",
        "--id",
        "down",
        "--path",
        "/checkout",
    ];
    run(&arm).expect(0);
    let ran = run(&["why", "down", "--for", "1s"]).expect(0);
    let mut lines = ran.stdout.lines().map(|line| {
        let words = line.split_whitespace().map(str::to_owned);
        words.collect::<Vec<_>>()
    });
    let number = |word: &str| word.parse::<u64>().unwrap();
    let site = lines.next().unwrap();
    assert_eq!(
        (&*site[0], &site[2..]),
        (
            "http.server",
            &["calls", "in", "1", "s"].map(String::from)[..]
        )
    );
    assert!(number(&site[1]) > 20, "{ran:?}");
    let missed = lines.next().unwrap();
    assert_eq!(missed[..2], ["not", "matched"], "{ran:?}");
    assert_eq!(missed[2], site[1], "{ran:?}");
    // All that were compared fail the same condition.
    let [of, compared, is, field, calls] = &missed[3..] else {
        panic!("{ran:?}");
    };
    assert_eq!([of, is, field], ["of", "compared:", "match.path"]);
    assert_eq!(compared, calls);
    assert!(number(calls) > 20, "{ran:?}");
    assert!(ran.stdout.contains("\n  hit               0\n"), "{ran:?}");

    let document = run(&["--json", "why", "down", "--for", "1s"]).expect(0);
    let why = &document.json()[0];
    assert_eq!(why["counted"]["injected"], 0);
    assert_eq!(why["advice"], Value::Null);
    // It watches only while it looks.
    let site = port.injector.site("http.server");
    port.injector.clear();
    while site.is_armed() {
        park_timeout(Duration::from_millis(1));
    }
    let ran = run(&["why", "down"]).expect(1);
    assert!(ran.stderr.contains("there is no rule `down`"), "{ran:?}");
    run(&["why", "down", "--for", "9s"]).expect(2);
}

/// The port answers later than a request may take.
#[test]
fn why_waits_for_as_long_as_it_counts() {
    let port = Port::new();
    let _ = port.injector.site("http.server");
    port.put("http.server=status(503)", "down");
    let arguments = [
        "-e",
        &port.url,
        "--timeout",
        "1s",
        "why",
        "down",
        "--for",
        "2s",
    ];
    let ran = chaosctl(&arguments).expect(0);
    assert!(
        ran.stdout.starts_with("http.server  0 calls in 2 s\n"),
        "{ran:?}"
    );
}

#[test]
fn a_trial_shows_how_long_calls_take() {
    let port = Port::new();
    let _traffic = Traffic::new(&port.injector);
    let arguments = format!(
        "-e {} try 'http.server=50%latency(30ms)' --for 1h",
        port.url
    );
    let screen = Screen::chaosctl(120, &arguments, &[]);
    screen.wait(&["  hit ", "  http.server p50 ", " ms, p99 ", " left alone"]);
    screen.press("\u{3}");
    assert_eq!(screen.end().code, 130);
}

/// A call that is watched costs more.
#[test]
fn a_trial_watches_no_site_where_nobody_looks() {
    let port = Port::new();
    let _traffic = Traffic::new(&port.injector);
    let arguments = [
        "-e",
        &port.url,
        "try",
        "http.server=50%latency(1ms)",
        "--id",
        "slow",
        "--for",
        "1h",
    ];
    let mut child = command(&arguments).stderr(Stdio::piped()).spawn().unwrap();
    let matched = || port.injector.counts("slow").map_or(0, |it| it.matched);
    while matched() < 100 {
        park_timeout(Duration::from_millis(10));
    }
    let seen = port.injector.seen("http.server").unwrap();
    kill(&child, "-INT");
    let mut said = String::new();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(seen.methods.is_empty(), "{seen:?}");
    assert!(!said.contains("p99"), "{said}");
}

#[test]
fn each_ends_with_a_code_of_its_own_where_it_cannot_look() {
    for arguments in [
        &["status", "--latency"][..],
        &["sites", "--seen=1s"],
        &["why", "lost"],
    ] {
        chaosctl(&[&["-e", &dead()], arguments].concat()).expect(3);
        let port = Port::with_tokens();
        chaosctl(&[&["-e", &port.url], arguments].concat()).expect(4);
    }
    let port = Port::new();
    chaosctl(&["-e", &port.url, "status", "--latency", "no site"]).expect(1);
    chaosctl(&["-e", &port.url, "sites", "--seen=soon"]).expect(2);
}
