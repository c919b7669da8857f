//! A rule reads back as it was written, in JSON and in code.

use chaos_core::wire::{rule_from_value, rule_to_value};
use serde_json::{Value, json};

/// Rules that are written in the shortest form: reading and writing them changes nothing.
fn rules() -> Vec<Value> {
    let mut rules = vec![json!({
        "id": "slow-checkout",
        "site": "http.server",
        "reason": "GameDay 12",
        "enabled": false,
        "mode": "shadow",
        "final": true,
        "match": {
            "method": ["GET", "POST"],
            "path": "/checkout/{id}",
            "host": "api.example.com",
            "headers": { "x-tenant": "acme", "x-user": { "regex": "^a" } },
            "query": { "beta": "1" },
            "labels": { "table": { "not": { "prefix": "tmp_" } } },
        },
        "rate": 0.05,
        "seed": 42,
        "skip": 3,
        "every": 2,
        "limit": 100,
        "max_active": 20,
        "ttl": "1m 30s",
        "faults": [{ "latency": "200ms..500ms" }, { "status": 503 }],
    })];
    for (key, value) in [
        ("faults", json!([{ "latency": "0s" }])),
        (
            "faults",
            json!([{ "latency": "1s 500ms" }, { "error": "gone" }]),
        ),
        (
            "faults",
            json!([{ "error": { "kind": "timed_out", "message": "too late" } }]),
        ),
        ("match", json!({ "path": { "prefix": "/a" } })),
        ("match", json!({ "path": ["/a", { "suffix": "/z" }] })),
        ("match", json!({ "headers": { "a": { "present": false } } })),
        ("ttl", json!("never")),
        ("rate", json!(0.0)),
        ("seed", json!(u64::MAX)),
    ] {
        let mut rule = json!({
            "id": "r", "site": "db.**", "enabled": true, "faults": [{ "status": 599 }],
        });
        rule[key] = value;
        rules.push(rule);
    }
    rules
}

#[test]
fn a_rule_reads_back_as_written() {
    for written in rules() {
        let rule = rule_from_value(written.clone(), None).unwrap();
        assert_eq!(rule_to_value(&rule), written);
        let again = rule_from_value(rule_to_value(&rule), None).unwrap();
        assert_eq!(again, rule);
    }
}

#[test]
fn short_forms_and_defaults_are_understood() {
    let short = json!({"id": "r", "site": "s", "faults": [{ "error": { "kind": "not_found" } }]});
    let rule = rule_from_value(short, None).unwrap();
    let long = json!({
        "id": "r", "site": "s", "enabled": true, "mode": "inject", "final": false, "match": {},
        "rate": 1, "skip": 0, "every": 1, "limit": null, "ttl": "10m", "reason": null,
        "faults": [{ "error": { "kind": "not_found", "message": "entity not found" } }],
    });
    assert_eq!(rule, rule_from_value(long, None).unwrap());
}

#[test]
fn what_the_admin_port_shows_can_be_written_back() {
    let shown = json!({
        "generation": 7,
        "rules": [{
            "id": "r", "site": "s", "enabled": true, "faults": [{ "status": 503 }],
            "stats": { "matched": 1 }, "sites": ["s"],
        }],
    });
    let rules = chaos_core::wire::rules_from_json(shown.to_string().as_bytes()).unwrap();
    let written = &shown["rules"][0];
    assert_eq!(rule_to_value(&rules[0])["site"], written["site"]);
    assert!(rule_to_value(&rules[0]).get("stats").is_none());
}
