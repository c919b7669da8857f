//! What a real client sees of a stock `axum::serve` with the layer, for each kind of fault: by HTTP/1 on
//! a bare socket, and by HTTP/2.

use serde_json::json;

use crate::support::{
    answers,
    app::MESSAGE,
    ask::Ask,
    axum_server::{self, start},
    bodies, cuts, exit,
    heard::End,
    peer::Protocol,
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

/// axum has no room for errors.
async fn fails_with_500(fault: serde_json::Value, body: &str) {
    let server = start().await;
    server.aim(json!([fault]));
    for protocol in Protocol::BOTH {
        let heard = server.ask(protocol, &Ask::get("/")).await;
        assert_eq!((heard.end, heard.status()), (End::Whole, 500));
        assert_eq!(heard.header("x-chaos-fault"), "r");
        assert_eq!(heard.text(), body);
        let ask = Ask::post("/messages", [MESSAGE.to_vec()]);
        let ask = ask.header("content-type", "application/grpc");
        let heard = server.ask(protocol, &ask).await;
        assert_eq!((heard.end, heard.status()), (End::Whole, 200));
        let message = body.trim_end().replace(' ', "%20");
        assert_eq!(heard.header("grpc-message"), message);
    }
    assert_eq!(server.calls.count(), 0);
}

#[tokio::test]
async fn error() {
    let fault = json!({"error": {"kind": "connection_refused", "message": "nobody is there"}});
    let body = "nobody is there (injected at http.server by rule r)\n";
    fails_with_500(fault, body).await;
}

#[tokio::test]
async fn a_value_is_an_error_here() {
    let body = "a value in place of the real one (injected at http.server by rule r)\n";
    fails_with_500(json!({"value": 42}), body).await;
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
    cuts::abort_reset(&axum_server::start_with_handles().await).await;
    #[cfg(target_os = "linux")]
    cuts::abort_reset(&axum_server::start_with_addresses().await).await;
    cuts::abort_reset_of_the_unknown(&start().await).await;
}

#[tokio::test]
async fn abort_reset_after() {
    cuts::abort_reset_after(&axum_server::start_with_handles().await).await;
    #[cfg(target_os = "linux")]
    cuts::abort_reset_after(&axum_server::start_with_addresses().await).await;
}

#[tokio::test]
async fn abort_goaway() {
    cuts::abort_goaway(&axum_server::start_with_handles().await).await;
    cuts::abort_goaway_of_the_unknown(&start().await).await;
}

#[tokio::test]
async fn abort_panic() {
    cuts::abort_panic(&start().await).await;
}

#[tokio::test]
async fn abort_exit() {
    exit::abort_exit(&start().await, "surface_axum::abort_exit").await;
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

/// Each answer is one option's, and both come.
#[tokio::test]
async fn one_of() {
    answers::one_of(&start().await).await;
}
