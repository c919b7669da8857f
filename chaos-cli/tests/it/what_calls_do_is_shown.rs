//! What calls of watched sites do: latency and errors of those that were hit beside those left alone, and what they
//! have. Sites are watched only while somebody looks.

use serde_json::Value;

use crate::support::{
    port::{Port, dead},
    program::chaosctl,
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
fn each_ends_with_a_code_of_its_own_where_it_cannot_look() {
    for arguments in [&["status", "--latency"][..], &["sites", "--seen=1s"]] {
        chaosctl(&[&["-e", &dead()], arguments].concat()).expect(3);
        let port = Port::with_tokens();
        chaosctl(&[&["-e", &port.url], arguments].concat()).expect(4);
    }
    let port = Port::new();
    chaosctl(&["-e", &port.url, "status", "--latency", "no site"]).expect(1);
    chaosctl(&["-e", &port.url, "sites", "--seen=soon"]).expect(2);
}
