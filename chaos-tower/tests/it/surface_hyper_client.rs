//! Every kind of fault in front of hyper-util's client, as its caller sees it. The rows that are not here are in
//! `clients_see_genuine_errors`, beside the real errors that they look like.

use crate::support::{client_rows as rows, clients::Kind};

/// Calls with wrapped bodies, and with a body that stays.
async fn both<F: Future<Output = ()>>(row: impl Fn(Kind) -> F) {
    row(Kind::Hyper).await;
    row(Kind::HyperClient).await;
}

#[tokio::test]
async fn latency_after() {
    both(rows::latency_after).await;
}

#[tokio::test]
async fn latency_at_least() {
    both(rows::latency_at_least).await;
}

#[tokio::test]
async fn grpc() {
    both(rows::grpc).await;
}

#[tokio::test]
async fn grpc_after_messages() {
    both(rows::grpc_after_messages).await;
}

#[tokio::test]
async fn abort_reset_after() {
    both(rows::abort_reset_after).await;
}

#[tokio::test]
async fn abort_h2() {
    both(rows::abort_h2).await;
}

#[tokio::test]
async fn abort_panic() {
    both(rows::abort_panic).await;
}

#[tokio::test]
async fn abort_exit() {
    rows::abort_exit(Kind::Hyper, "surface_hyper_client::abort_exit").await;
}

#[tokio::test]
async fn hang() {
    both(rows::hang).await;
}

#[tokio::test]
async fn pause() {
    both(rows::pause).await;
}

#[tokio::test]
async fn block() {
    both(rows::block).await;
}

#[tokio::test]
async fn body_throttle() {
    both(rows::body_throttle).await;
}

#[tokio::test]
async fn body_truncate() {
    both(rows::body_truncate).await;
}

#[tokio::test]
async fn body_stall() {
    both(rows::body_stall).await;
}

#[tokio::test]
async fn body_corrupt() {
    both(rows::body_corrupt).await;
}

#[tokio::test]
async fn body_first_byte() {
    both(rows::body_first_byte).await;
}

#[tokio::test]
async fn body_chunk() {
    both(rows::body_chunk).await;
}

#[tokio::test]
async fn request_body() {
    both(rows::request_body).await;
}

#[tokio::test]
async fn headers() {
    both(rows::headers).await;
}

#[tokio::test]
async fn burn() {
    both(rows::burn).await;
}

#[tokio::test]
async fn custom() {
    both(rows::custom).await;
}

#[tokio::test]
async fn one_of() {
    both(rows::one_of).await;
}
