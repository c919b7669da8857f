//! The series of a rule are there before its first hit, so that a rate sees that hit.

use chaos_core::{Call, Injector, Policy, Rule, wire};
use chaos_http_admin::Metrics;
use serde_json::{Value, json};

use crate::support::exposition::Exposition;

const TOTAL: &str = "chaos_injections_total";

fn rule(id: &str, value: &Value) -> Rule {
    wire::rule_from_value(value.clone(), Some(id)).unwrap()
}

fn seen(metrics: &Metrics) -> Exposition {
    Exposition::read(&metrics.text())
}

#[test]
fn increase_sees_the_first_hit_of_a_rule() {
    let injector = Injector::new();
    let site = injector.site("db.read");
    let metrics = Metrics::of(&injector);
    let slow_error = json!([{ "latency": "1ms" }, { "error": "x" }]);
    injector.put(rule(
        "three",
        &json!({ "site": "db.read", "limit": 3, "faults": slow_error }),
    ));
    let of_rule = [
        ("site", "db.read"),
        ("rule", "three"),
        ("fault", "latency+error"),
    ];
    let of_limit = [("rule", "three"), ("limit", "limit")];
    let values = || {
        let seen = seen(&metrics);
        assert_eq!(seen.count(TOTAL, &[]), 1);
        assert_eq!(seen.count("chaos_overflow_total", &[]), 1);
        let matched = seen.one("chaos_matched_total", &[("rule", "three")]);
        let spared = seen.one("chaos_overflow_total", &of_limit);
        [seen.one(TOTAL, &of_rule), matched, spared]
    };
    assert_eq!(values(), [0.0, 0.0, 0.0]);
    for _ in 0..4 {
        if let Some(mut decision) = site.decide(&Call::new()) {
            while decision.next_plan().is_some() {}
        }
    }
    assert_eq!(values(), [3.0, 4.0, 1.0]);
}

#[test]
fn a_choice_and_a_pattern_have_a_series_for_each_that_can_happen() {
    let injector = Injector::new();
    let sites = ["db.read", "db.write", "http.server"].map(|name| injector.site(name));
    let metrics = Metrics::of(&injector);
    let choice = json!({ "one_of": [
        { "fault": { "error": "x" } }, { "fault": { "latency": "1ms" } }, { "fault": { "error": "y" } },
    ] });
    let faults = json!([choice, { "block": "1ms" }]);
    // A site is known from its first pass on that is not idle.
    injector.put(rule(
        "all",
        &json!({ "site": "**", "faults": [{ "error": "x" }] }),
    ));
    for site in sites {
        drop(site.decide(&Call::new()));
    }
    injector
        .replace(vec![rule(
            "r",
            &json!({ "site": "db.*", "faults": faults }),
        )])
        .unwrap();
    let seen = seen(&metrics);
    for site in ["db.read", "db.write"] {
        for fault in ["error", "latency+block"] {
            let labels = [("rule", "r"), ("site", site), ("fault", fault)];
            assert_eq!(seen.one(TOTAL, &labels), 0.0, "{labels:?}");
        }
    }
    assert_eq!(seen.count(TOTAL, &[]), 4);
}

#[test]
fn what_can_happen_in_thousands_of_ways_has_no_series_before_it_does() {
    let injector = Injector::new();
    let metrics = Metrics::of(&injector);
    let options = [
        json!({ "latency": "1ms" }),
        json!({ "block": "1ms" }),
        json!({ "pause": { "max": "1ms" } }),
    ];
    let options = options.map(|fault| json!({ "fault": fault }));
    let faults = vec![json!({ "one_of": options }); 8];
    injector.put(rule(
        "many",
        &json!({ "site": "db.read", "faults": faults }),
    ));
    assert_eq!(seen(&metrics).count(TOTAL, &[]), 0);
    let one = |n| {
        rule(
            &format!("r{n}"),
            &json!({ "site": "db.read", "faults": [{ "error": "x" }] }),
        )
    };
    injector.replace((0..1_234).map(one).collect()).unwrap();
    assert_eq!(seen(&metrics).count(TOTAL, &[]), 1_000);
    // A rule that is disabled has none that can begin.
    injector.replace(vec![one(0).enabled(false)]).unwrap();
    assert_eq!(seen(&metrics).count(TOTAL, &[]), 0);
}

#[test]
fn limits_of_the_policy_count_from_zero_too() {
    let injector = Injector::new();
    let total = std::num::NonZeroU64::new(5).unwrap();
    injector.set_policy(Policy::new().total(total));
    let metrics = Metrics::of(&injector);
    injector.put(rule(
        "a",
        &json!({ "site": "db.read", "faults": [{ "error": "x" }] }),
    ));
    let of_limit = [("rule", "a"), ("limit", "policy.total")];
    assert_eq!(seen(&metrics).one("chaos_overflow_total", &of_limit), 0.0);
    assert_eq!(seen(&metrics).count("chaos_overflow_total", &[]), 1);
}
