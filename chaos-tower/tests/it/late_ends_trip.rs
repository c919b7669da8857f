//! The latency to the end of a response's body, which is another measure than the latency to its head.

use std::{convert::Infallible, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use chaos_core::{Injector, wire};
use chaos_tower::InjectLayer;
use futures_util::{
    StreamExt,
    future::{join_all, ready},
    stream::{once, pending, unfold},
};
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tower::{Layer, ServiceExt, service_fn, util::BoxCloneSyncService};

const MS: Duration = Duration::from_millis(1);

type Service = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// A service whose head is quick, and whose body is the handler's, or streams slowly at `/slow`.
fn service(injector: &Injector) -> Service {
    let handler = service_fn(|request: Request<Body>| async move {
        let body = match request.uri().path() {
            "/slow" => Body::from_stream(unfold(0, |at| async move {
                sleep(25 * MS).await;
                let piece = Ok::<_, Infallible>(Bytes::from_static(b"tick"));
                (at < 4).then_some((piece, at + 1))
            })),
            "/empty" => Body::empty(),
            "/sized" => {
                let piece = Ok::<_, Infallible>(Bytes::from_static(b"0123456789"));
                let body = Body::from_stream(once(ready(piece)).chain(pending()));
                let response = Response::builder().header("content-length", 10);
                return Ok(response.body(body).unwrap());
            }
            _ => Body::from("0123456789"),
        };
        Ok::<_, Infallible>(Response::new(body))
    });
    let layer = InjectLayer::with_injector("http.server", injector);
    BoxCloneSyncService::new(layer.layer(handler))
}

/// A rule with this fault and this guard rail on `http.server`.
fn arm(injector: &Injector, fault: Value, mut rail: Value) {
    rail["at_least"] = json!(5);
    let rule = json!({
        "id": "r", "site": "http.server", "faults": [fault], "guards": [rail], "ttl": "never",
    });
    injector.put(wire::rule_from_value(rule, None).unwrap());
}

async fn ask(service: &Service, method: Method, path: &str) -> Response<Body> {
    let request = Request::builder().method(method).uri(path);
    let request = request.body(Body::empty()).unwrap();
    service.clone().oneshot(request).await.unwrap()
}

/// Makes some calls at once, reads each body, and returns the breaches.
async fn breaches(injector: &Injector, service: &Service, path: &str) -> Vec<String> {
    join_all((0..10).map(|_| async {
        let response = ask(service, Method::GET, path).await;
        response.into_body().collect().await.map(drop)
    }))
    .await;
    let breaches = injector.status().breaches;
    breaches.iter().map(ToString::to_string).collect()
}

fn throttle() -> Value {
    json!({"body": {"throttle": "100B/s"}})
}

fn nothing() -> Value {
    json!({"headers": {"set": {"x-test": "1"}}})
}

/// The latency ended with the head, so nothing saw that a body took a hundred times as long.
#[tokio::test(start_paused = true)]
async fn a_body_that_ends_late_trips_the_latency_to_the_end_and_not_that_to_the_head() {
    for (fault, path) in [(throttle(), "/"), (nothing(), "/slow")] {
        let injector = Injector::new();
        let service = service(&injector);
        arm(
            &injector,
            fault.clone(),
            json!({"latency": {"p50": "50ms"}}),
        );
        let told = breaches(&injector, &service, path).await;
        assert_eq!(told, Vec::<String>::new(), "{path}");

        arm(&injector, fault, json!({"latency_to_end": {"p50": "50ms"}}));
        // It trips again after an acknowledgement.
        for _ in 0..2 {
            let told = breaches(&injector, &service, path).await;
            let [breach] = &told[..] else {
                panic!("{path}: {told:?}");
            };
            let is_right = breach.contains("latency to the end p50 at http.server is")
                && breach.contains("(10 calls in 10s, 10 injected)");
            assert!(is_right, "{breach}");
            assert_eq!(injector.acknowledge(), 1);
            injector.resume();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_that_end_soon_do_not_trip_it() {
    for (bound, path) in [("50ms", "/"), ("50ms", "/empty"), ("140ms", "/slow")] {
        let injector = Injector::new();
        let service = service(&injector);
        let rail = json!({"latency_to_end": {"p99": bound}});
        arm(&injector, nothing(), rail);
        for _ in 0..3 {
            let told = breaches(&injector, &service, path).await;
            assert_eq!(told, Vec::<String>::new(), "{path}");
        }
    }
}

/// A head that is late makes the end late, whether a body follows or not.
#[tokio::test(start_paused = true)]
async fn a_late_head_is_a_late_end() {
    for path in ["/", "/empty"] {
        let injector = Injector::new();
        let service = service(&injector);
        let rail = json!({"latency_to_end": {"p50": "50ms"}});
        arm(&injector, json!({"latency": "1h"}), rail);
        let told = timeout(MS * 200, breaches(&injector, &service, path)).await;
        assert_eq!(told.unwrap().len(), 1, "{path}");
    }
}

/// All bodies stall, and no other call comes: the first that are late say so themselves.
#[tokio::test(start_paused = true)]
async fn a_body_counts_while_it_is_held() {
    let injector = Injector::new();
    let service = service(&injector);
    let stall = json!({"body": {"stall_after": "1B", "for": "1h"}});
    arm(&injector, stall, json!({"latency_to_end": {"p50": "50ms"}}));
    let told = timeout(MS * 200, breaches(&injector, &service, "/")).await;
    assert_eq!(told.expect("let go by the halt").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_reader_who_leaves_counts_only_if_he_was_late() {
    for (stays, expected) in [(30 * MS, 0), (70 * MS, 1)] {
        let injector = Injector::new();
        let service = service(&injector);
        let rail = json!({"latency_to_end": {"p50": "50ms"}});
        arm(&injector, nothing(), rail);
        for _ in 0..10 {
            let mut body = ask(&service, Method::GET, "/slow").await.into_body();
            let _ = timeout(stays, async { while body.frame().await.is_some() {} }).await;
        }
        assert_eq!(injector.status().breaches.len(), expected, "{stays:?}");
    }
}

/// A server drops the body of an answer to HEAD unread: the call ends with its head.
#[tokio::test(start_paused = true)]
async fn an_answer_without_a_body_ends_with_its_head() {
    let injector = Injector::new();
    let service = service(&injector);
    let rail = json!({"latency_to_end": {"p50": "50ms"}});
    arm(&injector, json!({"latency": "60ms"}), rail);
    for _ in 0..10 {
        drop(ask(&service, Method::HEAD, "/").await);
    }
    assert_eq!(injector.status().breaches.len(), 1);
}

/// A server that has sent as many bytes as the head says drops the body, whose end it never sees.
#[tokio::test(start_paused = true)]
async fn a_body_that_is_dropped_after_its_last_byte_has_ended() {
    let injector = Injector::new();
    let service = service(&injector);
    let rail = json!({"latency_to_end": {"p50": "50ms"}});
    arm(&injector, nothing(), rail);
    for _ in 0..11 {
        let mut body = ask(&service, Method::GET, "/sized").await.into_body();
        assert!(body.frame().await.is_some());
    }
    let told = breaches(&injector, &service, "/slow").await;
    assert_eq!(told, Vec::<String>::new(), "most were quick");
}
