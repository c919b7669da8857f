//! The rules of the attacks.

use serde_json::{Value, json};

/// Returns rules that hit nothing.
pub(super) fn nowhere(number: usize) -> Vec<Value> {
    let rule =
        |n| json!({ "id": format!("r{n}"), "site": "db.none", "faults": [{ "error": "x" }] });
    (0..number).map(rule).collect()
}

/// Returns a document for a rules file of half a megabyte.
pub(super) fn rules_file() -> String {
    let mut rules = nowhere(5_000);
    rules.push(crate::checks::attacks::victim::marked());
    json!({ "rules": rules }).to_string()
}

/// Returns a rule with the expressions that take the longest, as many as the policy allows.
pub(super) fn expressions() -> Vec<Value> {
    let slow = |n| json!({ "regex": format!("(.{{0,40}}a){{4}}z{n}") });
    let slow: Vec<_> = (0..EXPRESSIONS).map(slow).collect();
    vec![json!({
        "id": "slow", "site": "http.server", "mode": "shadow", "match": { "path": slow },
        "faults": [{ "status": 503 }],
    })]
}

const EXPRESSIONS: usize = 4;

/// Returns rules that ask for twelve times the memory that the policy allows.
pub(super) fn burns() -> Vec<Value> {
    let rule = |n| {
        json!({
            "id": format!("burn{n}"), "site": "http.server", "match": { "path": "/hit" },
            "faults": [{ "burn": { "memory": "256MiB", "for": "1m" } }],
        })
    };
    (0..12).map(rule).collect()
}

/// Returns thirty rules, each with the longest delay that the policy allows.
pub(super) fn delays() -> Vec<Value> {
    let rule = |n| {
        json!({
            "id": format!("delay{n}"), "site": "http.server", "match": { "path": "/hit" },
            "faults": [{ "latency": "100ms" }],
        })
    };
    (0..30).map(rule).collect()
}

/// Returns as many guard rails as the policy allows, none of which breaks.
pub(super) fn guard_rails() -> Vec<Value> {
    let rule = |n| {
        json!({
            "id": format!("rail{n}"), "site": "http.server", "match": { "path": "/nowhere" },
            "faults": [{ "status": 503 }],
            "guards": [{ "site": "http.server", "error_ratio": 0.99, "window": "1m", "at_least": 1_000_000 }],
        })
    };
    (0..64).map(rule).collect()
}
