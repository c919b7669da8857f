//! A signed token carries its rules with one request, from service to service, and hits no other.
#![expect(
    clippy::disallowed_methods,
    reason = "tokens are signed for the time of day"
)]

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, Request, Response, StatusCode},
    routing::get,
};
use chaos_core::{Injector, Policy, Rule, token::TokenKey, wire};
use chaos_tower::{InjectLayer, PassToken, PassTokenLayer, TOKEN_HEADER, TokenLayer};
use hmac::{Hmac, Mac};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use jwt::SignWithKey;
use serde_json::{Value, json};
use sha2::Sha256;
use tower::{Layer, ServiceExt};

const SECRET: &[u8] = b"this secret is of 32 bytes, fine";
const MINUTE: Duration = Duration::from_secs(60);

fn key() -> TokenKey {
    TokenKey::new(SECRET).unwrap()
}

fn token(subject: &str, rules: &[Value]) -> String {
    let rule = |rule: &Value| wire::rule_from_value(rule.clone(), None).unwrap();
    let rules: Vec<Rule> = rules.iter().map(rule).collect();
    key()
        .sign(subject, MINUTE, &rules, SystemTime::now())
        .unwrap()
}

fn down_at(site: &str) -> Value {
    json!({ "id": "down", "site": site, "faults": [{ "status": 503 }] })
}

type Outgoing = PassToken<Client<HttpConnector, Body>>;

/// Calls the next service, and says what it said.
#[derive(Clone)]
struct Next {
    client: Outgoing,
    address: Option<String>,
}

async fn call_next(State(next): State<Next>) -> Response<Body> {
    let Some(address) = next.address else {
        return Response::new(Body::from("the end".repeat(60)));
    };
    let request = Request::get(address).body(Body::empty()).unwrap();
    let answer = next.client.oneshot(request).await.unwrap();
    answer.map(Body::new)
}

struct Service {
    injector: Injector,
    layer: TokenLayer,
    address: String,
}

impl Service {
    /// A service with an injector of its own, as a process would have.
    async fn start(name: &str, next: Option<&Self>) -> Self {
        let injector = Injector::new();
        let layer = TokenLayer::with_injector(key(), &injector);
        let layer = layer.envoy_headers(name.parse().unwrap());
        let client = Client::builder(TokioExecutor::new()).build_http();
        let next = Next {
            client: PassTokenLayer::new().layer(client),
            address: next.map(|next| next.address.clone()),
        };
        let app = Router::new()
            .route("/", get(call_next))
            .layer(InjectLayer::with_injector(name, &injector))
            .layer(layer.clone())
            .with_state(next);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, app).into_future());
        Self {
            injector,
            layer,
            address,
        }
    }

    async fn get(&self, headers: HeaderMap) -> (StatusCode, Option<String>) {
        let client = reqwest::Client::new().get(&self.address).headers(headers);
        let answer = client.send().await.unwrap();
        let fault = answer.headers().get("x-chaos-fault");
        let fault = fault.map(|fault| fault.to_str().unwrap().to_owned());
        (answer.status(), fault)
    }
}

async fn chain() -> [Service; 3] {
    let c = Service::start("c.http", None).await;
    let b = Service::start("b.http", Some(&c)).await;
    let a = Service::start("a.http", Some(&b)).await;
    [a, b, c]
}

fn with(name: &'static str, value: &str) -> HeaderMap {
    HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())])
}

fn bearing(token: &str) -> HeaderMap {
    with("x-chaos-token", token)
}

fn hit(answer: &(StatusCode, Option<String>)) -> bool {
    match answer {
        (StatusCode::SERVICE_UNAVAILABLE, Some(fault)) => fault == "down",
        (StatusCode::OK, None) => false,
        answer => panic!("{answer:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_of_three_is_hit_for_one_request_and_for_no_other() {
    let [a, b, c] = &*Box::leak(Box::new(chain().await));
    let aimed = token("ann", &[down_at("c.http")]);
    let elsewhere = token("bob", &[down_at("d.http")]);
    let mut all = tokio::task::JoinSet::new();
    for n in 0..60 {
        let headers = match n % 6 {
            0 => bearing(&aimed),
            1 => bearing(&elsewhere),
            _ => HeaderMap::new(),
        };
        all.spawn(async move { (n, hit(&a.get(headers).await)) });
    }
    for (n, is_hit) in all.join_all().await {
        assert_eq!(is_hit, n % 6 == 0, "{n}");
    }
    for service in [a, b, c] {
        assert_eq!(service.layer.counts().accepted, 20);
        assert_eq!(service.layer.counts().ignored, BTreeMap::new());
    }
    // Only the last one did anything, and to no more than ten.
    let injected = [a, b, c].map(|service| service.injector.status().injected);
    assert_eq!(injected, [0, 0, 10]);
}

#[tokio::test]
async fn any_library_makes_such_a_token() {
    let [a, _b, c] = chain().await;
    let exp = SystemTime::now() + MINUTE;
    let exp = exp
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let claims = json!({ "exp": exp, "sub": "ann", "rules": [down_at("c.http")] });
    let hash: Hmac<Sha256> = Hmac::new_from_slice(SECRET).unwrap();
    let signed = claims.sign_with_key(&hash).unwrap();
    assert!(hit(&a.get(bearing(&signed)).await));
    assert!(!hit(&a.get(HeaderMap::new()).await));
    assert_eq!(c.injector.status().injected, 1);
}

#[tokio::test]
async fn what_is_no_good_is_ignored_and_counted() {
    let [a, b, _c] = chain().await;
    let good = token("ann", &[down_at("*.http")]);
    let forged = TokenKey::new(b"another secret, which is as long").unwrap();
    let rule = wire::rule_from_value(down_at("*.http"), None).unwrap();
    let forged = forged.sign(
        "ann",
        MINUTE,
        std::slice::from_ref(&rule),
        SystemTime::now(),
    );
    let past = SystemTime::now() - Duration::from_secs(100);
    let expired = key().sign("ann", MINUTE, &[rule], past).unwrap();
    let oversized = "a".repeat(9000);
    for (token, reason) in [
        (forged.unwrap(), "forged"),
        (expired, "expired"),
        (oversized, "oversized"),
        ("none".to_owned(), "malformed"),
    ] {
        assert!(!hit(&a.get(bearing(&token)).await));
        assert_eq!(a.layer.counts().ignored.get(reason), Some(&1), "{reason}");
    }
    let mut twice = bearing(&good);
    twice.append(TOKEN_HEADER, good.parse().unwrap());
    assert!(!hit(&a.get(twice).await));
    assert_eq!(a.layer.counts().ignored["malformed"], 2);
    assert_eq!(a.layer.counts().accepted, 0);
    // What is ignored is not passed on.
    assert_eq!(
        (b.layer.counts().accepted, b.layer.counts().ignored.len()),
        (0, 0)
    );
    assert!(hit(&a.get(bearing(&good)).await));
}

#[tokio::test]
async fn the_policy_bounds_tokens_too() {
    let service = Service::start("a.http", None).await;
    let exit = json!({ "id": "down", "site": "a.http", "faults": [{ "abort": "exit" }] });
    let token = token("ann", &[exit]);
    service.injector.set_policy(Policy::new());
    assert!(!hit(&service.get(bearing(&token)).await));
    assert_eq!(service.layer.counts().ignored["refused"], 1);
}

/// A limit is that of the token, not of each request that brings it; halt stops it, as all else.
#[tokio::test]
async fn a_token_keeps_its_counts_and_obeys_halt() {
    let service = Service::start("a.http", None).await;
    let mut twice = down_at("a.http");
    twice["limit"] = json!(2);
    let limited = token("ann", &[twice]);
    let mut hits = Vec::new();
    for _ in 0..4 {
        hits.push(hit(&service.get(bearing(&limited)).await));
    }
    assert_eq!(hits, [true, true, false, false]);
    let aimed = token("bob", &[down_at("a.http")]);
    assert!(hit(&service.get(bearing(&aimed)).await));
    service.injector.halt("enough");
    assert!(!hit(&service.get(bearing(&aimed)).await));
    service.injector.resume();
    assert!(hit(&service.get(bearing(&aimed)).await));
}

#[tokio::test]
async fn envoys_headers_are_for_those_with_a_token() {
    let service = Service::start("a.http", None).await;
    let mut shadow = down_at("a.http");
    shadow["mode"] = json!("shadow");
    let token = token("ann", &[shadow]);
    let ask = async |pairs: &[(&'static str, &str)], token: Option<&str>| {
        let mut headers = token.map(bearing).unwrap_or_default();
        for (name, value) in pairs {
            headers.extend(with(name, value));
        }
        service.get(headers).await
    };
    let abort = ("x-envoy-fault-abort-request", "418");
    assert_eq!(ask(&[abort], None).await, (StatusCode::OK, None));
    let (status, fault) = ask(&[abort], Some(&token)).await;
    assert_eq!(
        (status.as_u16(), fault.as_deref()),
        (418, Some("envoy-abort"))
    );
    let never = ("x-envoy-fault-abort-request-percentage", "0");
    assert_eq!(ask(&[abort, never], Some(&token)).await.0, StatusCode::OK);
    for wrong in ["99", "600", "-1", "many"] {
        let wrong = ("x-envoy-fault-abort-request", wrong);
        assert_eq!(ask(&[wrong], Some(&token)).await.0, StatusCode::OK);
    }
    let clock = chaos_core::Clock::monotonic();
    let slow = ("x-envoy-fault-delay-request", "150");
    let (status, _) = ask(&[slow, abort], Some(&token)).await;
    assert!(status.as_u16() == 418 && clock.now() >= Duration::from_millis(150));
    // The body is slow when the call is over, and the overlay of its headers lives on.
    let throttled = HeaderMap::from_iter([
        (TOKEN_HEADER, token.parse().unwrap()),
        (
            "x-envoy-fault-throughput-response".parse().unwrap(),
            "1".parse().unwrap(),
        ),
    ]);
    let start = clock.now();
    let slow = reqwest::Client::new()
        .get(&service.address)
        .headers(throttled);
    let body = slow.send().await.unwrap().bytes().await.unwrap();
    assert_eq!(body.len(), 420);
    assert!(clock.now() - start > Duration::from_millis(300));
    // 14 is UNAVAILABLE, which a caller without gRPC sees as 503.
    let grpc = ("x-envoy-fault-abort-grpc-request", "14");
    assert_eq!(ask(&[grpc], Some(&token)).await.0.as_u16(), 503);
}
