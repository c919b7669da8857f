//! What a real client sees of a plain hyper service with the layer, behind hyper-util's server for both
//! protocols, for each kind of fault: by HTTP/1 on a bare socket, and by HTTP/2.

use h2::Reason;
use serde_json::json;

use crate::support::{
    answers, ask::Ask, bodies, cuts, exit, heard::End, hyper_server::start, peer::Protocol,
    uploads, waits,
};

#[tokio::test]
async fn latency_before() {
    waits::latency_before(&start().await).await;
}

#[tokio::test]
async fn latency_after() {
    waits::latency_after(&start().await).await;
}

#[tokio::test]
async fn latency_at_least() {
    waits::latency_at_least(&start().await).await;
}

#[tokio::test]
async fn status() {
    answers::status(&start().await).await;
}

#[tokio::test]
async fn grpc() {
    answers::grpc(&start().await).await;
}

#[tokio::test]
async fn grpc_after_messages() {
    answers::grpc_after_messages(&start().await).await;
}

/// hyper closes the connection, or resets the stream.
async fn fails_with_nothing(fault: serde_json::Value) {
    let server = start().await;
    server.aim(json!([fault]));
    for protocol in Protocol::BOTH {
        let heard = server.ask(protocol, &Ask::get("/")).await;
        let reset = End::StreamReset(Reason::INTERNAL_ERROR);
        heard.is_nothing_but(protocol.either(End::Fin, reset));
    }
    assert_eq!(server.calls.count(), 0);
}

#[tokio::test]
async fn error() {
    fails_with_nothing(json!({"error": "the disk is full"})).await;
    fails_with_nothing(json!({"error": {"kind": "connection_reset"}})).await;
}

#[tokio::test]
async fn a_value_is_an_error_here() {
    fails_with_nothing(json!({"value": 42})).await;
}

#[tokio::test]
async fn abort_close() {
    cuts::abort_close(&start().await).await;
}

#[tokio::test]
async fn abort_close_after() {
    cuts::abort_close_after(&start().await).await;
}

#[tokio::test]
async fn abort_refuse() {
    cuts::abort_refuse(&start().await).await;
}

#[tokio::test]
async fn abort_h2() {
    cuts::abort_h2(&start().await).await;
}

#[tokio::test]
async fn abort_reset() {
    cuts::abort_reset(&start().await).await;
}

#[tokio::test]
async fn abort_reset_after() {
    cuts::abort_reset_after(&start().await).await;
}

#[tokio::test]
async fn abort_goaway() {
    cuts::abort_goaway(&start().await).await;
}

#[tokio::test]
async fn abort_panic() {
    cuts::abort_panic(&start().await).await;
}

#[tokio::test]
async fn abort_exit() {
    exit::abort_exit(&start().await, "surface_hyper::abort_exit").await;
}

#[tokio::test]
async fn hang() {
    waits::hang_until_halt(&start().await).await;
    waits::hang_at_most(&start().await).await;
    for fault in [
        json!({"hang": "1h"}),
        json!({"latency": "1h"}),
        json!({"pause": {"max": "1h"}}),
    ] {
        waits::held_until_client_goes(&start().await, fault).await;
    }
    waits::hang_until_stream_is_reset(&start().await).await;
}

#[tokio::test]
async fn hang_ends_with_graceful_shutdown() {
    waits::hang_ends_with_graceful_shutdown(start().await).await;
}

#[tokio::test]
async fn pause() {
    waits::pause(&start().await).await;
}

#[tokio::test]
async fn block() {
    waits::block(&start().await).await;
}

#[tokio::test]
async fn body_throttle() {
    bodies::body_throttle(&start().await).await;
}

#[tokio::test]
async fn body_truncate() {
    bodies::body_truncate(&start().await).await;
}

#[tokio::test]
async fn body_stall() {
    bodies::body_stall(&start().await).await;
}

#[tokio::test]
async fn body_corrupt() {
    bodies::body_corrupt(&start().await).await;
}

#[tokio::test]
async fn body_first_byte() {
    bodies::body_first_byte(&start().await).await;
}

#[tokio::test]
async fn body_chunk() {
    bodies::body_chunk(&start().await).await;
}

#[tokio::test]
async fn abort_on_request() {
    uploads::abort_on_request(&start().await).await;
}

#[tokio::test]
async fn request_body() {
    uploads::request_body(&start().await).await;
}

#[tokio::test]
async fn headers() {
    answers::headers(&start().await).await;
}

#[tokio::test]
async fn burn() {
    answers::burn(&start().await).await;
}

#[tokio::test]
async fn custom() {
    answers::custom(&start().await).await;
}

#[tokio::test]
async fn one_of() {
    answers::one_of(&start().await).await;
}
