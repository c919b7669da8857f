//! Every kind of fault in front of reqwest's client, as its caller sees it. The rows that are not here are in
//! `clients_see_genuine_errors`, beside the real errors that they look like.

use crate::support::{client_rows as rows, clients::Kind};

#[tokio::test]
async fn latency_after() {
    rows::latency_after(Kind::Reqwest).await;
}

#[tokio::test]
async fn latency_at_least() {
    rows::latency_at_least(Kind::Reqwest).await;
}

#[tokio::test]
async fn grpc() {
    rows::grpc(Kind::Reqwest).await;
}

#[tokio::test]
async fn grpc_after_messages() {
    rows::grpc_after_messages(Kind::Reqwest).await;
}

#[tokio::test]
async fn abort_reset_after() {
    rows::abort_reset_after(Kind::Reqwest).await;
}

#[tokio::test]
async fn abort_h2() {
    rows::abort_h2(Kind::Reqwest).await;
}

#[tokio::test]
async fn abort_panic() {
    rows::abort_panic(Kind::Reqwest).await;
}

#[tokio::test]
async fn abort_exit() {
    rows::abort_exit(Kind::Reqwest, "surface_reqwest::abort_exit").await;
}

#[tokio::test]
async fn hang() {
    rows::hang(Kind::Reqwest).await;
}

#[tokio::test]
async fn pause() {
    rows::pause(Kind::Reqwest).await;
}

#[tokio::test]
async fn block() {
    rows::block(Kind::Reqwest).await;
}

#[tokio::test]
async fn body_throttle() {
    rows::body_throttle(Kind::Reqwest).await;
}

#[tokio::test]
async fn body_truncate() {
    rows::body_truncate(Kind::Reqwest).await;
}

#[tokio::test]
async fn body_stall() {
    rows::body_stall(Kind::Reqwest).await;
}

#[tokio::test]
async fn body_corrupt() {
    rows::body_corrupt(Kind::Reqwest).await;
}

#[tokio::test]
async fn body_first_byte() {
    rows::body_first_byte(Kind::Reqwest).await;
}

#[tokio::test]
async fn body_chunk() {
    rows::body_chunk(Kind::Reqwest).await;
}

#[tokio::test]
async fn burn() {
    rows::burn(Kind::Reqwest).await;
}

#[tokio::test]
async fn custom() {
    rows::custom(Kind::Reqwest).await;
}

#[tokio::test]
async fn one_of() {
    rows::one_of(Kind::Reqwest).await;
}
