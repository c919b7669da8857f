//! Two hundred streams at once on one HTTP/2 connection, all with wrapped bodies, are no attack: a peer
//! that counts small and empty frames says no GOAWAY.
//!
//! All that is answered at once fits into the window of the connection. If it does not, the server's
//! own `h2` cuts frames to what is left of it, and its client's `h2` has enough of small frames at
//! about a hundred and twenty: with our layer or without.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    app::{self, TEXT},
    ask::Ask,
    http2::Http2,
    hyper_server,
};

const STREAMS: usize = 200;

const STALL: &str = "256B";

async fn all_are_answered(faults: Option<Value>) {
    let server = hyper_server::start().await;
    if let Some(faults) = &faults {
        server.aim(json!([faults]));
    }
    let peer = Http2::connect(server.address).await;
    for (path, whole) in [("/", TEXT.to_vec()), ("/page", app::page())] {
        let ask = Ask::get(path);
        let answers = join_all((0..STREAMS).map(|_| peer.ask(&ask))).await;
        assert_eq!(answers.len(), STREAMS);
        for heard in &answers {
            heard.is_served(&whole);
            let stall = faults.as_ref().map(|faults| &faults["body"]["stall_after"]);
            let mark = match stall {
                // A text of fewer bytes than that is left alone.
                Some(after) if after == STALL && whole == TEXT => "",
                Some(_) => "r",
                None => "",
            };
            assert_eq!(heard.header("x-chaos-fault"), mark);
        }
    }
    // The connection is as it was.
    peer.ask(&Ask::get("/")).await.is_served(TEXT);
    assert!(peer.is_open());
}

#[tokio::test]
async fn idle() {
    all_are_answered(None).await;
}

#[tokio::test]
async fn throttled() {
    all_are_answered(Some(json!({"body": {"throttle": "1kB/s"}}))).await;
}

/// Not after fewer bytes: those would be a small frame on each stream, and as many as there are streams.
#[tokio::test]
async fn stalled() {
    all_are_answered(Some(
        json!({"body": {"stall_after": STALL, "for": "200ms"}}),
    ))
    .await;
}

#[tokio::test]
async fn each_chunk_delayed() {
    all_are_answered(Some(json!({"body": {"chunk": "50ms"}}))).await;
}

#[tokio::test]
async fn the_first_byte_delayed() {
    all_are_answered(Some(json!({"body": {"first_byte": "200ms"}}))).await;
}
