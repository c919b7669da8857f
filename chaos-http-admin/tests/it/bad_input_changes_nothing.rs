//! Every kind of bad input gets its own refusal, which says where and what is allowed; the rules
//! are what they were.

use axum::{
    body::Body,
    http::{Request, header, request},
};
use serde_json::{Value, json};

use crate::support::port::{Port, failing, json_request};

/// Not an async test for each, so that a failure names the line of the test and not of a helper.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().build().unwrap().block_on(future)
}

/// Sends one bad request to a port that has a rule, and checks that it is refused in place.
#[track_caller]
fn refused(
    request: request::Builder,
    body: impl Into<Body>,
    (status, field, allowed): (u16, &str, &str),
) -> Value {
    block_on(async {
        let port = Port::new();
        let standing = port
            .write("PUT", "/v1/rules/standing", failing("db.*"))
            .await;
        standing.expect(201);
        let before = port.rules().await;

        let problem = port.send(request, body).await.problem(status);
        assert_eq!(problem["field"], field, "{problem}");
        let says = problem["allowed"].as_str().unwrap_or_default();
        assert!(says.contains(allowed), "{problem}");
        assert_eq!(port.rules().await, before);
        assert_eq!(before["generation"], 1);
        problem
    })
}

/// The same for the body of one rule, both new and in place of the standing one, and in a list.
#[track_caller]
fn refused_rule(body: &str, (field, allowed): (&str, &str)) {
    for id in ["new", "standing"] {
        let request = json_request("PUT", &format!("/v1/rules/{id}"));
        let problem = refused(request, body.to_owned(), (400, field, allowed));
        assert!(
            problem["rule"] == id || problem.get("rule").is_none(),
            "{problem}"
        );
    }
    let with_id = body.replacen('{', r#"{"id":"listed","#, 1);
    let field = format!("rules[0].{field}");
    for query in ["", "?dry_run=true"] {
        let request = json_request("PUT", &format!("/v1/rules{query}"));
        let list = format!(r#"{{"rules":[{with_id}]}}"#);
        refused(request, list, (400, &field, allowed));
    }
}

#[test]
fn unknown_field() {
    let body = r#"{"site":"db.read","faults":[{"status":503}],"raet":0.5}"#;
    refused_rule(body, ("raet", "`rate`"));
}

#[test]
fn unknown_fault() {
    let body = r#"{"site":"db.read","faults":[{"latencie":"1s"}]}"#;
    refused_rule(body, ("faults[0].latencie", "`latency`"));
}

#[test]
fn bad_duration() {
    for latency in ["soon", "-1s", "1", "", "200ms..", "3s..1s", "25h"] {
        let body = format!(r#"{{"site":"db.read","faults":[{{"latency":"{latency}"}}]}}"#);
        refused_rule(&body, ("faults[0].latency", "a duration such as"));
    }
}

#[test]
fn bad_time_to_live() {
    for ttl in ["soon", "0s", "2years", "Never"] {
        let body = format!(r#"{{"site":"db.read","faults":[{{"status":503}}],"ttl":"{ttl}"}}"#);
        refused_rule(&body, ("ttl", "\"never\""));
    }
}

#[test]
fn rate_outside_0_to_1() {
    for rate in ["1.5", "-0.1", "1e300", "5", "\"0.5\""] {
        let body = format!(r#"{{"site":"db.read","faults":[{{"status":503}}],"rate":{rate}}}"#);
        refused_rule(&body, ("rate", "a number from 0 to 1"));
    }
}

#[test]
fn rate_that_is_not_a_number() {
    for rate in ["NaN", "\"NaN\"", "1e999", "Infinity"] {
        let body = format!(r#"{{"site":"db.read","faults":[{{"status":503}}],"rate":{rate}}}"#);
        refused_rule(&body, ("rate", "a number from 0 to 1"));
    }
}

#[test]
fn empty_id() {
    let rule = json!({ "id": "", "site": "db.read", "faults": [{ "status": 503 }] });
    let list = json!({ "rules": [rule] }).to_string();
    let expected = (400, "rules[0].id", "1 to 128 of");
    refused(json_request("PUT", "/v1/rules"), list, expected);
}

#[test]
fn bad_id_in_the_path() {
    let body = || failing("db.read").to_string();
    for id in ["a%20b", "%C3%A9", "a%2Fb", "%00", &"x".repeat(129)] {
        let request = json_request("PUT", &format!("/v1/rules/{id}"));
        refused(request, body(), (400, "id", "1 to 128 of"));
    }
    // What is not even UTF-8.
    let request = json_request("PUT", "/v1/rules/%ff");
    refused(request, body(), (400, "id", "1 to 128 of"));
}

#[test]
fn id_that_contradicts_the_path() {
    let body = r#"{"id":"other","site":"db.read","faults":[{"status":503}]}"#;
    let request = json_request("PUT", "/v1/rules/standing");
    refused(request, body, (400, "id", "the same in both"));
    let request = json_request("PATCH", "/v1/rules/standing");
    refused(
        request,
        r#"{"id":"other"}"#,
        (400, "id", "the same in both"),
    );
}

#[test]
fn duplicate_id() {
    let rule = json!({ "id": "twice", "site": "db.read", "faults": [{ "status": 503 }] });
    let list = json!({ "rules": [rule, rule] }).to_string();
    for query in ["", "?dry_run=true"] {
        let request = json_request("PUT", &format!("/v1/rules{query}"));
        let expected = (400, "rules[1].id", "no other rule has");
        let problem = refused(request, list.clone(), expected);
        assert_eq!(problem["rule"], "twice");
    }
}

#[test]
fn bad_glob() {
    for site in ["", "db.", "d*", "db.***", "**.a.**", "db read"] {
        let body = format!(r#"{{"site":"{site}","faults":[{{"status":503}}]}}"#);
        refused_rule(&body, ("site", "`*` for one whole part"));
    }
}

#[test]
fn bad_regex() {
    for regex in ["(", "[a", "a{2,1}", "(?=a)"] {
        let path = format!(r#"{{"path":{{"regex":"{regex}"}}}}"#);
        let body = format!(r#"{{"site":"db.read","match":{path},"faults":[{{"status":503}}]}}"#);
        refused_rule(&body, ("match.path", "a regular expression"));
    }
}

#[test]
fn regex_bomb() {
    for regex in [
        "(a{1000}){1000}",
        "((((a{9}){9}){9}){9}){9}",
        &"a".repeat(2000),
    ] {
        let path = format!(r#"{{"path":{{"regex":"{regex}"}}}}"#);
        let body = format!(r#"{{"site":"db.read","match":{path},"faults":[{{"status":503}}]}}"#);
        refused_rule(&body, ("match.path", "at most"));
    }
}

#[test]
fn status_that_no_answer_has() {
    for status in ["99", "101", "600", "-1", "\"503\""] {
        let body = format!(r#"{{"site":"db.read","faults":[{{"status":{status}}}]}}"#);
        refused_rule(&body, ("faults[0].status", "200 to 599"));
    }
}

#[test]
fn oversized_body() {
    for method in ["PUT", "PATCH"] {
        let request = json_request(method, "/v1/rules/standing");
        let body = vec![b' '; 1024 * 1024 + 1];
        refused(request, body, (413, "body", "1048576 bytes"));
    }
    // One that is announced is refused before it is sent.
    let request = json_request("PUT", "/v1/rules").header(header::CONTENT_LENGTH, "1048577");
    refused(request, Body::empty(), (413, "body", "1048576 bytes"));
}

#[test]
fn wrong_content_type() {
    let body = || failing("db.read").to_string();
    let put = || Request::put("/v1/rules/standing");
    let expected = (415, "Content-Type", "application/json");
    refused(put(), body(), expected);
    for wrong in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application",
        "json",
        "\u{e9}",
    ] {
        refused(put().header(header::CONTENT_TYPE, wrong), body(), expected);
    }
    // A merge patch is no rule, and no reason.
    let merge_patch = "application/merge-patch+json";
    refused(
        put().header(header::CONTENT_TYPE, merge_patch),
        body(),
        expected,
    );
    let halt = Request::post("/v1/halt").header(header::CONTENT_TYPE, merge_patch);
    refused(halt, r#"{"reason":"x"}"#, expected);
    let patch = Request::patch("/v1/rules/standing").header(header::CONTENT_TYPE, "text/plain");
    refused(patch, "{}", (415, "Content-Type", merge_patch));
}

#[test]
fn truncated_json() {
    let whole = r#"{"rules":[{"id":"a","site":"db.read","faults":[{"status":503}]}]}"#;
    for length in 0..whole.len() {
        let port_and_path = json_request("PUT", "/v1/rules");
        let problem = refused_at_any_field(port_and_path, &whole[..length]);
        assert!(
            problem["field"].is_string() && problem["allowed"].is_string(),
            "{problem}"
        );
    }
    let request = json_request("PUT", "/v1/rules/standing");
    refused(request, r#"{"site":"db.read""#, (400, "body", "JSON"));
    let request = json_request("PATCH", "/v1/rules/standing");
    refused(request, r#"{"enabled":"#, (400, "body", "JSON"));
    let request = json_request("POST", "/v1/halt");
    refused(request, r#"{"reason":"x"#, (400, "body", "`reason`"));
}

/// What was cut off may be in any field.
fn refused_at_any_field(request: request::Builder, body: &str) -> Value {
    block_on(async {
        let port = Port::new();
        let problem = port.send(request, body.to_owned()).await.problem(400);
        assert_eq!(port.rules().await, json!({ "generation": 0, "rules": [] }));
        problem
    })
}

#[test]
fn more_than_json() {
    let two = format!("{0}{0}", failing("db.read"));
    let request = json_request("PUT", "/v1/rules/standing");
    refused(request, two, (400, "body", "nothing after it"));
}

#[test]
fn deeply_nested_json() {
    let deep = |open: &str, close: &str| open.repeat(20_000) + &close.repeat(20_000);
    for method in ["PUT", "PATCH"] {
        let request = json_request(method, "/v1/rules/standing");
        refused(request, deep("[", "]"), (400, "body", "object"));
    }
    // Where the format itself nests without end.
    let matcher = deep(r#"{"not":"#, "}");
    let body = format!(r#"{{"site":"db.read","match":{{"path":{matcher}}}}}"#);
    let problem = refused_at_any_field(json_request("PUT", "/v1/rules/new"), &body);
    assert!(problem["detail"].as_str().unwrap().contains("recursion"));
}

#[test]
fn patch_that_leaves_no_rule() {
    let patch = || json_request("PATCH", "/v1/rules/standing");
    refused(patch(), r#"{"site":null}"#, (400, "site", "a site name"));
    refused(
        patch(),
        r#"{"faults":[]}"#,
        (400, "faults", "at least one fault"),
    );
    refused(patch(), r#"{"raet":0.5}"#, (400, "raet", "`rate`"));
    refused(patch(), "null", (400, "body", "an object"));
    refused(patch(), "[]", (400, "body", "an object"));
}

#[test]
fn stale_etag() {
    let body = || failing("db.read").to_string();
    let expected = (412, "If-Match", "\"1\"");
    for (method, path) in [
        ("PUT", "/v1/rules/standing"),
        ("PATCH", "/v1/rules/standing"),
        ("DELETE", "/v1/rules/standing"),
    ] {
        let request = json_request(method, path).header(header::IF_MATCH, "\"0\"");
        refused(request, body(), expected);
    }
    for path in ["/v1/rules", "/v1/rules?dry_run=true"] {
        let request = json_request("PUT", path).header(header::IF_MATCH, "\"0\"");
        refused(request, r#"{"rules":[]}"#, expected);
    }
}

#[test]
fn malformed_etag() {
    for tag in ["1", "\"1", "\"1\"\"1\"", "*, \"1\"", ""] {
        let request = json_request("DELETE", "/v1/rules/standing").header(header::IF_MATCH, tag);
        refused(request, Body::empty(), (400, "If-Match", "such as \"7\""));
    }
}

#[test]
fn misspelt_dry_run() {
    let list = r#"{"rules":[]}"#;
    let request = json_request("PUT", "/v1/rules?dryrun=true");
    refused(request, list, (400, "dryrun", "dry_run"));
    for value in ["yes", "1", "True", ""] {
        let request = json_request("PUT", &format!("/v1/rules?dry_run={value}"));
        refused(request, list, (400, "dry_run", "true or false"));
    }
}

#[test]
fn dry_run_where_there_is_none() {
    let body = || failing("db.read").to_string();
    let request = json_request("POST", "/v1/rules/standing/release?dry_run=true");
    refused(request, body(), (400, "dry_run", "no parameter"));
}

#[test]
fn halt_without_a_reason() {
    let allowed = "`reason`, a text of 1 to 1000 characters";
    for path in ["/v1/halt", "/v1/resume"] {
        let long = format!(r#"{{"reason":"{}"}}"#, "x".repeat(1001));
        for (body, field) in [
            ("{}", "reason"),
            (r#"{"reason":""}"#, "reason"),
            (r#"{"reason":"  "}"#, "reason"),
            (r#"{"reason":null}"#, "reason"),
            (r#"{"reason":7}"#, "reason"),
            (&long, "reason"),
            (r#"{"reason":"x","force":true}"#, "force"),
            (r#""x""#, "body"),
            ("", "body"),
        ] {
            refused(
                json_request("POST", path),
                body.to_owned(),
                (400, field, allowed),
            );
        }
    }
}

#[tokio::test]
async fn a_refused_halt_does_not_halt() {
    let port = Port::new();
    port.write("POST", "/v1/halt", json!({})).await.problem(400);
    assert_eq!(port.get("/v1/status").await.json()["state"], "idle");
}

#[test]
fn foreign_host() {
    let request = json_request("PUT", "/v1/rules/standing").header(header::HOST, "rebound.example");
    let body = failing("db.read").to_string();
    refused(request, body, (421, "Host", "localhost"));
}

#[tokio::test]
async fn unknown_rules_paths_and_methods() {
    let port = Port::new();
    for (method, path) in [
        ("GET", "/v1/rules/none"),
        ("PATCH", "/v1/rules/none"),
        ("DELETE", "/v1/rules/none"),
        ("GET", "/v1/rules/none/injections"),
    ] {
        let problem = port.write(method, path, json!({})).await.problem(404);
        assert_eq!(problem["rule"], "none");
    }
    for path in [
        "/v1",
        "/v1/rules/",
        "/v1/rules/a/b",
        "/v2/status",
        "/v1/status/",
        "//",
    ] {
        let problem = port.get(path).await.problem(404);
        assert!(
            problem["allowed"]
                .as_str()
                .unwrap()
                .contains("GET /v1/status")
        );
    }
    for (method, path, allow) in [
        ("POST", "/v1/rules", "GET,HEAD,PUT"),
        ("DELETE", "/v1/rules", "GET,HEAD,PUT"),
        ("POST", "/v1/rules/a", "GET,HEAD,PUT,PATCH,DELETE"),
        ("GET", "/v1/halt", "POST"),
        ("POST", "/", "GET,HEAD"),
        ("OPTIONS", "/v1/status", "GET,HEAD"),
    ] {
        let answer = port.write(method, path, json!({})).await;
        answer.problem(405);
        assert_eq!(answer.header("allow"), Some(allow));
    }
}
