//! Which calls were hit, which would be, and when there are enough of them: all of it over the port.

use std::time::Duration;

use chaos_core::{Call, Injector, inject};
use serde_json::{Value, json};

use crate::support::port::Port;

fn half(key: &str) -> Value {
    let mut rule =
        json!({ "site": "foresight.read", "rate": 0.5, "faults": [{ "error": "lost" }] });
    match key {
        "" => rule["seed"] = json!(7),
        key => rule["key"] = json!(key),
    }
    rule
}

#[tokio::test]
async fn the_log_says_what_the_preview_said_and_can_be_replayed() {
    let port = Port::new();
    let site = port.injector.site("foresight.read");
    port.write("PUT", "/v1/rules/half", half(""))
        .await
        .expect(201);
    let ask = json!({ "rule": "half", "ordinals": [0, 40] });
    let would = port.write("POST", "/v1/preview", ask).await;
    let mut hit = Vec::new();
    for ordinal in 0..40 {
        if let Some(mut decision) = site.decide(&Call::new()) {
            while decision.next_plan().is_some() {}
            hit.push(ordinal);
        }
    }
    assert_eq!(would.json()["hits"], json!({ "ordinals": hit }));
    assert!(hit.len() > 5 && hit.len() < 35, "{hit:?}");
    let log = port.get("/v1/rules/half/decisions").await.json();
    assert_eq!(log, json!({ "ordinals": hit, "dropped": 0 }));

    // Another rule, without the seed, that hits the same calls.
    let mut again = half("");
    again["seed"] = Value::Null;
    again["replay"] = log;
    let ask = json!({ "rule": { "id": "again", "site": "s", "faults": [{ "status": 503 }],
        "replay": again["replay"] }, "ordinals": [0, 40] });
    let would = port.write("POST", "/v1/preview", ask).await;
    assert_eq!(would.json()["hits"], json!({ "ordinals": hit }));
}

#[tokio::test]
async fn keys_are_previewed_without_a_rule_in_force() {
    let port = Port::new();
    let mut rule = half("label:user");
    rule["id"] = json!("half");
    let keys: Vec<_> = (0..50).map(|n| format!("user-{n}")).collect();
    let ask = json!({ "rule": rule, "keys": keys });
    let would = port.write("POST", "/v1/preview", ask).await.json();
    let would = would["hits"]["keys"].as_array().unwrap().clone();
    port.write("PUT", "/v1/rules/half", half("label:user"))
        .await
        .expect(201);
    let injector: &Injector = &port.injector;
    let hit = |user: &str| inject!(injector: injector, "foresight.read", user = user).is_err();
    let hit: Vec<_> = keys
        .iter()
        .filter(|user| hit(user))
        .map(|user| json!(user))
        .collect();
    assert_eq!(would, hit);
}

#[tokio::test]
async fn what_hits_every_call_needs_no_seed() {
    let port = Port::new();
    let all = json!({ "site": "foresight.all", "faults": [{ "error": "lost" }] });
    port.write("PUT", "/v1/rules/all", all).await.expect(201);
    let injector: &Injector = &port.injector;
    for _ in 0..3 {
        assert!(inject!(injector: injector, "foresight.all").is_err());
    }
    let hit = port.get("/v1/rules/all/decisions").await.json();
    assert_eq!(hit["ordinals"], json!([0, 1, 2]));
}

#[tokio::test]
async fn what_cannot_be_foreseen_is_refused() {
    let port = Port::new();
    let chance =
        json!({ "site": "foresight.chance", "rate": 0.5, "faults": [{ "error": "lost" }] });
    port.write("PUT", "/v1/rules/chance", chance.clone())
        .await
        .expect(201);
    let injector: &Injector = &port.injector;
    for _ in 0..100 {
        let _ = inject!(injector: injector, "foresight.chance");
    }
    port.get("/v1/rules/chance/decisions").await.expect(409);
    port.get("/v1/rules/none/decisions").await.expect(404);
    let keyed = {
        let mut rule = half("label:user");
        rule["id"] = json!("k");
        rule
    };
    for (field, ask) in [
        ("seed", json!({ "rule": "chance", "ordinals": [0, 1] })),
        ("rule", json!({ "ordinals": [0, 1] })),
        ("site", json!({ "rule": { "id": "a" }, "ordinals": [0, 1] })),
        ("body", json!({ "rule": keyed })),
        ("body", json!([])),
        ("ordinals", json!({ "rule": keyed, "ordinals": [0, 1] })),
        ("keys", json!({ "rule": keyed, "keys": "alice" })),
        ("keys", json!({ "rule": keyed, "keys": vec!["a"; 10_001] })),
        ("after", json!({ "rule": keyed, "keys": [], "after": -1 })),
        ("when", json!({ "rule": keyed, "keys": [], "when": 1 })),
    ] {
        let refused = port
            .write("POST", "/v1/preview", ask)
            .await
            .expect(400)
            .json();
        assert_eq!(refused["field"], field, "{refused}");
        assert!(refused["allowed"].is_string(), "{refused}");
    }
    let seeded = {
        let mut rule = half("");
        rule["id"] = json!("k");
        rule
    };
    for range in [
        json!([0, 10_001]),
        json!([2, 1]),
        json!([0]),
        json!([-1, 1]),
        json!(3),
    ] {
        let ask = json!({ "rule": seeded, "ordinals": range });
        let refused = port
            .write("POST", "/v1/preview", ask)
            .await
            .expect(400)
            .json();
        assert_eq!(refused["field"], "ordinals");
    }
}

#[tokio::test(start_paused = true)]
async fn injections_can_be_waited_for() {
    let port = Port::new();
    let rule = json!({ "site": "foresight.waited", "faults": [{ "error": "lost" }] });
    port.write("PUT", "/v1/rules/r", rule).await.expect(201);
    let asked = {
        let port = port.clone();
        tokio::spawn(async move { port.get("/v1/rules/r/injections?at_least=2&within=8").await })
    };
    tokio::time::sleep(Duration::from_secs(1)).await;
    for _ in 0..2 {
        assert!(!asked.is_finished());
        let injector = &port.injector;
        assert!(inject!(injector: injector, "foresight.waited").is_err());
    }
    assert_eq!(asked.await.unwrap().json(), json!(2));
    // There are not so many: it says how many there are, in time.
    let few = port
        .get("/v1/rules/r/injections?at_least=3&within=0.5")
        .await;
    assert_eq!(few.json(), json!(2));
    port.get("/v1/rules/none/injections?at_least=1&within=1")
        .await
        .expect(404);
    for query in ["at_least=-1", "within=9", "within=a", "least=1"] {
        port.get(&format!("/v1/rules/r/injections?{query}"))
            .await
            .expect(400);
    }
}
