//! What rides on a token touches the request that bears it, and costs the others a bounded part.
#![expect(
    clippy::disallowed_methods,
    reason = "tokens are signed for the time of day"
)]

use std::{
    num::{NonZeroU32, NonZeroU64},
    time::{Duration, SystemTime},
};

use axum::{Router, body::Body, http::Request, routing::get};
use chaos_core::{Injector, Policy, Rate, Rule, token::TokenKey, trigger::Budget, wire};
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

/// Arms a rule as operators do, which hits the requests that bear no token.
fn arm(service: &Service) {
    let rule = json!({ "id": "ours", "site": "http.server", "faults": [{ "status": 500 }] });
    service
        .injector
        .put(wire::rule_from_value(rule, None).unwrap());
}

async fn get_plainly(service: &Service) -> u16 {
    let request = Request::get("/").body(Body::empty()).unwrap();
    let answer = service.app.clone().oneshot(request).await.unwrap();
    answer.status().into()
}

/// The requests of one token took all injections that the policy allows at a time, so that nobody else's rule fired.
#[tokio::test]
async fn tokens_leave_half_of_the_active_injections_to_others() {
    let service = service();
    service
        .injector
        .set_policy(Policy::new().active(NonZeroU32::new(4).unwrap()));
    arm(&service);
    let hang = json!([{ "hang": "1h" }]);
    let [ann, bob] = ["ann", "bob"].map(|name| token(name, &hang, None));
    let delay = ("x-envoy-fault-delay-request", "3600000");
    let mut held = Vec::new();
    let slow = token("cat", &json!([{ "latency": "1ms" }]), Some(1));
    for (token, header) in [
        (&ann, None),
        (&bob, None),
        (&ann, None),
        (&slow, Some(delay)),
    ] {
        let (app, token) = (service.app.clone(), token.clone());
        held.push(tokio::spawn(async move {
            let mut request = Request::get("/").header("x-chaos-token", token);
            if let Some((name, value)) = header {
                request = request.header(name, value);
            }
            let request = request.body(Body::empty()).unwrap();
            app.oneshot(request).await.unwrap().status().as_u16()
        }));
        while service.injector.status().active < held.len().min(2) as u64 {
            tokio::task::yield_now().await;
        }
    }
    // The token's rules spare these requests, and ours hits them: what it has on the first is the token's.
    for spared in held.drain(1..) {
        assert_eq!(spared.await.unwrap(), 500);
    }
    assert_eq!(service.injector.status().active, 2);
    for _ in 0..10 {
        assert_eq!(get_plainly(&service).await, 500);
    }
    // What ends is given back.
    service.injector.halt("enough");
    while service.injector.status().active > 0 {
        tokio::task::yield_now().await;
    }
    service.injector.resume();
    let down = token("dan", &json!([{ "status": 503 }]), None);
    for _ in 0..10 {
        assert_eq!(service.get(&down, None).await, 503);
    }
}

/// Nor do they take all of the policy's other bounds, and others may have what tokens leave.
#[tokio::test]
async fn tokens_leave_half_of_the_total_and_of_the_budget_to_others() {
    let delay = Budget::new().delay(Duration::from_secs(60)).unwrap();
    let share = Budget::new().share(Rate::new(0.5).unwrap());
    let total = |most| Policy::new().total(NonZeroU64::new(most).unwrap());
    let down = json!([{ "status": 503 }]);
    let slow = json!([{ "latency": "10s" }, { "status": 503 }]);
    for (policy, faults, most) in [
        (total(10), &down, 5),
        (total(1), &down, 1),
        (Policy::new().budget(delay), &slow, 3),
        (Policy::new().budget(share), &down, 10),
    ] {
        tokio::time::pause();
        let service = service();
        service.injector.set_policy(policy);
        let token = token("ann", faults, None);
        let mut hit = 0;
        for _ in 0..40 {
            hit += u64::from(service.get(&token, None).await == 503);
        }
        assert_eq!(hit, most, "{:?}", service.injector.policy());
        arm(&service);
        let mut ours = 0;
        for _ in 0..40 {
            ours += u64::from(get_plainly(&service).await == 500);
        }
        // All of the total of one is the half that tokens may have.
        assert_eq!(ours > 0, most > 1, "{:?}", service.injector.policy());
        tokio::time::resume();
    }
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
