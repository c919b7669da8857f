//! The rows of the table of faults, as the caller of any client sees them.

use std::time::Duration;

use chaos_core::Injected;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{
    app::{MESSAGE, PIECES},
    clients::{Client, Kind},
    itself,
    server::SOON,
};

const WAIT: Duration = Duration::from_millis(60);

/// A fault that makes a call slower, and nothing else.
async fn slower(kind: Kind, fault: Value, by: Duration) -> Client {
    let client = Client::start(kind).await;
    client.aim(json!([fault]));
    let called = client.call().await;
    called.is_served();
    assert!(called.took >= by, "{:?}", called.took);
    assert_eq!((client.injected(), client.active()), (1, 0));
    assert_eq!(client.asked(), 1);
    client
}

pub(crate) async fn latency_after(kind: Kind) {
    slower(kind, json!({"latency": "60ms", "when": "after"}), WAIT).await;
}

pub(crate) async fn latency_at_least(kind: Kind) {
    slower(kind, json!({"latency": {"at_least": "60ms"}}), WAIT).await;
}

pub(crate) async fn hang(kind: Kind) {
    let client = slower(kind, json!({"hang": "60ms"}), WAIT).await;
    // A caller who goes is not kept in the count.
    client.aim(json!([{"hang": "1h"}]));
    assert!(timeout(WAIT, client.call()).await.is_err());
    assert_eq!((client.injected(), client.active()), (1, 0));
    assert_eq!(client.asked(), 1);
}

pub(crate) async fn pause(kind: Kind) {
    let client = slower(kind, json!({"pause": {"max": "60ms"}}), WAIT).await;
    client.aim(json!([{"pause": {"max": "1h"}}]));
    let release = async {
        while !client.injector.release("r") {
            tokio::task::yield_now().await;
        }
    };
    let (called, ()) = timeout(SOON, async { tokio::join!(client.call(), release) })
        .await
        .expect("it is released");
    called.is_served();
}

pub(crate) async fn block(kind: Kind) {
    slower(kind, json!({"block": "60ms"}), WAIT).await;
}

pub(crate) async fn burn(kind: Kind) {
    let client = Client::start(kind).await;
    client.aim(json!([{"burn": {"memory": "1MiB", "for": "1h"}}]));
    client.call().await.is_served();
    assert_eq!((client.injected(), client.active()), (1, 1));
    client.injector.halt("enough");
    timeout(SOON, async {
        while client.active() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it stops");
}

pub(crate) async fn grpc(kind: Kind) {
    let client = Client::start(kind).await;
    client.aim(json!([{"grpc": {"code": "NOT_FOUND", "message": "no"}}]));
    let called = client.call_as(true).await;
    assert_eq!((called.status(), called.grpc_status()), (200, "5"));
    assert_eq!(called.header("grpc-message"), "no");
    assert_eq!(called.header("x-chaos-fault"), "r");
    assert_eq!(client.asked(), 0);
}

pub(crate) async fn grpc_after_messages(kind: Kind) {
    let client = Client::start(kind).await;
    client.aim(json!([{"grpc": {"code": 14, "after_messages": 2}}]));
    let called = client.call_as(true).await;
    assert_eq!(called.body, MESSAGE.repeat(2));
    assert_eq!(called.grpc_status(), "14");
    assert_eq!(client.injected(), 1);
}

/// A call that fails with an error that says who injected it.
async fn fails(kind: Kind, fault: Value) -> Client {
    let client = Client::start(kind).await;
    client.aim(json!([fault]));
    let called = client.call().await;
    let error = called.error.as_ref().expect("an error");
    let injected = Injected::find(&**error);
    assert!(
        injected.is_some_and(|injected| injected.rule().as_str() == "r"),
        "{error:?}"
    );
    assert_eq!((client.injected(), client.active()), (1, 0));
    client
}

pub(crate) async fn abort_h2(kind: Kind) {
    let client = fails(kind, json!({"abort": {"h2": "cancel"}})).await;
    assert_eq!(client.asked(), 0);
}

pub(crate) async fn abort_reset_after(kind: Kind) {
    let client = Client::start(kind).await;
    client.aim(json!([{"abort": "reset", "after": "20B"}]));
    let called = client.call().await;
    assert_eq!(called.body, MESSAGE.repeat(2));
    let error = called.error.as_ref().expect("the body fails");
    assert!(Injected::find(&**error).is_some(), "{error:?}");
    assert_eq!((client.injected(), client.active()), (1, 0));
}

pub(crate) async fn abort_panic(kind: Kind) {
    let client = Client::start(kind).await;
    client.aim(json!([{"abort": "panic"}]));
    let calls = async { (client.call().await, client) };
    let error = tokio::spawn(calls).await.err().expect("it panics");
    let panic = error.into_panic();
    let text = panic.downcast_ref::<String>().expect("a text");
    assert_eq!(text, "injected at client by rule r");
}

/// `test` is the name of the test that calls this.
pub(crate) async fn abort_exit(kind: Kind, test: &str) {
    if itself::is_server() {
        let client = Client::start(kind).await;
        client.aim(json!([{"abort": "exit"}]));
        let called = client.call().await;
        panic!("it goes on: {called:?}");
    }
    assert_eq!(itself::output(test).await.status.code(), Some(1));
}

pub(crate) async fn body_throttle(kind: Kind) {
    // 50 bytes at 500 a second.
    slower(
        kind,
        json!({"body": {"throttle": "500B/s"}}),
        Duration::from_millis(100),
    )
    .await;
}

pub(crate) async fn body_truncate(kind: Kind) {
    let client = Client::start(kind).await;
    client.aim(json!([{"body": {"truncate_after": "20B"}}]));
    let called = client.call().await;
    assert_eq!(called.body, MESSAGE.repeat(2));
    assert!(called.trailers.is_none(), "{called:?}");
    assert_eq!((client.injected(), client.active()), (1, 0));
}

pub(crate) async fn body_stall(kind: Kind) {
    slower(
        kind,
        json!({"body": {"stall_after": "20B", "for": "60ms"}}),
        WAIT,
    )
    .await;
}

pub(crate) async fn body_corrupt(kind: Kind) {
    let client = Client::start(kind).await;
    client.aim(json!([{"body": {"corrupt": 1.0}}]));
    let called = client.call().await;
    let sent = MESSAGE.repeat(PIECES);
    assert_eq!(called.body.len(), sent.len());
    assert!(
        called
            .body
            .iter()
            .zip(sent)
            .all(|(came, sent)| *came != sent)
    );
    assert_eq!(called.header("x-chaos-fault"), "r");
}

pub(crate) async fn body_first_byte(kind: Kind) {
    slower(kind, json!({"body": {"first_byte": "60ms"}}), WAIT).await;
}

pub(crate) async fn body_chunk(kind: Kind) {
    // It comes in five frames, or fewer where some come at once.
    slower(kind, json!({"body": {"chunk": "60ms"}}), WAIT).await;
}

pub(crate) async fn request_body(kind: Kind) {
    let client = slower(
        kind,
        json!({"body": {"first_byte": "60ms"}, "on": "request"}),
        WAIT,
    )
    .await;
    assert_eq!(client.last_asked().1, MESSAGE);
    client.aim(json!([{"body": {"corrupt": 1.0, "on": "request"}}]));
    client.call().await.is_served();
    let came = client.last_asked().1;
    assert_eq!(came.len(), MESSAGE.len());
    assert!(came.iter().zip(MESSAGE).all(|(came, sent)| came != sent));
}

pub(crate) async fn headers(kind: Kind) {
    let client = Client::start(kind).await;
    client.aim(json!([
        {"headers": {"set": {"x-set": "by r"}, "remove": ["x-heard"]}},
        {"headers": {"set": {"x-ask": "by r"}}, "on": "request"},
    ]));
    let called = client.call().await;
    called.is_served();
    assert_eq!(called.header("x-set"), "by r");
    assert_eq!(called.header("x-heard"), "");
    assert_eq!(called.header("x-chaos-fault"), "r");
    assert_eq!(client.last_asked().0["x-ask"], "by r");
    client.injector.clear();
    let called = client.call().await;
    assert_eq!(called.header("x-heard"), "yes");
    assert_eq!(client.last_asked().0["x-ask"], "client");
}

/// The gRPC status of an HTTP status, or the HTTP status.
fn code(kind: Kind, called: &crate::support::clients::Called) -> String {
    match kind {
        Kind::Tonic => called.grpc_status().to_owned(),
        _ => called.status().to_string(),
    }
}

pub(crate) async fn custom(kind: Kind) {
    let client = Client::start(kind).await;
    client.injector.define("teapots", |call| {
        let really = call.arguments.contains("true");
        really.then(|| chaos_core::Fault::status(503).unwrap())
    });
    client.aim(json!([{"custom": {"name": "teapots", "really": true}}]));
    let expected = if kind == Kind::Tonic { "14" } else { "503" };
    assert_eq!(code(kind, &client.call().await), expected);
    client.aim(json!([{"custom": {"name": "teapots", "really": false}}]));
    client.call().await.is_served();
}

pub(crate) async fn one_of(kind: Kind) {
    let client = Client::start(kind).await;
    let option = |code: u16| json!({"weight": 1, "fault": {"status": code}});
    client.aim(json!([{"one_of": [option(503), option(404)]}]));
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..40 {
        seen.insert(code(kind, &client.call().await));
    }
    let expected = match kind {
        Kind::Tonic => ["12", "14"],
        _ => ["404", "503"],
    };
    assert!(seen.iter().eq(&expected), "{seen:?}");
    assert_eq!((client.injected(), client.asked()), (40, 0));
}
