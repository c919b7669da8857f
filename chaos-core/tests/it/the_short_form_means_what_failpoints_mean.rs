//! `site=term->term; site=…` is read as people who know failpoints expect it, and each trap that
//! one of their implementations has is a test here.

use std::{io, sync::Mutex, time::Duration};

use chaos_core::{Clock, Injected, Injector, Rule, RuleError, inject, inject_async, wire};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::waiting::until_async;

fn read(text: &str) -> Vec<Rule> {
    wire::rules_from_short(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> RuleError {
    match wire::rules_from_short(text) {
        Ok(rules) => panic!("{text} was taken as {rules:?}"),
        Err(error) => error,
    }
}

fn armed(text: &str) -> Injector {
    let injector = Injector::new();
    injector.replace(read(text)).unwrap();
    injector
}

fn pass(injector: &Injector) -> Result<(), Injected> {
    inject!(injector: injector, "db.read")
}

/// What the code at the site reads on each of the next calls; `-` where it is left alone.
fn values(injector: &Injector, calls: usize) -> String {
    let value = |_| match pass(injector) {
        Ok(()) => "-".to_owned(),
        Err(injected) => injected.value_json().expect("a value").to_owned(),
    };
    (0..calls).map(value).collect::<Vec<_>>().join(" ")
}

/// The faults of the only term, as they are written in JSON.
fn faults(term: &str) -> Value {
    let rules = read(&format!("s={term}"));
    assert_eq!(rules.len(), 1, "{term}");
    wire::rule_to_value(&rules[0])["faults"].clone()
}

fn fault(term: &str) -> Value {
    let faults = faults(term);
    assert_eq!(faults.as_array().unwrap().len(), 1, "{term}");
    faults[0].clone()
}

#[test]
fn a_term_is_the_rule_that_json_would_say() {
    let rules = read(
        r#"http.server=5%latency(200ms..500ms)+status(503); db.*=1%3*error("connection_reset")->2*sleep(50)"#,
    );
    let written: Vec<_> = rules.iter().map(wire::rule_to_value).collect();
    let expected = json!([
        { "id": "env.http.server.1", "site": "http.server", "enabled": true, "final": true, "rate": 0.05,
          "faults": [{ "latency": "200ms..500ms" }, { "status": 503 }] },
        { "id": "env.db.:any.1", "site": "db.*", "enabled": true, "final": true, "rate": 0.01, "limit": 3,
          "faults": [{ "error": { "kind": "connection_reset", "message": "connection reset" } }] },
        { "id": "env.db.:any.2", "site": "db.*", "enabled": true, "final": true, "limit": 2,
          "faults": [{ "latency": "50ms" }] },
    ]);
    assert_eq!(json!(written), expected);
}

#[test]
fn each_fault_of_json_has_its_short_form() {
    for (term, expected) in [
        (
            "latency(200ms..500ms)",
            json!({ "latency": "200ms..500ms" }),
        ),
        (
            r#"latency({"p50":"20ms","p99":"800ms"})"#,
            json!({ "latency": { "p50": "20ms", "p99": "800ms" } }),
        ),
        ("status(503)", json!({ "status": 503 })),
        (
            r#"status({"code":503,"body":"a)->;+=b"})"#,
            json!({ "status": { "code": 503, "body": "a)->;+=b" } }),
        ),
        ("error(out of stock)", json!({ "error": "out of stock" })),
        ("error(404)", json!({ "error": "404" })),
        (
            r#"error({"kind":"timed_out","message":"m"})"#,
            json!({ "error": { "kind": "timed_out", "message": "m" } }),
        ),
        ("abort(reset)", json!({ "abort": "reset" })),
        (
            r#"abort({"h2":"cancel"})"#,
            json!({ "abort": { "h2": "cancel" } }),
        ),
        ("hang(30s)", json!({ "hang": "30s" })),
        ("pause(30s)", json!({ "pause": { "max": "30s" } })),
        (
            r#"pause({"max":"30s"})"#,
            json!({ "pause": { "max": "30s" } }),
        ),
        ("block(50ms)", json!({ "block": "50ms" })),
        ("value([1,2])", json!({ "value": [1, 2] })),
        (
            r#"body({"throttle":"10KiB/s","on":"request"})"#,
            json!({ "body": { "throttle": "10KiB/s", "on": "request" } }),
        ),
        (
            r#"headers({"remove":["etag"]})"#,
            json!({ "headers": { "remove": ["etag"] } }),
        ),
        (
            r#"burn({"cpu":0.5,"for":"1s"})"#,
            json!({ "burn": { "cpu": 0.5, "for": "1s" } }),
        ),
        (
            r#"custom({"name":"odd","n":1})"#,
            json!({ "custom": { "name": "odd", "n": 1 } }),
        ),
        (
            r#"one_of([{"fault":{"status":503}},{"fault":{"latency":"2s"},"weight":3}])"#,
            json!({ "one_of": [{ "fault": { "status": 503 } }, { "fault": { "latency": "2s" }, "weight": 3 }] }),
        ),
    ] {
        let read = fault(term);
        let expected =
            wire::rule_from_value(json!({ "site": "s", "faults": [expected] }), Some("r"));
        let expected = wire::rule_to_value(&expected.unwrap());
        assert_eq!(read, expected["faults"][0], "{term}");
    }
    assert_eq!(fault("grpc(UNAVAILABLE)")["grpc"]["code"], "UNAVAILABLE");
    assert_eq!(fault("grpc(14)")["grpc"]["code"], "UNAVAILABLE");
}

#[test]
fn each_action_of_failpoints_is_understood() {
    for (term, expected) in [
        ("return", json!({ "value": null })),
        ("return()", json!({ "value": null })),
        ("return(7)", json!({ "value": 7 })),
        ("return(true)", json!({ "value": true })),
        ("return(-0.5)", json!({ "value": -0.5 })),
        ("return(raw text)", json!({ "value": "raw text" })),
        (r#"return("7")"#, json!({ "value": "7" })),
        (r#"return({"rows":[]})"#, json!({ "value": { "rows": [] } })),
        ("return(007)", json!({ "value": "007" })),
        ("sleep(50)", json!({ "latency": "50ms" })),
        ("sleep(1s)", json!({ "latency": "1s" })),
        (r#"sleep("1s")"#, json!({ "latency": "1s" })),
        ("delay(50)", json!({ "block": "50ms" })),
        ("delay(1s)", json!({ "block": "1s" })),
        ("panic", json!({ "abort": "panic" })),
        ("pause", json!({ "pause": { "max": "1day" } })),
        ("yield", json!({ "latency": "1ns" })),
        (
            "print",
            json!({ "custom": { "name": "print", "message": "" } }),
        ),
        (
            "print(a, b)",
            json!({ "custom": { "name": "print", "message": "a, b" } }),
        ),
    ] {
        assert_eq!(fault(term), expected, "{term}");
    }
    assert_eq!(
        read("s=panic(the disk is gone)")[0].reason(),
        Some("the disk is gone")
    );
    assert!(read("s=off").is_empty());
}

/// fail-rs splits at `->` inside parentheses.
#[test]
fn separators_in_an_argument_separate_nothing() {
    let text =
        r#"db.read=1*return(a->b;c+d=e%f*g)->1*return("x)->(y")->return((a(b)c)); db.write=off"#;
    let injector = armed(text);
    let expected = r#""a->b;c+d=e%f*g" "x)->(y" "(a(b)c)""#;
    assert_eq!(values(&injector, 3), expected);
    // An escaped quote does not close one.
    assert_eq!(
        values(&armed(r#"db.read=return("a\"->\\");"#), 1),
        r#""a\"->\\""#
    );
}

/// gofail takes `40.0%` and refuses `40%`.
#[test]
fn percentages_are_whole_or_not() {
    for (percent, rate) in [
        ("40", 0.4),
        ("40.0", 0.4),
        ("0.0001", 0.000_001),
        (".5", 0.005),
        ("99.9", 0.999),
        ("0.7", 0.007),
    ] {
        let rule = &read(&format!("s={percent}%return"))[0];
        assert_eq!(wire::rule_to_value(rule)["rate"], json!(rate), "{percent}%");
    }
    assert_eq!(
        wire::rule_to_value(&read("s=100%return")[0]).get("rate"),
        None
    );
}

/// fail-rs takes 250 %, NaN % (and then always fires), and -5 % (and panics at the point).
#[test]
fn percentages_that_are_none_are_refused() {
    for percent in [
        "250", "100.1", "NaN", "nan", "inf", "-5", "+5", "0", "0.0", "1e-3", "1_0", "", "5.5.5",
        ".",
    ] {
        let error = refused(&format!("s={percent}%return"));
        assert!(error.allowed().contains("at most 100"), "{error}");
    }
}

#[test]
fn counts_that_are_none_are_refused() {
    for count in ["0", "-1", "+1", "1.5", "x", "", "99999999999999999999"] {
        let error = refused(&format!("s={count}*return"));
        assert!(error.allowed().contains("1 or more"), "{error}");
    }
}

/// The Go parsers apply both in the order in which they are written, so that `5*2%` is spent by
/// calls that are not hit; FreeBSD takes the last of several.
#[test]
fn the_percentage_stands_before_the_count_and_each_once() {
    for term in ["5*2%return", "2%2%return", "5*5*return", "2%5*2%return"] {
        let error = refused(&format!("s={term}"));
        assert!(error.field().contains("return"), "{error}");
    }
}

#[test]
fn a_count_is_spent_by_calls_that_are_hit_alone() {
    for _ in 0..20 {
        let injector = armed("db.read=50%3*return");
        let hit = (0..300).filter(|_| pass(&injector).is_err()).count();
        assert_eq!(hit, 3);
    }
}

#[test]
fn the_first_term_that_fires_wins_and_a_used_up_one_falls_through() {
    assert_eq!(
        values(&armed("db.read=2*return(1)->1*return(2)->return(3)"), 5),
        "1 1 2 3 3"
    );
    assert_eq!(
        values(&armed("db.read=1*return(1)->2*return(2)"), 5),
        "1 2 2 - -"
    );
    // A rule at the same site that comes later is asked only where no term fired.
    assert_eq!(
        values(&armed("db.read=1*return(1); db.*=2*return(2)"), 4),
        "1 2 2 -"
    );
}

#[test]
fn a_percentage_that_misses_falls_through() {
    let injector = armed("db.read=50%return(1)->return(2)");
    let seen = values(&injector, 400);
    let ones = seen.matches('1').count();
    assert_eq!(ones + seen.matches('2').count(), 400);
    assert!((100..300).contains(&ones), "{ones} of 400");
}

#[test]
fn off_stops_the_chain() {
    let injector = armed("db.read=off->return(1)");
    assert_eq!(values(&injector, 2), "- -");
    assert!(injector.is_idle(), "a site that is off is idle");
    assert_eq!(
        values(&armed("db.read=1*return(1)->off->return(2)"), 3),
        "1 - -"
    );
    // With a count, it leaves so many calls alone that came so far.
    assert_eq!(values(&armed("db.read=2*off->1*return(1)"), 4), "- - 1 -");
    assert_eq!(
        values(
            &armed("db.read=1*return(1)->2*off->2*return(2)->return(3)"),
            7
        ),
        "1 - - 2 2 3 3"
    );
    assert_eq!(
        values(&armed("db.read=1*off->1*off->return(1)"), 3),
        "- - 1"
    );
    // What stands behind it is read, so that a slip does not wait for the day that it matters.
    refused("db.read=off->retrun(1)");
    for term in ["50%off", "off(1)", "off+return", "return+off"] {
        assert!(
            refused(&format!("s={term}")).allowed().contains("n*off"),
            "{term}"
        );
    }
}

/// fail-rs knows no point that does not exist, and says nothing of it; and it takes any action.
#[test]
fn unknown_actions_are_refused_with_those_that_are_known() {
    for term in [
        "retrun(1)",
        "RETURN(1)",
        "5%",
        "5%3*",
        "sleep 50",
        "return 1",
    ] {
        let error = refused(&format!("db.read={term}"));
        assert_eq!(
            error.rule().map(|rule| rule.contains("db.read")),
            Some(true),
            "{error}"
        );
    }
    assert!(refused("s=break").problem().contains("debugger"));
    assert!(refused("s=retrun(1)").allowed().contains("return, sleep"));
}

/// `return` at a point without a closure panics the caller of fail-rs.
#[test]
fn a_value_that_nobody_reads_is_an_error_and_no_panic() {
    let error: io::Error = pass(&armed("db.read=return")).unwrap_err().into();
    assert_eq!(error.kind(), io::ErrorKind::Other);
}

/// In fail-rs, a sleep blocks the executor: no tick of a timer ran during it.
#[tokio::test]
async fn a_sleep_in_async_code_lets_others_run() {
    let injector = armed("db.read=sleep(20000)");
    let sleeping = async { inject_async!(injector: &injector, "db.read").await };
    let ticking = async {
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        injector.halt("they ran");
    };
    let clock = Clock::monotonic();
    let (slept, ()) = tokio::join!(sleeping, ticking);
    slept.unwrap();
    assert_eq!(injector.counts("env.db.read.1").unwrap().injected, 1);
    assert!(clock.now() < Duration::from_secs(10));
}

/// fail-rs holds the lock of its registry while it pauses, and configuring waits for it.
#[tokio::test]
async fn a_pause_ends_when_its_rule_changes() {
    let injector = armed("db.read=pause");
    let paused = async { inject_async!(injector: &injector, "db.read").await };
    let changing = async {
        let is_paused = || {
            let counts = injector.counts("env.db.read.1");
            counts.is_some_and(|counts| counts.active > 0)
        };
        until_async("the call is paused", is_paused).await;
        injector.replace(read("db.read=off")).unwrap();
    };
    let (passed, ()) = tokio::join!(paused, changing);
    passed.unwrap();
}

#[tokio::test]
async fn a_yield_gives_others_a_turn() {
    let injector = armed("db.read=yield");
    let order = Mutex::new(Vec::new());
    let yielding = async {
        inject_async!(injector: &injector, "db.read").await.unwrap();
        order.lock().unwrap().push("the call");
    };
    let other = async { order.lock().unwrap().push("another") };
    tokio::join!(yielding, other);
    assert_eq!(*order.lock().unwrap(), ["another", "the call"]);
}

#[test]
fn stars_of_a_site_are_no_counts() {
    let rules = read("*=3*return; **=2%return; db.*=return; **.slow=1*return; db._=return");
    let ids: Vec<_> = rules.iter().map(|rule| rule.id().as_str()).collect();
    let expected = [
        "env.:any.1",
        "env.:all.1",
        "env.db.:any.1",
        "env.:all.slow.1",
        "env.db._.1",
    ];
    assert_eq!(ids, expected);
    assert_eq!(rules[1].site().as_str(), "**");
}

#[test]
fn blanks_empty_settings_and_lines_do_no_harm() {
    for text in ["", " ", ";", " ; ;", "\n"] {
        assert!(read(text).is_empty(), "{text:?}");
    }
    let spread =
        "\n db.read = 5 % 3 * latency( 20ms ) + status( 503 ) -> return ;\n db.write=off;\n";
    assert_eq!(
        read(spread),
        read("db.read=5%3*latency(20ms)+status(503)->return")
    );
}

/// In fail-rs and gofail the last one wins in silence.
#[test]
fn a_site_stands_once() {
    let error = refused("db.read=off; db.write=off; db.read=return");
    assert_eq!(
        (error.field(), error.problem()),
        ("db.read", "occurs twice")
    );
}

#[test]
fn what_cannot_be_read_names_the_term_and_what_is_allowed() {
    for (text, field, allowed) in [
        ("db.read", "db.read", "site=term"),
        ("=return", "=return", "site=term"),
        ("s=", "", "site=term"),
        ("s=return->", "", "site=term"),
        ("s=return->->return", "", "site=term"),
        ("s=return+", "", "site=term"),
        ("s=latency(1s)+5%status(503)", "5%status(503)", "site=term"),
        ("s=latency(1s)+5*status(503)", "5*status(503)", "site=term"),
        ("s=return(1", "s=return(1", "pairs"),
        ("s=return(1))", "s=return(1))", "pairs"),
        (r#"s=return("1)"#, r#"s=return("1)"#, "pairs"),
        ("s=return(1)2", "return(1)2", "site=term"),
        ("s=return(1)[pid 7]", "return(1)[pid 7]", "site=term"),
        (r#"s=return("1" 2)"#, r#"return("1" 2)"#, "one text"),
        (r#"s=value({"a":)"#, r#"value({"a":)"#, "JSON"),
        ("s=sleep", "sleep", "milliseconds"),
        ("s=sleep()", "sleep()", "milliseconds"),
        ("s=sleep(soon)", "sleep(soon)", "duration"),
        ("s=sleep(-5)", "sleep(-5)", "duration"),
        ("s=delay({})", "delay({})", "milliseconds"),
        ("s=latency(200)", "latency(200)", "duration"),
        ("s=latency", "latency", "latency(200ms)"),
        ("s=status(99)", "status(99)", "200 to 599"),
        ("s=grpc(gone)", "grpc(gone)", "gRPC code"),
        ("s=abort(softly)", "abort(softly)", "\"reset\""),
        ("s=hang", "hang", "hang(30s)"),
        ("s=body(throttle)", "body(throttle)", "as in body"),
        ("s=yield(1)", "yield(1)", "alone"),
        (
            r#"s=latency({"p50":"1s","p50":"2s"})"#,
            r#"latency({"p50":"1s","p50":"2s"})"#,
            "duration",
        ),
        (
            "s=status(503)+latency(1s)",
            "latency(1s)",
            "acts on the response",
        ),
        ("s//t=return", "s//t", "whole part"),
        ("=", "=", "site=term"),
    ] {
        let error = refused(text);
        assert_eq!(error.field(), field, "{text}: {error}");
        assert!(error.allowed().contains(allowed), "{text}: {error}");
    }
    let error = refused("db.read=return->5%latency(soon)").to_string();
    assert!(
        error.starts_with("rule `env.db.read.2`: latency(soon): "),
        "{error}"
    );
    let long = format!("s=sleep({})", "é".repeat(1000));
    assert!(refused(&long).to_string().len() < 5000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_text_panics(text in ".*") {
        let _ = wire::rules_from_short(&text);
    }

    /// Closer to the grammar; what is taken can be put in force, and written and read as JSON.
    #[test]
    fn no_near_miss_panics(pieces in prop::collection::vec(prop::sample::select(&[
        "db.read", "*", "**", "=", "->", ";", "+", "%", "5", "0.5", "3", "(", ")", "\"", "\\", "{", "}",
        "[", "]", ",", ":", " ", "return", "off", "sleep", "latency", "status", "503", "20ms", "print",
        "pause", "panic", "yield", "error", "é", "->return(", "1*", "5%",
    ][..]), 0..24)) {
        if let Ok(rules) = wire::rules_from_short(&pieces.concat()) {
            for rule in &rules {
                let value = wire::rule_to_value(rule);
                prop_assert_eq!(&wire::rule_from_value(value, None).unwrap(), rule);
            }
            Injector::new().replace(rules).unwrap();
        }
    }
}

/// The names of fail-rs have `::` in them, those of gofail and of Go's packages `/`.
#[test]
fn the_separators_of_a_failpoint_are_dots() {
    for (written, site) in [
        ("raft::before_save", "raft.before_save"),
        ("raft/before_save", "raft.before_save"),
        ("raft.before_save", "raft.before_save"),
        ("raft::*", "raft.*"),
        ("**/before_save", "**.before_save"),
        (
            "github.com/pingcap/tidb/mock-commit",
            "github.com.pingcap.tidb.mock-commit",
        ),
    ] {
        let rules = read(&format!("{written}=1*return->sleep(1)"));
        let sites: Vec<_> = rules.iter().map(|rule| rule.site().as_str()).collect();
        assert_eq!(sites, [site, site], "{written}");
        let expected = read(&format!("{site}=1*return->sleep(1)"));
        assert_eq!(rules, expected, "{written}");
    }
    assert_eq!(values(&armed("db::read=return(7)"), 1), "7");
    for name in [
        "/raft", "raft/", "raft//a", "::raft", "raft:::a", "raft::/a", "raft:a", r"raft\a",
    ] {
        let error = refused(&format!("{name}=return"));
        assert_eq!(error.field(), name);
        assert!(error.allowed().contains("with dots between"), "{error}");
    }
    // A site stands once, however it is written.
    let error = refused("db.read=off; db::read=return");
    assert_eq!(
        (error.field(), error.problem()),
        ("db::read", "occurs twice")
    );
}
