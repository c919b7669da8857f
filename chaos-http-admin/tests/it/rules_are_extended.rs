//! `POST /v1/rules/{id}/extend` moves a deadline and nothing else, within what the policy allows.

use std::time::Duration;

use axum::http::header;
use chaos_core::{Call, Injector, Policy, testing::ManualClock};
use serde_json::{Value, json};

use crate::support::{
    document::Document,
    port::{Answer, Port, failing, json_request},
};

fn port() -> (Port, ManualClock) {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    (Port::of(injector), clock)
}

async fn arm(port: &Port, id: &str, ttl: Value) -> Answer {
    let mut rule = failing("db.read");
    rule["ttl"] = ttl;
    let path = format!("/v1/rules/{id}");
    port.write("PUT", &path, rule).await.expect(201)
}

async fn extend(port: &Port, id: &str, by: &str) -> Answer {
    let path = format!("/v1/rules/{id}/extend");
    port.write("POST", &path, json!({ "by": by })).await
}

#[tokio::test]
async fn six_hits_stay_six_and_the_rule_lives_longer() {
    let (port, clock) = port();
    let site = port.injector.site("db.read");
    let made = arm(&port, "x", json!("5m")).await;
    for _ in 0..6 {
        assert!(site.decide(&Call::new()).unwrap().next_plan().is_some());
    }
    clock.advance(Duration::from_secs(60));
    let extended = extend(&port, "x", "5m").await.expect(200);
    let stats = &extended.json()["stats"];
    assert_eq!(stats["injected"], 6);
    assert_eq!(stats["expires_in"], 540.0);
    assert_eq!(extended.json()["ttl"], "5m");
    // Nothing that is written has changed, so what was read before still serves a write.
    assert_eq!(extended.header("etag"), made.header("etag"));

    clock.advance(Duration::from_secs(539));
    assert!(site.decide(&Call::new()).is_some());
    clock.advance(Duration::from_secs(1));
    assert!(site.decide(&Call::new()).is_none());
}

#[tokio::test]
async fn beyond_the_policy_nothing_moves() {
    let (port, clock) = port();
    let policy = Policy::new().max_ttl(Duration::from_secs(600));
    port.injector.set_policy(policy);
    arm(&port, "x", json!("5m")).await;
    clock.advance(Duration::from_secs(100));
    let document = Document::new();
    let said = &document.0["paths"]["/v1/rules/{id}/extend"]["post"];
    let refused = extend(&port, "x", "6m").await;
    document.assert_said(said, &refused);
    let problem = refused.problem(409);
    let named = (&problem["rule"], &problem["field"], &problem["allowed"]);
    assert_eq!(named, (&json!("x"), &json!("by"), &json!("at most 300s")));
    let rule = port.get("/v1/rules/x").await.json();
    assert_eq!(rule["stats"]["expires_in"], 200.0);
    extend(&port, "x", "5m").await.expect(200);
    let problem = extend(&port, "x", "1ms").await.problem(409);
    assert_eq!(problem["field"], "by");
}

#[tokio::test]
async fn what_has_no_deadline_to_move_is_refused_with_its_field() {
    let (port, clock) = port();
    arm(&port, "ended", json!("1s")).await;
    arm(&port, "never", json!("never")).await;
    arm(&port, "off", json!("5m")).await;
    let off = json!({ "enabled": false });
    port.write("PATCH", "/v1/rules/off", off).await.expect(200);
    clock.advance(Duration::from_secs(1));
    for (id, field) in [("ended", "ttl"), ("never", "ttl"), ("off", "enabled")] {
        let problem = extend(&port, id, "5m").await.problem(409);
        assert_eq!(problem["field"], field, "{problem}");
        assert!(problem["allowed"].is_string(), "{problem}");
    }
    extend(&port, "none", "5m").await.problem(404);
    let audit = port.get("/v1/audit").await.json();
    let entries = audit["entries"].as_array().unwrap();
    assert!(entries.iter().all(|entry| entry["action"] != "extend"));
}

#[tokio::test]
async fn a_bad_body_is_refused_by_field() {
    let (port, _) = port();
    arm(&port, "x", json!("5m")).await;
    for (body, field) in [
        (json!({}), "by"),
        (json!({ "by": 300 }), "by"),
        (json!({ "by": "soon" }), "by"),
        (json!({ "by": "0s" }), "by"),
        (json!({ "by": "-5m" }), "by"),
        (json!({ "by": "5m", "to": "noon" }), "to"),
        (json!([]), "body"),
    ] {
        let path = "/v1/rules/x/extend";
        let problem = port.write("POST", path, body).await.problem(400);
        assert_eq!(problem["field"], field, "{problem}");
    }
    // More than the longest life of a rule, and more than a clock has.
    for by in ["366days", "500years"] {
        let problem = extend(&port, "x", by).await.problem(409);
        assert_eq!(problem["field"], "by");
    }
    let rule = port.get("/v1/rules/x").await.json();
    assert_eq!(rule["stats"]["expires_in"], 300.0);
}

#[tokio::test]
async fn it_is_written_with_its_reason_and_keeps_to_if_match() {
    let (port, _) = port();
    arm(&port, "x", json!("5m")).await;
    let ask = async |tag: &str| {
        let path = "/v1/rules/x/extend?reason=one%20more%20round";
        let request = json_request("POST", path).header(header::IF_MATCH, tag);
        port.send(request, r#"{"by":"1m"}"#).await
    };
    ask("\"0\"").await.problem(412);
    ask("\"1\"").await.expect(200);
    let audit = port.get("/v1/audit").await.json();
    let entries = audit["entries"].as_array().unwrap().iter();
    let mut extensions = entries.filter(|entry| entry["action"] == "extend");
    let entry = extensions.next().unwrap();
    assert!(extensions.next().is_none(), "{audit}");
    assert_eq!(entry["reason"], "one more round");
    assert_eq!(entry["what"], "x by 60s, and so it ends in 360s");
    assert_eq!(entry["changes"], json!([]));
}
