//! `GET /v1/audit` shows every entry as it was made, in pages.

use chaos_core::audit::{Actor, Audit};
use serde_json::{Value, json};

use crate::support::port::{Port, failing};

async fn audit(port: &Port, query: &str) -> Value {
    port.get(&format!("/v1/audit{query}"))
        .await
        .expect(200)
        .json()
}

fn ids(audit: &Value) -> Vec<u64> {
    let entries = audit["entries"].as_array().unwrap().iter();
    entries.map(|entry| entry["id"].as_u64().unwrap()).collect()
}

/// The console asks after each change of its form what the port would say.
#[tokio::test]
async fn a_dry_run_that_is_refused_is_no_entry() {
    let port = Port::new();
    let bad = json!({ "rules": [{ "id": "a", "site": "db.read", "rate": 2, "faults": [{ "status": 503 }] }] });
    let path = "/v1/rules?dry_run=true";
    port.write("PUT", path, bad.clone()).await.problem(400);
    assert_eq!(audit(&port, "").await["last"], 0);
    port.write("PUT", "/v1/rules", bad).await.problem(400);
    assert_eq!(audit(&port, "").await["last"], 1);
}

#[tokio::test]
async fn each_write_is_an_entry_with_the_rule_before_and_after() {
    let port = Port::new();
    port.write("PUT", "/v1/rules/a", failing("db.read"))
        .await
        .expect(201);
    let shown = port.get("/v1/rules/a").await.json();
    port.write("PATCH", "/v1/rules/a", json!({ "enabled": false }))
        .await
        .expect(200);
    port.write("POST", "/v1/halt", json!({ "reason": "enough" }))
        .await
        .expect(200);
    port.write("DELETE", "/v1/rules/a", Value::Null)
        .await
        .expect(204);
    // Nothing of it happened, and that it was refused is there.
    port.write("PUT", "/v1/rules/b", json!({ "site": "db.read" }))
        .await
        .expect(400);

    let audit = audit(&port, "").await;
    assert_eq!((&audit["last"], &audit["missed"]), (&json!(5), &json!(0)));
    let entries = audit["entries"].as_array().unwrap();
    let actions: Vec<_> = entries.iter().map(|it| &it["action"]).collect();
    assert_eq!(actions, ["put", "edit", "halt", "remove", "refuse"]);
    let generations: Vec<_> = entries.iter().map(|it| &it["generation"]).collect();
    assert_eq!(generations, [1, 2, 2, 3, 3]);
    let refused = entries[4]["what"].as_str().unwrap();
    assert!(refused.starts_with("PUT /v1/rules/b: 400, "), "{refused}");

    // The rule is there as the port shows it, but for what it counts.
    let (put, edit, halt) = (&entries[0], &entries[1], &entries[2]);
    let change = &put["changes"][0];
    assert_eq!(
        (&change["rule"], &change["before"]),
        (&json!("a"), &Value::Null)
    );
    for (field, value) in change["after"].as_object().unwrap() {
        assert_eq!(&shown[field], value);
    }
    assert_eq!(edit["changes"][0]["before"], change["after"]);
    assert_eq!(edit["changes"][0]["after"]["enabled"], false);
    assert_eq!(halt["changes"], json!([]));
    assert_eq!(put["at"], "1970-01-01T00:00:00.000Z");
}

#[tokio::test]
async fn pages_are_the_latest_or_what_followed() {
    let port = Port::new();
    for n in 0..5 {
        let signed = port.injector.as_actor(Actor::new("alice").at("[::1]:7"));
        signed.refuse(format!("{n}"));
    }
    let (all, next) = (audit(&port, "").await, audit(&port, "?after=2").await);
    assert_eq!(ids(&all), [1, 2, 3, 4, 5]);
    assert_eq!(ids(&next), [3, 4, 5]);
    assert_eq!(ids(&audit(&port, "?limit=2").await), [4, 5]);
    assert_eq!(ids(&audit(&port, "?after=2&limit=2").await), [3, 4]);
    for beyond in ["?after=5", "?after=18446744073709551615"] {
        assert_eq!(ids(&audit(&port, beyond).await), [0; 0]);
    }
    let entry = &all["entries"][0];
    assert_eq!(entry["actor"], "alice");
    assert_eq!(entry["address"], "[::1]:7");
    assert_eq!(entry["what"], "0");
    for (query, field) in [
        ("?limit=0", "limit"),
        ("?limit=2001", "limit"),
        ("?after=-1", "after"),
        ("?after=x", "after"),
        ("?since=1", "since"),
        ("?=1", "query"),
    ] {
        let problem = port.get(&format!("/v1/audit{query}")).await.problem(400);
        assert_eq!(problem["field"], field);
    }
}

#[tokio::test]
async fn what_is_forgotten_is_counted() {
    let port = Port::new();
    for _ in 0..Audit::MOST + 3 {
        port.injector.as_actor(Actor::new("alice")).refuse("x");
    }
    assert_eq!(audit(&port, "").await["missed"], 3);
    assert_eq!(audit(&port, "?after=2").await["missed"], 1);
    let latest = audit(&port, "?limit=1").await;
    assert_eq!(ids(&latest), [Audit::MOST as u64 + 3]);

    // What is refused makes nobody forget what was done.
    port.injector.halt("enough");
    for _ in 0..Audit::MOST {
        port.injector.as_actor(Actor::new("alice")).refuse("x");
    }
    let all = audit(&port, "").await;
    assert_eq!(ids(&all).len(), Audit::MOST + 1);
    assert_eq!(all["entries"][0]["action"], "halt");
}
