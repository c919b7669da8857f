//! What rides on a token touches the request that bears it, and costs the others a bounded part.
#![expect(
    clippy::disallowed_methods,
    reason = "tokens are signed for the time of day"
)]

use std::time::{Duration, SystemTime};

use axum::{Router, body::Body, http::Request, routing::get};
use chaos_core::{Injector, Policy, Rule, token::TokenKey, wire};
use chaos_tower::{InjectLayer, TokenLayer};
use serde_json::{Value, json};
use tower::ServiceExt;

const SECRET: &[u8] = b"this secret is of 32 bytes, fine";

fn token(subject: &str, faults: &Value, limit: Option<u64>) -> String {
    let mut rule = json!({ "id": "down", "site": "http.server", "faults": faults });
    if let Some(limit) = limit {
        rule["limit"] = limit.into();
    }
    let rule: Rule = wire::rule_from_value(rule, None).unwrap();
    let key = TokenKey::new(SECRET).unwrap();
    key.sign(subject, Duration::from_secs(60), &[rule], SystemTime::now())
        .unwrap()
}

struct Service {
    injector: Injector,
    layer: TokenLayer,
    app: Router,
}

fn service() -> Service {
    let injector = Injector::new();
    let layer = TokenLayer::with_injector(TokenKey::new(SECRET).unwrap(), &injector)
        .envoy_headers("http.server".parse().unwrap());
    let app = Router::new()
        .route("/", get(async || "hello"))
        .layer(InjectLayer::with_injector("http.server", &injector))
        .layer(layer.clone());
    Service {
        injector,
        layer,
        app,
    }
}

impl Service {
    async fn get(&self, token: &str, header: Option<(&str, &str)>) -> u16 {
        let mut request = Request::get("/").header("x-chaos-token", token);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let request = request.body(Body::empty()).unwrap();
        self.app
            .clone()
            .oneshot(request)
            .await
            .unwrap()
            .status()
            .into()
    }

    fn ignored(&self, reason: &str) -> u64 {
        self.layer
            .counts()
            .ignored
            .get(reason)
            .copied()
            .unwrap_or(0)
    }
}

#[tokio::test]
async fn a_token_does_not_hold_a_thread_nor_burn_unless_the_policy_names_it() {
    let service = service();
    let block = json!([{ "block": "1ms" }, { "status": 503 }]);
    let burn = json!([{ "burn": { "memory": 1024, "for": "1ms" } }, { "status": 503 }]);
    let choice =
        json!([{ "one_of": [{ "fault": { "block": "1ms" } }, { "fault": { "latency": "1ms" } }] }]);
    for (at, faults) in [&block, &burn, &choice].into_iter().enumerate() {
        let token = token("ann", faults, None);
        assert_eq!(service.get(&token, None).await, 200, "{faults}");
        assert_eq!(service.ignored("refused"), at as u64 + 1);
    }
    let policy = Policy::new()
        .faults(["block", "status"])
        .allow_process_faults_of_tokens(true);
    service.injector.set_policy(policy);
    assert_eq!(service.get(&token("ann", &block, None), None).await, 503);
    assert_eq!(service.get(&token("ann", &burn, None), None).await, 200);
}

/// A limit of one is used up for as long as the token lives, whatever other tokens come.
#[tokio::test]
async fn other_tokens_do_not_give_a_used_up_limit_back() {
    let service = service();
    let down = json!([{ "status": 503 }]);
    let first = token("first", &down, Some(1));
    assert_eq!(service.get(&first, None).await, 503);
    for n in 0..1100 {
        service.get(&token(&n.to_string(), &down, None), None).await;
    }
    assert_eq!(service.get(&first, None).await, 200);
    assert_eq!(service.ignored("crowded"), 1100 - 1023);
}

/// What Envoy's headers ask for is remembered apart from tokens, a bounded number of times for each.
#[tokio::test]
async fn new_header_values_each_time_cost_a_bounded_number_of_edits() {
    let service = service();
    let slow = json!([{ "latency": "1ms" }]);
    let [ann, bob] = ["ann", "bob"].map(|name| token(name, &slow, Some(1)));
    let header = "x-envoy-fault-abort-request";
    let mut hit = 0;
    for status in 400..440 {
        let answer = service.get(&ann, Some((header, &status.to_string()))).await;
        hit += usize::from(answer == status);
    }
    assert_eq!((hit, service.ignored("headers_crowded")), (32, 8));
    assert_eq!(service.get(&ann, Some((header, "400"))).await, 400);
    assert_eq!(service.get(&bob, Some((header, "439"))).await, 439);
}

/// A value that no number has is ignored, however long it is, and is not remembered.
#[tokio::test]
async fn long_words_in_headers_are_not_kept() {
    let service = service();
    let ann = token("ann", &json!([{ "latency": "1ms" }]), Some(1));
    let header = "x-envoy-fault-abort-request";
    for n in 0..40 {
        let word = format!("{}{n}", "x".repeat(350_000));
        let request = Request::get("/")
            .header("x-chaos-token", &ann)
            .header(header, word)
            .header("x-envoy-fault-delay-request", "1");
        let request = request.body(Body::empty()).unwrap();
        let answer = service.app.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(service.ignored("headers_crowded"), 0);
    assert_eq!(service.get(&ann, Some((header, "503"))).await, 503);
}

/// A refusal is remembered until the policy changes, and the token is then read again.
#[tokio::test]
async fn a_refused_token_is_read_again_once_the_policy_allows_it() {
    let service = service();
    let allowed = Policy::new().faults(["latency"]);
    service.injector.set_policy(allowed);
    let ann = token("ann", &json!([{ "status": 503 }]), None);
    for _ in 0..3 {
        assert_eq!(service.get(&ann, None).await, 200);
    }
    assert_eq!(service.ignored("refused"), 3);
    service.injector.set_policy(Policy::new());
    assert_eq!(service.get(&ann, None).await, 503);
}
