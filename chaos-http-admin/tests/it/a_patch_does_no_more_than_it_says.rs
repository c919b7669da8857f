//! A patch of a detail is a patch of that detail: it arms nothing, and takes nothing from the rule
//! that JSON could not give back.

use std::time::Duration;

use axum::http::{HeaderMap, Method, Uri, header};
use chaos_core::{
    Call, Fault, Injector, Lifetime, Matcher, Rule, Text, inject, testing::ManualClock,
};
use serde_json::{Value, json};

use crate::support::port::{Answer, Port, failing, json_request};

async fn patch(port: &Port, fields: Value) -> Answer {
    port.write("PATCH", "/v1/rules/a", fields).await
}

#[tokio::test]
async fn only_a_put_or_switching_it_on_arms_an_expired_rule() {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let port = Port::of(injector);
    let hits = || inject!(injector: port.injector, "patch.expired").is_err();
    let mut rule = failing("patch.expired");
    rule["ttl"] = json!("1s");
    let put = async || port.write("PUT", "/v1/rules/a", rule.clone()).await;

    put().await.expect(201);
    assert!(hits());
    clock.advance(Duration::from_secs(1));
    for fields in [
        json!({ "reason": "note" }),
        json!({}),
        json!({ "enabled": true }),
        json!({ "reason": null }),
        // All of it again, read anew and found the same.
        rule.clone(),
    ] {
        let patched = patch(&port, fields.clone()).await.expect(200).json();
        assert_eq!(patched["stats"]["expires_in"], 0.0, "{fields}");
        assert!(!hits(), "{fields}");
    }
    patch(&port, json!({ "enabled": false })).await.expect(200);
    assert!(!hits());
    let on = patch(&port, json!({ "enabled": true })).await.expect(200);
    assert_eq!(on.json()["stats"]["expires_in"], 1.0);
    assert!(hits());

    clock.advance(Duration::from_secs(1));
    assert!(!hits());
    put().await.expect(200);
    assert!(hits());
}

/// Rules that code can make and the port would refuse to read: one with a fault after the last, one
/// with a method in small letters, one with a reason that is too long.
fn only_in_code() -> [Rule; 3] {
    let rule = || {
        let (id, site) = ("a".parse().unwrap(), "patch.code".parse().unwrap());
        Rule::new(id, site, Fault::error("broken")).lifetime(Lifetime::NEVER_ENDS)
    };
    [
        rule().then(Fault::status(503).unwrap()),
        rule().matching(Matcher::new().method(Text::is("get"))),
        rule().because("x".repeat(1001)),
    ]
}

#[tokio::test]
async fn a_rule_that_json_cannot_say_is_switched_off_and_on_with_its_counts() {
    for rule in only_in_code() {
        let port = Port::new();
        let site = port.injector.site("patch.code");
        port.injector.put(rule.clone());
        let shown = port.get("/v1/rules/a").await.json();
        port.write("PUT", "/v1/rules/a", shown).await.problem(400);
        let (method, headers) = (Method::from_bytes(b"get").unwrap(), HeaderMap::new());
        let uri = Uri::from_static("/");
        let get = Call::http(&method, &uri, &headers);
        let hits = || {
            site.decide(&get)
                .is_some_and(|mut it| it.next_plan().is_some())
        };

        assert!(hits());
        let off = patch(&port, json!({ "enabled": false })).await.expect(200);
        assert_eq!(off.json()["enabled"], false);
        assert_eq!(off.json()["stats"]["injected"], 1);
        assert!(!hits());
        patch(&port, json!({})).await.expect(200);
        let on = json!({ "enabled": true, "reason": "again" });
        let on = patch(&port, on).await.expect(200).json();
        assert_eq!(on["stats"]["injected"], 1);
        assert!(hits());
        assert_eq!(port.injector.counts("a").unwrap().injected, 2);
        let in_force = port.injector.rules().find("a").cloned().unwrap();
        assert_eq!(*in_force, rule.because("again"));
    }
}

#[tokio::test]
async fn null_is_the_default_again() {
    let port = Port::new();
    let mut rule = failing("db.read");
    rule["reason"] = json!("GameDay");
    rule["enabled"] = json!(false);
    port.write("PUT", "/v1/rules/a", rule).await.expect(201);
    let patched = patch(&port, json!({ "reason": null })).await.expect(200);
    assert_eq!(patched.json().get("reason"), None);
    assert_eq!(patched.json()["enabled"], false);
    let patched = patch(&port, json!({ "enabled": null })).await.expect(200);
    assert_eq!(patched.json()["enabled"], true);
}

#[tokio::test]
async fn what_is_set_is_checked_and_the_precondition_is_too() {
    let long = "x".repeat(1001);
    for (fields, field, allowed) in [
        (json!({ "enabled": "x" }), "enabled", "true or false"),
        (json!({ "enabled": 1 }), "enabled", "true or false"),
        (json!({ "reason": 7 }), "reason", "a text"),
        (json!({ "reason": ["x"] }), "reason", "a text"),
        (json!({ "reason": long }), "reason", "at most 1000 bytes"),
        (
            json!({ "reason": "fine", "enabled": {} }),
            "enabled",
            "true or false",
        ),
    ] {
        let port = Port::new();
        port.injector.put(only_in_code()[0].clone());
        let before = port.rules().await;
        let problem = patch(&port, fields).await.problem(400);
        assert_eq!(problem["field"], field, "{problem}");
        assert!(problem["allowed"].as_str().unwrap().contains(allowed));
        assert_eq!(port.rules().await, before);

        let stale = json_request("PATCH", "/v1/rules/a").header(header::IF_MATCH, "\"0\"");
        port.send(stale, r#"{"enabled":false}"#).await.problem(412);
        assert_eq!(port.rules().await, before);
    }
}
