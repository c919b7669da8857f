//! The requests of the attacks.

use std::time::Duration;

use chaos_core::{Rule, token::TokenKey, wire::rule_from_json};
use serde_json::{Value, json};

use crate::checks::attacks::{
    TOKEN_KEY,
    flood::{Flood, request},
    rules::nowhere,
    strike::Target,
    victim::{ARM, OBSERVE, marked},
};

/// One request over and over to the port.
pub(super) fn port(
    at: &Target,
    connections: usize,
    pipelined: usize,
    line: &str,
    token: &str,
) -> Flood {
    Flood {
        pipelined,
        ..to_port(at, connections, vec![request(line, token, "")])
    }
}

fn to_port(at: &Target, connections: usize, requests: Vec<String>) -> Flood {
    Flood {
        to: at.port,
        connections,
        pipelined: 1,
        requests,
    }
}

/// One request over and over to the service.
pub(super) fn service(at: &Target, connections: usize, line: &str) -> Flood {
    to_service(at, connections, vec![request(line, "", "")])
}

fn to_service(at: &Target, connections: usize, requests: Vec<String>) -> Flood {
    Flood {
        to: at.service,
        ..to_port(at, connections, requests)
    }
}

/// Requests without an end.
pub(super) fn halves(at: &Target) -> Flood {
    let half = "GET / HTTP/1.1\r\nHost: localhost\r\n".to_owned();
    to_port(at, 100, vec![half])
}

pub(super) fn previews(at: &Target) -> Flood {
    let mut rule = marked();
    rule["seed"] = json!(1);
    rule["rate"] = json!(0.5);
    let body = json!({ "rule": rule, "ordinals": [0, 10_000] }).to_string();
    to_port(at, 64, vec![request("POST /v1/preview", OBSERVE, &body)])
}

/// Edits of a rule of almost a megabyte, with looks at the audit that keeps them.
pub(super) fn megabytes(at: &Target) -> Flood {
    let mut requests = vec![request("GET /v1/audit", OBSERVE, "")];
    for number in 0..8 {
        let text = "x".repeat(900_000) + &number.to_string();
        let rule = json!({ "site": "db.none", "faults": [{ "error": text }] });
        requests.push(request("PUT /v1/rules/long", ARM, &rule.to_string()));
    }
    to_port(at, 16, requests)
}

/// Replaces all rules by as many as the policy and the size of a request allow.
pub(super) fn sets(at: &Target) -> Flood {
    let set = |of: usize| {
        let mut rules = nowhere(of);
        rules.insert(0, marked());
        let body = json!({ "rules": rules }).to_string();
        request("PUT /v1/rules", ARM, &body)
    };
    to_port(at, 16, vec![set(9_999), set(9_998)])
}

pub(super) fn edits(at: &Target) -> Flood {
    let edit = |number| {
        let rule = json!({ "site": "db.none", "faults": [{ "error": "lost" }] });
        let line = format!("PUT /v1/rules/r{number}");
        request(&line, ARM, &rule.to_string())
    };
    to_port(at, 64, (0..50).map(edit).collect())
}

pub(super) fn refusals(at: &Target) -> Flood {
    let line = format!("DELETE /v1/rules/{}", "r".repeat(8000));
    let requests = [
        request("POST /v1/halt", OBSERVE, ""),
        request(&line, OBSERVE, ""),
    ];
    to_port(at, 64, requests.into())
}

/// Bodies that are larger than the port takes.
pub(super) fn bodies(at: &Target, token: &str) -> Flood {
    let body = "x".repeat(8 << 20);
    to_port(at, 8, vec![request("PUT /v1/rules", token, &body)])
}

/// A request of the service with a rule token.
fn with_token(token: &str, headers: &str) -> String {
    format!("GET /visit HTTP/1.1\r\nHost: localhost\r\nx-chaos-token: {token}\r\n{headers}\r\n")
}

/// Signs a token for one rule.
fn sign(rule: &Value) -> String {
    let rule: Rule = rule_from_json(rule.to_string().as_bytes(), None).expect("it is a rule");
    let key = TokenKey::new(TOKEN_KEY).expect("it is long enough");
    let now = chaos_core::global().wall();
    let token = key.sign("visitor", Duration::from_secs(600), &[rule], now);
    token.expect("it is short enough")
}

/// A rule that hits nothing.
fn shadow(id: &str, path: &str) -> Value {
    json!({
        "id": id, "site": "http.server", "mode": "shadow", "match": { "path": path }, "limit": 1,
        "faults": [{ "status": 503 }],
    })
}

pub(super) fn new_tokens(at: &Target) -> Flood {
    let token = |number| sign(&shadow(&format!("r{number}"), "/visit"));
    let tokens = (0..10_000).map(|number| with_token(&token(number), ""));
    to_service(at, 4, tokens.collect())
}

pub(super) fn long_tokens(at: &Target) -> Flood {
    let path = |number| format!("/{number}{}", "x".repeat(5000));
    let tokens = (0..2_000).map(|number| with_token(&sign(&shadow("long", &path(number))), ""));
    to_service(at, 4, tokens.collect())
}

pub(super) fn envoy_headers(at: &Target) -> Flood {
    let token = sign(&shadow("none", "/nowhere"));
    let requests = (0..10_000).map(|number| {
        let values = format!(
            "x-envoy-fault-abort-request: {}\r\nx-envoy-fault-throughput-response: {}\r\n",
            400 + number % 100,
            100_000 + number,
        );
        with_token(&token, &values)
    });
    to_service(at, 4, requests.collect())
}

/// Tokens with faults that touch more than their request.
pub(super) fn refused_tokens(at: &Target) -> Flood {
    let tokens = [
        json!({ "block": "1s" }),
        json!({ "burn": { "memory": "256MiB", "for": "10s" } }),
    ];
    let refused = tokens.map(|fault| {
        let rule = json!({ "id": "refused", "site": "http.server", "faults": [fault] });
        with_token(&sign(&rule), "")
    });
    to_service(at, 4, refused.into())
}
