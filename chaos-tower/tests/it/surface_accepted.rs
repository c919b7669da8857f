//! Kinds of fault at connections that a server accepts, as its peer sees them. The rows that are not here are
//! in `connections_obey_rules`.

use std::{io, time::Duration};

use chaos_core::{Fault, Policy, wire};
use h2::Reason;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::support::{
    app::TEXT,
    ask::Ask,
    heard::{End, Heard},
    http2::Http2,
    hyper_server, itself,
    peer::Protocol,
    server::{SOON, Server},
};

const WAIT: Duration = Duration::from_millis(60);

/// A server whose connections a rule, `r`, hits.
async fn hit_by(fault: Value) -> Server {
    let server = hyper_server::start().await;
    let policy = Policy::new().burn_time(Duration::from_secs(3600));
    server.injector.set_policy(policy.allow_exit(true));
    aim(&server, fault);
    server
}

fn aim(server: &Server, fault: Value) {
    let rule = json!({"site": "tcp", "faults": [fault]});
    server.injector.clear();
    let rule = wire::rule_from_value(rule, Some("r")).unwrap();
    server.injector.put(rule);
}

/// Asks on a new connection.
async fn ask(server: &Server, protocol: Protocol) -> Heard {
    server.ask(protocol, &Ask::get("/")).await
}

fn injected(server: &Server) -> u64 {
    server.injector.counts("r").unwrap().injected
}

/// The connection is slower, and nothing else.
async fn slower(fault: Value) -> Server {
    let server = hit_by(fault).await;
    for protocol in Protocol::BOTH {
        let heard = ask(&server, protocol).await;
        heard.is_served(TEXT);
        assert!(heard.ended_at - heard.asked_at >= WAIT / 2, "{heard:?}");
    }
    server.until_active(0).await;
    assert_eq!(injected(&server), 2);
    server
}

#[tokio::test]
async fn error() {
    let server = hit_by(json!({"error": {"kind": "connection_reset"}})).await;
    ask(&server, Protocol::Http1).await.is_nothing_but(End::Rst);
    aim(&server, json!({"error": "any other"}));
    ask(&server, Protocol::Http1).await.is_nothing_but(End::Fin);
    assert_eq!(injected(&server), 1);
}

#[tokio::test]
async fn abort_goaway() {
    let server = hit_by(json!({"abort": "goaway"})).await;
    // The call that is under way is served, and no other.
    let mut peer = Http2::connect(server.address).await;
    peer.ask(&Ask::get("/")).await.is_served(TEXT);
    let late = peer.ask(&Ask::get("/")).await;
    late.is_nothing_but(End::GoAway(Reason::NO_ERROR));
    assert_eq!(peer.ended().await, End::Whole);
    // HTTP/1 has no such frame.
    ask(&server, Protocol::Http1).await.is_served(TEXT);
    assert_eq!(injected(&server), 2);
}

#[tokio::test]
async fn abort_panic() {
    let server = hit_by(json!({"abort": "panic"})).await;
    let heard = ask(&server, Protocol::Http1).await;
    assert!(heard.head.is_none(), "{heard:?}");
    // What the peer has sent by then is not read, and Linux resets a connection that is closed so.
    assert!(matches!(heard.end, End::Fin | End::Rst), "{heard:?}");
    server.injector.clear();
    ask(&server, Protocol::Http1).await.is_served(TEXT);
}

#[tokio::test]
async fn abort_exit() {
    if itself::is_server() {
        let server = hit_by(json!({"abort": "exit"})).await;
        let heard = ask(&server, Protocol::Http1).await;
        panic!("it goes on: {heard:?}");
    }
    let output = itself::output("surface_accepted::abort_exit").await;
    assert_eq!(output.status.code(), Some(1));
}

#[tokio::test]
async fn hang() {
    let server = slower(json!({"hang": "60ms"})).await;
    // One that is halted goes on.
    aim(&server, json!({"hang": "1h"}));
    let asking = server.asking(Protocol::Http1, Ask::get("/"));
    server.until_active(1).await;
    server.injector.halt("enough");
    let heard = timeout(SOON, asking).await.unwrap().unwrap();
    heard.is_served(TEXT);
}

#[tokio::test]
async fn pause() {
    let server = slower(json!({"pause": {"max": "60ms"}})).await;
    aim(&server, json!({"pause": {"max": "1h"}}));
    let asking = server.asking(Protocol::Http1, Ask::get("/"));
    // A call that is counted may begin to wait after a release, and waits for the next then.
    let release = async {
        loop {
            assert!(server.injector.release("r"));
            sleep(Duration::from_millis(1)).await;
        }
    };
    let released = async {
        tokio::select! {
            heard = asking => heard.unwrap(),
            () = release => unreachable!("it goes on for ever"),
        }
    };
    let heard = timeout(SOON, released).await.unwrap();
    heard.is_served(TEXT);
}

#[tokio::test]
async fn block() {
    slower(json!({"block": "60ms"})).await;
}

#[tokio::test]
async fn burn() {
    let server = hit_by(json!({"burn": {"memory": "1MiB", "for": "1h"}})).await;
    ask(&server, Protocol::Http1).await.is_served(TEXT);
    assert_eq!((injected(&server), server.active()), (1, 1));
    server.injector.halt("enough");
    server.until_active(0).await;
}

#[tokio::test]
async fn custom() {
    let server = hyper_server::start().await;
    server.injector.define("odd", |call| {
        let really = call.arguments.contains("true");
        let fault = Fault::io_error(io::ErrorKind::ConnectionReset, "odd");
        really.then_some(fault)
    });
    aim(&server, json!({"custom": {"name": "odd", "really": true}}));
    ask(&server, Protocol::Http1).await.is_nothing_but(End::Rst);
    aim(&server, json!({"custom": {"name": "odd", "really": false}}));
    ask(&server, Protocol::Http1).await.is_served(TEXT);
}

#[tokio::test]
async fn one_of() {
    let option = |abort: &str| json!({"weight": 1, "fault": {"abort": abort}});
    let server = hit_by(json!({"one_of": [option("close"), option("reset")]})).await;
    let mut closed = 0;
    for _ in 0..40 {
        let heard = ask(&server, Protocol::Http1).await;
        match heard.end {
            End::Fin => closed += 1,
            _ => heard.is_nothing_but(End::Rst),
        }
    }
    // Neither is left out in 40 connections but once in 10^12 runs.
    assert!((1..40).contains(&closed), "{closed} of 40");
    assert_eq!(injected(&server), 40);
}
