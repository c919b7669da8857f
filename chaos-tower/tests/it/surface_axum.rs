//! What a real client sees of a stock `axum::serve` with the layer, for each kind of fault: by HTTP/1 on
//! a bare socket, and by HTTP/2.

use serde_json::json;

use crate::support::{
    answers,
    app::MESSAGE,
    ask::Ask,
    axum_server::{self, start, start_above_others, start_amid_others},
    bodies, cuts, exit,
    heard::End,
    peer::Protocol,
    server::Server,
    uploads, waits,
};

/// With the layer alone, above layers that change the body of the response, and between other layers.
async fn in_each_stack(row: impl AsyncFn(&Server)) {
    let servers = [
        start().await,
        start_above_others().await,
        start_amid_others().await,
    ];
    for server in &servers {
        // Boxed, because the stack of a test is small.
        Box::pin(row(server)).await;
    }
}

#[tokio::test]
async fn latency_before() {
    in_each_stack(waits::latency_before).await;
}

#[tokio::test]
async fn latency_after() {
    in_each_stack(waits::latency_after).await;
}

#[tokio::test]
async fn latency_at_least() {
    in_each_stack(waits::latency_at_least).await;
}

#[tokio::test]
async fn status() {
    in_each_stack(answers::status).await;
}

#[tokio::test]
async fn grpc() {
    in_each_stack(answers::grpc).await;
}

#[tokio::test]
async fn grpc_after_messages() {
    in_each_stack(answers::grpc_after_messages).await;
}

/// axum has no room for errors.
async fn fails_with_500(fault: serde_json::Value, body: &str) {
    in_each_stack(async |server: &Server| fails_there(server, &fault, body).await).await;
}

async fn fails_there(server: &Server, fault: &serde_json::Value, body: &str) {
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
    in_each_stack(cuts::abort_close).await;
}

#[tokio::test]
async fn abort_close_after() {
    in_each_stack(cuts::abort_close_after).await;
}

#[tokio::test]
async fn abort_refuse() {
    in_each_stack(cuts::abort_refuse).await;
}

#[tokio::test]
async fn abort_h2() {
    in_each_stack(cuts::abort_h2).await;
}

#[tokio::test]
async fn abort_reset() {
    cuts::abort_reset(&axum_server::start_with_handles().await).await;
    #[cfg(target_os = "linux")]
    cuts::abort_reset(&axum_server::start_with_addresses().await).await;
    in_each_stack(cuts::abort_reset_of_the_unknown).await;
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
    in_each_stack(cuts::abort_goaway_of_the_unknown).await;
}

#[tokio::test]
async fn abort_panic() {
    in_each_stack(cuts::abort_panic).await;
}

#[tokio::test]
async fn abort_exit() {
    exit::abort_exit(&start().await, "surface_axum::abort_exit").await;
}

#[tokio::test]
async fn hang() {
    in_each_stack(waits::hang_until_halt).await;
    in_each_stack(waits::hang_at_most).await;
    for fault in [
        json!({"hang": "1h"}),
        json!({"latency": "1h"}),
        json!({"pause": {"max": "1h"}}),
    ] {
        let held =
            async |server: &Server| waits::held_until_client_goes(server, fault.clone()).await;
        in_each_stack(held).await;
    }
    in_each_stack(waits::hang_until_stream_is_reset).await;
}

#[tokio::test]
async fn hang_ends_with_graceful_shutdown() {
    waits::hang_ends_with_graceful_shutdown(start().await).await;
}

#[tokio::test]
async fn pause() {
    in_each_stack(waits::pause).await;
}

#[tokio::test]
async fn block() {
    in_each_stack(waits::block).await;
}

#[tokio::test]
async fn body_throttle() {
    in_each_stack(bodies::body_throttle).await;
}

#[tokio::test]
async fn body_truncate() {
    in_each_stack(bodies::body_truncate).await;
}

#[tokio::test]
async fn body_stall() {
    in_each_stack(bodies::body_stall).await;
}

#[tokio::test]
async fn body_corrupt() {
    in_each_stack(bodies::body_corrupt).await;
}

#[tokio::test]
async fn body_first_byte() {
    in_each_stack(bodies::body_first_byte).await;
}

#[tokio::test]
async fn body_chunk() {
    in_each_stack(bodies::body_chunk).await;
}

#[tokio::test]
async fn abort_on_request() {
    in_each_stack(uploads::abort_on_request).await;
}

#[tokio::test]
async fn request_body() {
    in_each_stack(uploads::request_body).await;
}

#[tokio::test]
async fn headers() {
    in_each_stack(answers::headers).await;
}

#[tokio::test]
async fn burn() {
    in_each_stack(answers::burn).await;
}

#[tokio::test]
async fn custom() {
    in_each_stack(answers::custom).await;
}

/// Each answer is one option's, and both come.
#[tokio::test]
async fn one_of() {
    in_each_stack(answers::one_of).await;
}
