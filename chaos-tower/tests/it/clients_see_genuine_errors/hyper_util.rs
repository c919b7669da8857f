//! hyper-util's client: its error type is one that nothing else can make, so what comes is the cause
//! that it would have had, of the same kind.

use std::io::{self, ErrorKind};

use axum::body::Body;
use bytes::Bytes;
use chaos_core::{Clock, Injected};
use chaos_tower::BoxError;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::{Layer, Service, ServiceExt};

use super::{
    DELAY, assert_injected, hit_by, io_kind,
    peer::{self, Peer},
};

async fn bytes<S, B>(
    client: S,
    url: &str,
) -> Result<(Response<()>, Result<Bytes, BoxError>), BoxError>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError>,
    B: http_body::Body<Data = Bytes, Error = BoxError>,
{
    let request = Request::get(url).body(Body::empty()).unwrap();
    let (head, body) = client.oneshot(request).await?.into_parts();
    let body = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    Ok((Response::from_parts(head, ()), body))
}

/// What a fault makes of a call.
macro_rules! call {
    ($fault:expr, $url:expr) => {{
        let (injector, layer) = hit_by($fault);
        let client = Client::builder(TokioExecutor::new()).build_http();
        let layer = layer.boxed_errors().wrapped_bodies();
        let result = bytes(layer.layer(client), $url).await;
        assert_eq!(injector.counts("r").unwrap().injected, 1);
        result
    }};
}

#[tokio::test]
async fn errors_are_of_the_kind_of_real_ones() {
    let peer = Peer::start().await;
    let url = format!("http://{}/hello", peer.address);
    let refusing = format!("http://{}/hello", peer::refusing().await);
    let resetting = format!("http://{}/hello", peer::resetting().await);
    // Hit, but harmlessly, so that what fails is the peer.
    let harmless = r#"{ "latency": "0s" }"#;
    for (real, faults) in [
        (
            refusing,
            [
                r#"{ "error": { "kind": "connection_refused" } }"#,
                r#"{ "abort": "refuse" }"#,
            ],
        ),
        (
            resetting,
            [
                r#"{ "error": { "kind": "connection_reset" } }"#,
                r#"{ "abort": "reset" }"#,
            ],
        ),
    ] {
        let real = call!(harmless, &real).unwrap_err();
        assert!(Injected::find(&*real).is_none());
        for fault in faults {
            let injected = call!(fault, &url).unwrap_err();
            assert_injected(&*injected);
            let kind = injected.downcast_ref::<io::Error>().unwrap().kind();
            assert_eq!(Some(kind), io_kind(&*real));
        }
    }
    for (fault, kind) in [
        (
            r#"{ "error": { "kind": "timed_out" } }"#,
            ErrorKind::TimedOut,
        ),
        (r#"{ "error": "out of luck" }"#, ErrorKind::Other),
        (r#"{ "abort": "close" }"#, ErrorKind::ConnectionAborted),
        (
            r#"{ "abort": { "h2": "cancel" } }"#,
            ErrorKind::ConnectionReset,
        ),
    ] {
        let injected = call!(fault, &url).unwrap_err();
        assert_injected(&*injected);
        assert_eq!(injected.downcast_ref::<io::Error>().unwrap().kind(), kind);
    }
    assert_eq!(peer.asked(), 0);
}

#[tokio::test]
async fn answers_are_made_without_the_peer() {
    let peer = Peer::start().await;
    let url = format!("http://{}/hello", peer.address);
    let (head, body) = call!(r#"{ "status": { "code": 503, "body": "busy" } }"#, &url).unwrap();
    assert_eq!(head.status(), 503);
    assert_eq!(head.headers()["x-chaos-fault"], "r");
    assert_eq!(body.unwrap(), "busy");
    assert_eq!(peer.asked(), 0);
}

#[tokio::test]
async fn a_delayed_call_is_served() {
    let peer = Peer::start().await;
    let url = format!("http://{}/hello", peer.address);
    let start = Clock::monotonic();
    let (head, body) = call!(r#"{ "latency": "100ms" }"#, &url).unwrap();
    assert!(start.now() >= DELAY);
    assert!(head.headers().get("x-chaos-fault").is_none());
    assert_eq!(body.unwrap(), "hello");
    assert_eq!(peer.asked(), 1);
}

#[tokio::test]
async fn an_answer_that_breaks_off_fails_where_it_is_read() {
    let peer = Peer::start().await;
    let url = format!("http://{}/hello", peer.address);
    let (head, body) = call!(r#"{ "abort": "close", "after": "3B" }"#, &url).unwrap();
    assert_eq!(head.status(), 200);
    assert_injected(&*body.unwrap_err());
}

/// A fallback that fails was `Ok` with a part of its bytes.
#[tokio::test]
async fn an_answer_that_is_cut_short_fails_where_it_is_read() {
    let peer = Peer::start().await;
    for path in ["hello", "streamed"] {
        let url = format!("http://{}/{path}", peer.address);
        let (head, body) = call!(r#"{ "body": { "truncate_after": "3B" } }"#, &url).unwrap();
        assert_eq!(head.status(), 200);
        let error = body.unwrap_err();
        assert_injected(&*error);
        assert_eq!(io_kind(&*error), Some(ErrorKind::UnexpectedEof), "{path}");
    }
}

/// The end of the connection is all that says where such a body ends.
#[tokio::test]
async fn without_framing_nobody_can_tell() {
    for answer in [
        "HTTP/1.0 200 OK\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello",
    ] {
        let url = format!("http://{}/", peer::answering(answer).await);
        let (_, body) = call!(r#"{ "body": { "truncate_after": "3B" } }"#, &url).unwrap();
        assert_eq!(body.unwrap(), "hel", "{answer}");
    }
    let sized = "HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    let url = format!("http://{}/", peer::answering(sized).await);
    let (_, body) = call!(r#"{ "body": { "truncate_after": "3B" } }"#, &url).unwrap();
    assert_injected(&*body.unwrap_err());
}

#[tokio::test]
async fn a_request_that_breaks_off_fails_the_call() {
    let peer = Peer::start().await;
    let (injector, layer) = hit_by(r#"{ "abort": "close", "after": "3B", "on": "request" }"#);
    let client = Client::builder(TokioExecutor::new()).build_http();
    let client = layer.boxed_errors().wrapped_bodies().layer(client);
    let request = Request::post(format!("http://{}/count", peer.address));
    let request = request.body(Body::from("a body")).unwrap();
    let error = client.oneshot(request).await.unwrap_err();
    assert_eq!(io_kind(&*error), Some(ErrorKind::ConnectionAborted));
    assert_injected(&*error);
    assert_eq!(injector.counts("r").unwrap().injected, 1);
}
