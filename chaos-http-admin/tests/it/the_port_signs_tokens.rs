//! The port signs tokens, if it was given a key, and none that a service would refuse.

use axum::http::StatusCode;
use chaos_core::{Injector, testing::ManualClock, token::TokenKey};
use chaos_http_admin::Admin;
use serde_json::{Value, json};

use crate::support::port::Port;

const SECRET: &[u8] = b"this secret is of 32 bytes, fine";

fn signing() -> Port {
    let injector = Injector::with_clock(ManualClock::new());
    let key = TokenKey::new(SECRET).unwrap();
    let router = Admin::new(injector.clone()).token_key(key).router();
    Port { injector, router }
}

fn asked() -> Value {
    json!({
        "subject": "ann", "expires_in": 60,
        "rules": [{ "id": "down", "site": "http.server", "faults": [{ "status": 503 }] }],
    })
}

#[tokio::test]
async fn a_token_is_signed_and_nothing_else_changes() {
    let port = signing();
    let signed = port
        .write("POST", "/v1/tokens", asked())
        .await
        .expect(201)
        .json();
    let key = TokenKey::new(SECRET).unwrap();
    let token = key
        .verify(signed["token"].as_str().unwrap(), port.injector.wall())
        .unwrap();
    assert_eq!((token.subject(), token.rules().len()), ("ann", 1));
    assert_eq!(port.injector.rules().generation(), 0);
    // Whoever signs arms, and it is known who did.
    let audit = port.get("/v1/audit").await.expect(200).json();
    let entry = &audit["entries"][0];
    assert_eq!((&entry["id"], &audit["last"]), (&json!(1), &json!(1)));
    assert_eq!(entry["action"], "sign");
    assert_eq!(entry["what"], "a token of 60s for ann: down on http.server");
}

/// As the documentation of a token's claims says, for a rule at any place.
#[tokio::test]
async fn a_rule_without_an_id_is_named_for_its_place() {
    let port = signing();
    let rule = |id: Option<&str>| {
        let mut rule = json!({ "site": "http.server", "faults": [{ "status": 503 }] });
        if let Some(id) = id {
            rule["id"] = id.into();
        }
        rule
    };
    let mut body = asked();
    body["rules"] = json!([rule(None), rule(Some("own")), rule(None)]);
    let signed = port.write("POST", "/v1/tokens", body.clone()).await;
    let signed = signed.expect(201).json();
    let key = TokenKey::new(SECRET).unwrap();
    let token = signed["token"].as_str().unwrap();
    let token = key.verify(token, port.injector.wall()).unwrap();
    let ids: Vec<_> = token
        .rules()
        .iter()
        .map(|rule| rule.id().as_str())
        .collect();
    assert_eq!(ids, ["token-0", "own", "token-2"]);
    let audit = port.get("/v1/audit").await.expect(200).json();
    let what = "a token of 60s for ann: token-0 on http.server, own on http.server, token-2 on http.server";
    assert_eq!(audit["entries"][0]["what"], what);

    // The name of a place may be taken, and `null` is no id.
    for (rules, field) in [
        (json!([rule(Some("token-1")), rule(None)]), "rules[1].id"),
        (
            json!([{ "id": null, "site": "s", "faults": [{ "status": 503 }] }]),
            "rules[0].id",
        ),
        (json!({ "0": rule(None) }), "rules"),
        (json!(vec![rule(None); 17]), "rules"),
    ] {
        body["rules"] = rules;
        let refused = port.write("POST", "/v1/tokens", body.clone()).await;
        let refused = refused.expect(400).json();
        assert_eq!(refused["field"], field, "{refused}");
        assert!(refused["allowed"].is_string(), "{refused}");
    }
}

#[tokio::test]
async fn without_a_key_there_is_nothing_to_sign_with() {
    let answer = Port::new().write("POST", "/v1/tokens", asked()).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn what_is_no_token_is_refused_by_field() {
    let port = signing();
    for (field, wrong) in [
        ("subject", json!("")),
        ("subject", json!(7)),
        ("expires_in", json!(0)),
        ("expires_in", json!(-1)),
        ("expires_in", json!(7200)),
        ("expires_in", json!("1m")),
        ("rules", json!([])),
        (
            "rules[0].site",
            json!([{ "id": "a", "faults": [{ "status": 503 }] }]),
        ),
        (
            "faults[0].abort",
            json!([{ "id": "a", "site": "s", "faults": [{ "abort": "exit" }] }]),
        ),
    ] {
        let mut body = asked();
        let name = if field.contains('[') { "rules" } else { field };
        body[name] = wrong;
        let refused = port
            .write("POST", "/v1/tokens", body)
            .await
            .expect(400)
            .json();
        assert_eq!(refused["field"], field, "{refused}");
        assert!(refused["allowed"].is_string(), "{refused}");
    }
}
