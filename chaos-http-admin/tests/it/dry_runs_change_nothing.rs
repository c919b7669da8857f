//! A dry run of a write is refused where the write would be, and changes nothing otherwise.

use axum::http::header;
use chaos_core::{Call, Fault, GuardRail, Policy, Rate, Rule, guard_rail::Then};
use serde_json::{Value, json};

use crate::support::{
    document::Document,
    port::{Answer, Port, failing, json_request},
};

async fn port() -> Port {
    let port = Port::new();
    let _ = port.injector.site("db.read");
    port.write("PUT", "/v1/rules/a", failing("db.read"))
        .await
        .expect(201);
    port
}

async fn dry(port: &Port, method: &str, id: &str, body: Value) -> Answer {
    let path = format!("/v1/rules/{id}?dry_run=true&reason=x");
    let before = (port.rules().await, port.injector.audit().last());
    let answer = port.write(method, &path, body).await;
    let document = Document::new();
    let operation = &document.0["paths"]["/v1/rules/{id}"][method.to_lowercase()];
    document.assert_said(operation, &answer);
    assert_eq!(port.rules().await, before.0);
    // Not even a refusal is written down: it is the answer to a question.
    assert_eq!(port.injector.audit().last(), before.1);
    answer
}

#[tokio::test]
async fn it_shows_the_rule_as_it_would_be() {
    let port = port().await;
    let mut wrong = failing("db.raed");
    wrong["rate"] = json!(0.5);
    let new = dry(&port, "PUT", "new", wrong).await.expect(200);
    assert_eq!(new.header("etag"), Some("\"1\""));
    let new = new.json();
    assert_eq!((&new["rate"], &new["stats"]), (&json!(0.5), &Value::Null));
    assert_eq!(new["warnings"][0]["suggestion"], "db.read");

    let patch = json!({ "rate": 0.25 });
    let patched = dry(&port, "PATCH", "a", patch).await.expect(200).json();
    assert_eq!(patched["rate"], 0.25);
    assert_eq!(patched["faults"], json!([{ "error": "broken" }]));
    let off = json!({ "enabled": false });
    let off = dry(&port, "PATCH", "a", off).await.expect(200).json();
    assert_eq!(off["enabled"], false);
    let gone = dry(&port, "DELETE", "a", Value::Null).await.expect(204);
    assert_eq!(gone.header("etag"), Some("\"1\""));
}

#[tokio::test]
async fn it_is_refused_where_the_write_would_be() {
    let port = port().await;
    dry(&port, "PUT", "b", json!({})).await.problem(400);
    dry(&port, "PATCH", "none", json!({})).await.problem(404);
    dry(&port, "DELETE", "none", Value::Null).await.problem(404);
    for method in ["PUT", "PATCH", "DELETE"] {
        let path = "/v1/rules/a?dry_run=true";
        let request = json_request(method, path).header(header::IF_MATCH, "\"0\"");
        let body = failing("db.read").to_string();
        port.send(request, body).await.problem(412);
    }
    let policy = Policy::new().faults(["latency"]).max_rules(1);
    port.injector.set_policy(policy);
    let problem = dry(&port, "PUT", "a", failing("db.read")).await;
    assert_eq!(problem.problem(400)["field"], "faults[0].error");
    let slow = json!({ "site": "db.read", "faults": [{ "latency": "1s" }] });
    let problem = dry(&port, "PUT", "second", slow.clone()).await.problem(400);
    assert!(problem["detail"].is_string(), "{problem}");
    dry(&port, "PUT", "a", slow).await.expect(200);
}

/// A list as well: its dry run once took a rule that a guard rail had stopped.
#[tokio::test]
async fn it_sees_what_a_guard_rail_has_stopped() {
    let port = port().await;
    let rail = GuardRail::new().error_ratio(Rate::new(0.1).unwrap());
    let rail = rail.at_least(1).then(Then::Disarm);
    let id = || "a".parse().unwrap();
    let guarded = Rule::new(id(), "db.read".parse().unwrap(), Fault::error("x"));
    port.injector.put(guarded.guard(rail));
    let site = port.injector.site("db.read");
    site.measure(&Call::new(), None).unwrap().end(true);

    let on = json!({ "enabled": true });
    let problem = dry(&port, "PATCH", "a", on).await.problem(409);
    assert_eq!(problem["field"], "enabled");
    dry(&port, "PUT", "a", failing("db.read"))
        .await
        .problem(409);
    let mut rule = failing("db.read");
    rule["id"] = json!("a");
    let list = json!({ "rules": [rule] });
    let path = "/v1/rules?dry_run=true";
    port.write("PUT", path, list).await.problem(409);
}
