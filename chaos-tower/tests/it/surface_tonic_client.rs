//! Every kind of fault in front of tonic's channel, as its caller sees it. The rows that are not here are in
//! `clients_see_genuine_errors`, beside the real errors that they look like.

use crate::support::{client_rows as rows, clients::Kind};

#[tokio::test]
async fn latency_after() {
    rows::latency_after(Kind::Tonic).await;
}

#[tokio::test]
async fn latency_at_least() {
    rows::latency_at_least(Kind::Tonic).await;
}

#[tokio::test]
async fn grpc_after_messages() {
    rows::grpc_after_messages(Kind::Tonic).await;
}

#[tokio::test]
async fn abort_reset_after() {
    rows::abort_reset_after(Kind::Tonic).await;
}

#[tokio::test]
async fn abort_panic() {
    rows::abort_panic(Kind::Tonic).await;
}

#[tokio::test]
async fn abort_exit() {
    rows::abort_exit(Kind::Tonic, "surface_tonic_client::abort_exit").await;
}

#[tokio::test]
async fn hang() {
    rows::hang(Kind::Tonic).await;
}

#[tokio::test]
async fn pause() {
    rows::pause(Kind::Tonic).await;
}

#[tokio::test]
async fn block() {
    rows::block(Kind::Tonic).await;
}

#[tokio::test]
async fn body_throttle() {
    rows::body_throttle(Kind::Tonic).await;
}

#[tokio::test]
async fn body_truncate() {
    rows::body_truncate(Kind::Tonic).await;
}

#[tokio::test]
async fn body_stall() {
    rows::body_stall(Kind::Tonic).await;
}

#[tokio::test]
async fn body_corrupt() {
    rows::body_corrupt(Kind::Tonic).await;
}

#[tokio::test]
async fn body_first_byte() {
    rows::body_first_byte(Kind::Tonic).await;
}

#[tokio::test]
async fn body_chunk() {
    rows::body_chunk(Kind::Tonic).await;
}

#[tokio::test]
async fn request_body() {
    rows::request_body(Kind::Tonic).await;
}

#[tokio::test]
async fn headers() {
    rows::headers(Kind::Tonic).await;
}

#[tokio::test]
async fn burn() {
    rows::burn(Kind::Tonic).await;
}

#[tokio::test]
async fn custom() {
    rows::custom(Kind::Tonic).await;
}

#[tokio::test]
async fn one_of() {
    rows::one_of(Kind::Tonic).await;
}
