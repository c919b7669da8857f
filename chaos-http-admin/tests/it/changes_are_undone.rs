//! `POST /v1/undo` takes back what an entry of the audit has changed, or says what is in the way.

use axum::http::header;
use chaos_core::audit::Audit;
use serde_json::{Value, json};

use crate::support::{
    document::Document,
    port::{Answer, Port, failing, json_request},
};

async fn with_rules(ids: &[&str]) -> Port {
    let port = Port::new();
    for id in ids {
        let path = format!("/v1/rules/{id}");
        port.write("PUT", &path, failing("db.read"))
            .await
            .expect(201);
    }
    port
}

async fn undo(port: &Port, entry: u64) -> Answer {
    let answer = port.write("POST", "/v1/undo", json!({ "entry": entry }));
    let answer = answer.await;
    let document = Document::new();
    document.assert_said(&document.0["paths"]["/v1/undo"]["post"], &answer);
    answer
}

async fn ids(port: &Port) -> Vec<String> {
    let rules = port.rules().await;
    let rules = rules["rules"].as_array().unwrap().iter();
    rules
        .map(|rule| rule["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_delete_is_undone_and_the_rule_is_back_in_its_place() {
    let port = with_rules(&["a", "b", "c"]).await;
    port.write("DELETE", "/v1/rules/b", Value::Null)
        .await
        .expect(204);
    let undone = undo(&port, 4).await.expect(200);
    let entry = undone.json();
    assert_eq!(entry["action"], "undo");
    assert_eq!(entry["what"], "entry 4: remove by anyone");
    assert_eq!(entry["changes"][0]["before"], Value::Null);
    assert_eq!(entry["changes"][0]["after"]["id"], "b");
    assert_eq!(undone.header("etag"), Some("\"5\""));
    assert_eq!(ids(&port).await, ["a", "b", "c"]);
    let audit = port.get("/v1/audit").await.json();
    assert_eq!(audit["entries"].as_array().unwrap().last(), Some(&entry));

    undo(&port, 5).await.expect(200);
    assert_eq!(ids(&port).await, ["a", "c"]);
}

#[tokio::test]
async fn after_the_edit_of_somebody_else_it_says_what_changed() {
    let port = with_rules(&["a"]).await;
    let path = "/v1/rules/a?reason=slower";
    let patch = json!({ "rate": 0.5, "reason": "less" });
    port.write("PATCH", path, patch).await.expect(200);
    let problem = undo(&port, 1).await.problem(409);
    let detail = "the rule `a` has changed since, by entry 2: edit by anyone; \
                  what differs: rate, reason";
    let detail = detail.split("; what differs: ").collect::<Vec<_>>();
    let said = problem["detail"].as_str().unwrap();
    assert!(said.starts_with(detail[0]), "{said}");
    assert!(said.contains("rate") && said.contains("reason"), "{said}");
    assert_eq!(
        (&problem["field"], &problem["rule"]),
        (&json!("entry"), &json!("a"))
    );

    port.write("DELETE", "/v1/rules/a", Value::Null)
        .await
        .expect(204);
    let problem = undo(&port, 2).await.problem(409);
    let said = problem["detail"].as_str().unwrap();
    assert!(said.ends_with("remove by anyone; it is gone"), "{said}");
    assert_eq!(ids(&port).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_cannot_be_undone_is_refused_by_status() {
    let port = with_rules(&["a"]).await;
    let reason = json!({ "reason": "enough seen" });
    port.write("POST", "/v1/halt", reason).await.expect(200);
    let problem = undo(&port, 2).await.problem(409);
    let detail = "an entry of the action `halt` cannot be undone";
    assert_eq!(problem["detail"], detail);
    for entry in [0, 1000] {
        let problem = undo(&port, entry).await.problem(404);
        assert_eq!(problem["field"], "entry", "{problem}");
    }
    for _ in 0..Audit::MOST {
        port.injector.halt("again");
    }
    let problem = undo(&port, 1).await.problem(410);
    assert_eq!(problem["detail"], "the entry is no longer kept");
    assert_eq!(ids(&port).await, ["a"]);
}

#[tokio::test]
async fn a_bad_body_is_refused_by_field() {
    let port = with_rules(&["a"]).await;
    for (body, field) in [
        (json!({}), "entry"),
        (json!({ "entry": "1" }), "entry"),
        (json!({ "entry": -1 }), "entry"),
        (json!({ "entry": 1, "all": true }), "all"),
        (json!([1]), "body"),
    ] {
        let problem = port.write("POST", "/v1/undo", body).await.problem(400);
        assert_eq!(problem["field"], field, "{problem}");
    }
    assert_eq!(ids(&port).await, ["a"]);
}

#[tokio::test]
async fn it_keeps_to_if_match_and_has_a_reason() {
    let port = with_rules(&["a", "b"]).await;
    let ask = async |tag: &str| {
        let path = "/v1/undo?reason=a%20slip";
        let request = json_request("POST", path).header(header::IF_MATCH, tag);
        port.send(request, r#"{"entry":1}"#).await
    };
    ask("\"1\"").await.problem(412);
    let entry = ask("\"2\"").await.expect(200).json();
    assert_eq!(entry["reason"], "a slip");
    assert_eq!(ids(&port).await, ["b"]);
}

/// What has come back is under the policy of now.
#[tokio::test]
async fn what_the_policy_forbids_by_now_does_not_come_back() {
    let port = with_rules(&["a"]).await;
    port.write("DELETE", "/v1/rules/a", Value::Null)
        .await
        .expect(204);
    let policy = chaos_core::Policy::new().shadow_only(true);
    port.injector.set_policy(policy);
    let problem = undo(&port, 2).await.problem(409);
    let named = (&problem["rule"], &problem["field"]);
    assert_eq!(named, (&json!("a"), &json!("mode")));
    assert!(problem["allowed"].is_string(), "{problem}");
}
