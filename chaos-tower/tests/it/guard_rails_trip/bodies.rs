//! What becomes of the body of a response counts, too.

use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use chaos_core::{Fault, Injector, Latency, audit::Actor, wire};
use chaos_tower::InjectLayer;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::json;
use tokio::time::sleep;
use tower::{Layer, ServiceExt, service_fn, util::BoxCloneSyncService};

use super::{MS, Service, ask, errors, halted, rule, service};

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_cut_off_is_a_failure() {
    for abort in [
        json!("close"),
        json!("reset"),
        json!("refuse"),
        json!({"h2": "cancel"}),
    ] {
        let rule = json!({
            "site": "http.server", "faults": [{"abort": abort}],
            "guards": [{"site": "http.server", "error_ratio": 0.1, "window": "10s", "at_least": 5}],
        });
        let injector = Injector::new();
        let service = service(&injector);
        injector.put(wire::rule_from_value(rule, Some("cut")).unwrap());
        for _ in 0..5 {
            ask(&service, "/").await;
        }
        let reason = halted(&injector).expect("the fifth call was enough to judge");
        assert!(reason.contains("is 1.000"), "{abort}: {reason}");
        // A call that is left alone afterwards is none.
        injector.as_actor(Actor::new("alice")).acknowledge();
        injector.clear();
        assert!(injector.resume());
        assert_eq!(ask(&service, "/").await, StatusCode::OK);
    }
}

/// A response whose body fails, or has an error in its trailers, was taken for a success.
#[tokio::test(start_paused = true)]
async fn a_body_that_fails_is_a_failure() {
    let abort = json!({"abort": "close", "after": "3B"});
    let truncate = json!({"body": {"truncate_after": "3B"}});
    let upload = json!({"abort": "close", "after": "3B", "on": "request"});
    let status = json!({"grpc": {"code": 14, "after_messages": 1}});
    let harmless = json!({"latency": "0s"});
    for (fault, ending, trips) in [
        (&abort, Ending::Whole, true),
        (&truncate, Ending::Whole, true),
        (&upload, Ending::Whole, true),
        (&status, Ending::Grpc("0"), true),
        (&harmless, Ending::Error, true),
        (&harmless, Ending::Grpc("13"), true),
        (&harmless, Ending::Whole, false),
        (&harmless, Ending::Grpc("0"), false),
    ] {
        let injector = Injector::new();
        let service = streaming(&injector, ending);
        let rule = json!({
            "site": "http.server", "faults": [fault],
            "guards": [{"error_ratio": 0.1, "window": "10s", "at_least": 5}],
        });
        injector.put(wire::rule_from_value(rule, Some("r")).unwrap());
        // Twice, with an acknowledgement between.
        for _ in 0..2 {
            for _ in 0..5 {
                assert_eq!(halted(&injector), None, "{fault} {ending:?}");
                let _ = read(&service).await;
            }
            let reason = halted(&injector);
            assert_eq!(reason.is_some(), trips, "{fault} {ending:?}");
            if let Some(reason) = reason {
                // The head of the fifth may be enough to judge, with the four bodies before.
                let is_all = ["is 0.800", "is 1.000"]
                    .iter()
                    .any(|all| reason.contains(all));
                assert!(is_all, "{fault} {ending:?}: {reason}");
                assert!(reason.contains("(5 calls"), "{fault} {ending:?}: {reason}");
            }
            let alice = injector.as_actor(Actor::new("alice"));
            alice.acknowledge();
            let _ = alice.resume();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_amid_the_body_is_no_failure() {
    let injector = Injector::new();
    let service = streaming(&injector, Ending::Error);
    let rail = errors(0.1).at_least(5);
    let fault = Fault::latency(Latency::fixed(MS).unwrap());
    injector.put(rule("slow", "http.server", fault).guard(rail));
    for _ in 0..10 {
        let mut body = ask_body(&service).await;
        body.frame().await.unwrap().unwrap();
        drop(body);
    }
    assert_eq!(halted(&injector), None);
}

/// A stream may fail long after its head has left the window.
#[tokio::test(start_paused = true)]
async fn a_body_that_fails_late_is_a_failure_of_now() {
    let injector = Injector::new();
    let service = streaming(&injector, Ending::Error);
    let fault = Fault::latency(Latency::fixed(MS).unwrap());
    injector.put(rule("slow", "http.server", fault).guard(errors(0.1).at_least(5)));
    let mut bodies = Vec::new();
    for _ in 0..10 {
        bodies.push(ask_body(&service).await);
    }
    sleep(60_000 * MS).await;
    for body in bodies.split_off(5) {
        body.collect().await.unwrap_err();
    }
    let reason = halted(&injector).unwrap();
    assert!(
        reason.contains("is 1.000") && reason.contains("(5 calls"),
        "{reason}"
    );
    // Those of before the acknowledgement do not count after it.
    let alice = injector.as_actor(Actor::new("alice"));
    alice.acknowledge();
    alice.resume().unwrap();
    for body in bodies {
        body.collect().await.unwrap_err();
    }
    assert_eq!(halted(&injector), None);
}

/// How the body of a handler ends.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Whole,
    Error,
    Grpc(&'static str),
}

/// Reads its request, and answers with a gRPC message in pieces.
fn streaming(injector: &Injector, ending: Ending) -> Service {
    let handler = service_fn(move |request: Request<Body>| async move {
        let _ = request.into_body().collect().await;
        let piece = |bytes: &'static [u8]| Ok(Frame::data(Bytes::from_static(bytes)));
        let mut frames = vec![piece(&[0, 0, 0]), piece(&[0, 1, 7])];
        match ending {
            Ending::Whole => {}
            Ending::Error => frames.push(Err("its own error")),
            Ending::Grpc(code) => {
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", HeaderValue::from_static(code));
                frames.push(Ok(Frame::trailers(trailers)));
            }
        }
        let body = StreamBody::new(futures_util::stream::iter(frames));
        Ok::<_, Infallible>(Response::new(Body::new(body)))
    });
    let layer = InjectLayer::with_injector("http.server", injector);
    BoxCloneSyncService::new(layer.layer(handler))
}

async fn ask_body(service: &Service) -> Body {
    let request = Request::post("/").header("content-type", "application/grpc");
    let request = request.body(Body::from("request")).unwrap();
    service.clone().oneshot(request).await.unwrap().into_body()
}

async fn read(service: &Service) -> Result<(), axum::Error> {
    ask_body(service).await.collect().await.map(drop)
}
