//! The timeout of one gRPC call bounds the delays that are injected into it, as it bounds a slow server.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use chaos_core::{Clock, Injector, wire};
use chaos_tower::{BoxError, InjectLayer};
use http::{Request, Response, header::CONTENT_TYPE};
use tonic::{Code, Status, body::Body};
use tower::{Layer, ServiceExt, service_fn};

/// What one call through the layer came to.
struct Called {
    result: Result<Response<Body>, Status>,
    /// How long it took.
    took: Duration,
    /// The timeout that the client below the layer has read, if it was called.
    left: Option<String>,
    injected: u64,
}

fn injector(faults: &str) -> Injector {
    let injector = Injector::new();
    let rule =
        format!(r#"{{ "id": "r", "site": "grpc.client", "ttl": "2h", "faults": {faults} }}"#);
    injector.put(wire::rule_from_json(rule.as_bytes(), None).unwrap());
    injector
}

fn request(content_type: &str, timeout: &str) -> Request<Body> {
    let request = Request::post("http://stock.example/stock.v1.Stock/Count");
    let request = request.header(CONTENT_TYPE, content_type);
    let request = request.header("grpc-timeout", timeout);
    request.body(Body::empty()).unwrap()
}

async fn call(faults: &str, request: Request<Body>) -> Called {
    let injector = injector(faults);
    let left = Arc::new(Mutex::new(None));
    let seen = left.clone();
    let client = service_fn(move |request: Request<Body>| {
        let timeout = request.headers().get("grpc-timeout").unwrap();
        *seen.lock().unwrap() = Some(timeout.to_str().unwrap().to_owned());
        async { Ok::<_, BoxError>(Response::new(Body::empty())) }
    });
    let layer = InjectLayer::with_injector("grpc.client", &injector).boxed_errors();
    let start = Clock::monotonic();
    let result = layer.layer(client).oneshot(request).await;
    let left = left.lock().unwrap().take();
    Called {
        result: result.map_err(Status::from_error),
        took: start.now(),
        left,
        injected: injector.counts("r").unwrap().injected,
    }
}

const GRPC: &str = "application/grpc";

#[tokio::test(start_paused = true)]
async fn a_hang_ends_at_the_timeout() {
    for fault in [
        r#"[{ "hang": "1h" }]"#,
        r#"[{ "latency": "1h" }]"#,
        r#"[{ "pause": { "max": "1h" } }]"#,
        r#"[{ "latency": "1h", "when": "after" }]"#,
        r#"[{ "latency": { "at_least": "1h" } }]"#,
        r#"[{ "latency": "600ms" }, { "latency": "600ms" }]"#,
        r#"[{ "latency": "600ms" }, { "latency": "1h", "when": "after" }]"#,
    ] {
        let called = call(fault, request(GRPC, "1S")).await;
        // The status that tonic's channel makes of its own timeout.
        let status = called.result.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::Cancelled, "Timeout expired"),
            "{fault}"
        );
        let took = called.took.as_millis();
        assert!((1000..1010).contains(&took), "{fault}: {took} ms");
        assert_eq!(called.injected, 1, "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_client_gets_what_is_left() {
    let called = call(r#"[{ "latency": "300ms" }]"#, request(GRPC, "1S")).await;
    assert!(called.result.is_ok());
    let left = called.left.unwrap();
    let left: u64 = left.strip_suffix('u').unwrap().parse().unwrap();
    assert!((690_000..=700_000).contains(&left), "{left} us");

    // A delay of the response leaves the request as it is.
    let after = r#"[{ "latency": "300ms", "when": "after" }]"#;
    let called = call(after, request(GRPC, "1S")).await;
    assert!(called.result.is_ok());
    assert_eq!(called.left.as_deref(), Some("1S"));
    assert_eq!(called.took.as_millis() / 10, 30);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_timeout_of_grpc_bounds_nothing() {
    for (content_type, timeout) in [("application/json", "1S"), (GRPC, "soon"), (GRPC, "3H")] {
        let called = call(r#"[{ "hang": "1h" }]"#, request(content_type, timeout)).await;
        assert!(called.result.is_ok(), "{content_type}, {timeout}");
        assert_eq!(called.took.as_secs(), 3600, "{content_type}, {timeout}");
        assert_eq!(called.injected, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_has_been_called_already() {
    // tonic's server has the timeout above its layers.
    let injector = injector(r#"[{ "latency": "2s" }]"#);
    let layer = InjectLayer::with_injector("grpc.client", &injector);
    let server = service_fn(async |request: Request<Body>| {
        assert_eq!(request.headers()["grpc-timeout"], "1S");
        Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
    });
    let start = Clock::monotonic();
    let response = layer.layer(server).oneshot(request(GRPC, "1S")).await;
    assert_eq!(response.unwrap().status(), 200);
    assert_eq!(start.now().as_secs(), 2);
}
