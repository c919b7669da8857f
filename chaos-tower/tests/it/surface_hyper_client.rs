//! Every kind of fault in front of hyper-util's client, as its caller sees it. The rows that are not here are in
//! `clients_see_genuine_errors`, beside the real errors that they look like.

use crate::support::{client_rows as rows, clients::Kind};

#[tokio::test]
async fn latency_after() {
    rows::latency_after(Kind::Hyper).await;
}

#[tokio::test]
async fn latency_at_least() {
    rows::latency_at_least(Kind::Hyper).await;
}

#[tokio::test]
async fn grpc() {
    rows::grpc(Kind::Hyper).await;
}

#[tokio::test]
async fn grpc_after_messages() {
    rows::grpc_after_messages(Kind::Hyper).await;
}

#[tokio::test]
async fn abort_reset_after() {
    rows::abort_reset_after(Kind::Hyper).await;
}

#[tokio::test]
async fn abort_h2() {
    rows::abort_h2(Kind::Hyper).await;
}

#[tokio::test]
async fn abort_panic() {
    rows::abort_panic(Kind::Hyper).await;
}

#[tokio::test]
async fn abort_exit() {
    rows::abort_exit(Kind::Hyper, "surface_hyper_client::abort_exit").await;
}

#[tokio::test]
async fn hang() {
    rows::hang(Kind::Hyper).await;
}

#[tokio::test]
async fn pause() {
    rows::pause(Kind::Hyper).await;
}

#[tokio::test]
async fn block() {
    rows::block(Kind::Hyper).await;
}

#[tokio::test]
async fn body_throttle() {
    rows::body_throttle(Kind::Hyper).await;
}

#[tokio::test]
async fn body_truncate() {
    rows::body_truncate(Kind::Hyper).await;
}

#[tokio::test]
async fn body_stall() {
    rows::body_stall(Kind::Hyper).await;
}

#[tokio::test]
async fn body_corrupt() {
    rows::body_corrupt(Kind::Hyper).await;
}

#[tokio::test]
async fn body_first_byte() {
    rows::body_first_byte(Kind::Hyper).await;
}

#[tokio::test]
async fn body_chunk() {
    rows::body_chunk(Kind::Hyper).await;
}

#[tokio::test]
async fn request_body() {
    rows::request_body(Kind::Hyper).await;
}

#[tokio::test]
async fn headers() {
    rows::headers(Kind::Hyper).await;
}

#[tokio::test]
async fn burn() {
    rows::burn(Kind::Hyper).await;
}

#[tokio::test]
async fn custom() {
    rows::custom(Kind::Hyper).await;
}

#[tokio::test]
async fn one_of() {
    rows::one_of(Kind::Hyper).await;
}
