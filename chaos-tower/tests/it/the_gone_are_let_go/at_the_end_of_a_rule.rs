//! The waits of rules that end before them.

use std::{convert::Infallible, future::poll_fn, pin::pin, time::Duration};

use axum::body::Body;
use chaos_core::{Clock, Injector, testing::ManualClock, wire};
use chaos_tower::InjectLayer;
use http::{Request, Response};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};

const LONG: Duration = Duration::from_secs(5);

/// A delay keeps the deadline that it began with, whatever becomes of its rule.
#[tokio::test(start_paused = true)]
async fn a_wait_that_outlasts_its_rule_does_not_spin() {
    let manual = ManualClock::new();
    let injector = Injector::with_clock(manual.clone());
    let rule = json!({"site": "http.server", "ttl": "10s", "faults": [{"latency": "5s"}]});
    injector.put(wire::rule_from_value(rule, Some("r")).unwrap());
    let layer = InjectLayer::with_injector("http.server", &injector);
    let serve = async |_: Request<Body>| Ok::<_, Infallible>(Response::new(Body::empty()));
    let clock = Clock::monotonic();
    let mut call = pin!(
        layer
            .layer(service_fn(serve))
            .oneshot(Request::new(Body::empty()))
    );
    let mut polls = 0;
    let served = poll_fn(|cx| {
        polls += 1;
        assert!(polls < 100, "it spins");
        if polls == 2 {
            manual.advance(Duration::from_secs(11));
        }
        call.as_mut().poll(cx)
    });
    assert_eq!(served.await.unwrap().status(), 200);
    assert!(clock.now() >= LONG, "{:?}", clock.now());
}
