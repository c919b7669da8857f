//! Faults that know of retries, against a client that retries: a real server, a real client, and each
//! logical request told from the others by its idempotency key.

use std::{
    future::{Ready, ready},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    sync::{Arc, Mutex},
};

use axum::{Router, extract::Request as AxumRequest, routing::post};
use chaos_core::{Injector, wire};
use chaos_tower::InjectLayer;
use reqwest::{Client, Method, Request, Response};
use tower::{ServiceBuilder, ServiceExt, retry::Policy, service_fn};

/// Three retries, and how many tries it took.
#[derive(Clone)]
struct Retries {
    left: u32,
    tries: Arc<AtomicU32>,
}

impl Policy<Request, Response, reqwest::Error> for Retries {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request,
        result: &mut Result<Response, reqwest::Error>,
    ) -> Option<Ready<()>> {
        self.tries.fetch_add(1, Relaxed);
        let failed = !matches!(result, Ok(answer) if answer.status().is_success());
        let again = failed && self.left > 0;
        self.left = self.left.saturating_sub(1);
        again.then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request) -> Option<Request> {
        request.try_clone()
    }
}

/// A shop whose till remembers the orders it was given.
async fn shop(rule: &str) -> (Injector, String, Arc<Mutex<Vec<String>>>) {
    let injector = Injector::new();
    injector.put(wire::rule_from_json(rule.as_bytes(), Some("r")).unwrap());
    let orders = Arc::<Mutex<Vec<String>>>::default();
    let till = Arc::clone(&orders);
    let order = async move |request: AxumRequest| {
        let key = request.headers()["idempotency-key"].to_str().unwrap();
        till.lock().unwrap().push(key.to_owned());
    };
    let app = Router::new()
        .route("/order", post(order))
        .layer(InjectLayer::with_injector("http.server", &injector));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/order", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, app).into_future());
    (injector, address, orders)
}

/// Places an order, and says how it ended, and how many tries it took.
async fn place(client: Client, address: &str, key: String) -> (u16, u32) {
    let tries = Arc::<AtomicU32>::default();
    let retries = Retries {
        left: 3,
        tries: Arc::clone(&tries),
    };
    let send = service_fn(move |request| client.execute(request));
    let service = ServiceBuilder::new().retry(retries).service(send);
    let mut request = Request::new(Method::POST, address.parse().unwrap());
    let key = key.parse().unwrap();
    request.headers_mut().insert("idempotency-key", key);
    let answer = service.oneshot(request).await.unwrap();
    (answer.status().as_u16(), tries.load(Relaxed))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_at_once_succeed_on_the_third_try() {
    let (injector, address, orders) = shop(
        r#"{ "site": "http.server", "faults": [{ "status": 503 }],
            "first_attempts": { "n": 2, "key": "header:idempotency-key" } }"#,
    )
    .await;
    let client = Client::new();
    let mut placed = tokio::task::JoinSet::new();
    for n in 0..200 {
        let (client, address) = (client.clone(), address.clone());
        placed.spawn(async move { place(client, &address, format!("order-{n}")).await });
    }
    let placed = placed.join_all().await;
    assert_eq!(placed, vec![(200, 3); 200]);
    let counts = injector.counts("r").unwrap();
    assert_eq!(
        (counts.matched, counts.injected, counts.evicted),
        (600, 400, 0)
    );
    let mut orders = orders.lock().unwrap().clone();
    orders.sort();
    orders.dedup();
    assert_eq!(orders.len(), 200);
}

/// A share of the logical requests, and not of the tries: whoever is hit is hit twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_of_requests_needs_three_tries_and_the_others_one() {
    let (_injector, address, _) = shop(
        r#"{ "site": "http.server", "faults": [{ "status": 503 }], "rate": 0.5,
            "first_attempts": { "n": 2, "key": "header:idempotency-key" } }"#,
    )
    .await;
    let client = Client::new();
    let mut tries = Vec::new();
    for n in 0..60 {
        tries.push(place(client.clone(), &address, format!("order-{n}")).await);
    }
    assert!(tries.contains(&(200, 1)) && tries.contains(&(200, 3)));
    assert!(
        tries
            .iter()
            .all(|(status, tries)| *status == 200 && [1, 3].contains(tries))
    );
}
