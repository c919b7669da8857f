//! Kinds of fault at connections that a client makes, as its caller sees them. The rows that are not here are
//! in `connecting_fails`.

use std::{error::Error, io, time::Duration};

use axum::{Router, routing::any};
use bytes::Bytes;
use chaos_core::{Fault, Injector, Policy, wire};
use chaos_tower::{Connect, ConnectLayer, Wrapped};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::timeout};
use tower::Layer;

use crate::support::{heard::now, itself, server::SOON};

const WAIT: Duration = Duration::from_millis(60);
const LENGTH: usize = 5_000;

/// A client whose connections a rule, `r`, hits, and the peer that it calls.
struct Client {
    injector: Injector,
    client: legacy::Client<Connect<HttpConnector, Wrapped>, Full<Bytes>>,
    url: String,
}

impl Client {
    async fn hit_by(fault: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let app = Router::new().route("/", any(async || vec![b'x'; LENGTH]));
        tokio::spawn(async { axum::serve(listener, app).await });
        let injector = Injector::new();
        let policy = Policy::new().burn_time(Duration::from_secs(3600));
        injector.set_policy(policy.allow_exit(true));
        let layer = ConnectLayer::with_injector("tcp.client", &injector).bytes();
        let connector = layer.layer(HttpConnector::new());
        // Each call makes a connection.
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(connector);
        let client = Self {
            injector,
            client,
            url,
        };
        client.aim(fault);
        client
    }

    fn aim(&self, fault: Value) {
        let rule = json!({"site": "tcp.client", "faults": [fault]});
        self.injector.clear();
        let rule = wire::rule_from_value(rule, Some("r")).unwrap();
        self.injector.put(rule);
    }

    fn injected(&self) -> u64 {
        self.injector.counts("r").unwrap().injected
    }

    fn active(&self) -> u64 {
        self.injector.status().active
    }

    async fn until_idle(&self) {
        timeout(SOON, async {
            while self.active() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .expect("nothing is active any more");
    }

    async fn ask(&self) -> Result<Bytes, Box<dyn Error + Send + Sync>> {
        let request = Request::get(&self.url).body(Full::default())?;
        let answer = timeout(SOON, self.client.request(request)).await??;
        Ok(timeout(SOON, answer.into_body().collect())
            .await??
            .to_bytes())
    }

    async fn is_served(&self) {
        assert_eq!(self.ask().await.unwrap(), vec![b'x'; LENGTH]);
    }

    /// The kind of the io error that a call fails with.
    async fn fails(&self) -> io::ErrorKind {
        let error = self.ask().await.expect_err("it fails");
        let mut next: Option<&(dyn Error + 'static)> = Some(&*error);
        while let Some(error) = next {
            if let Some(error) = error.downcast_ref::<io::Error>() {
                return error.kind();
            }
            next = error.source();
        }
        panic!("no io error: {error:?}")
    }
}

/// Calls are slower, and nothing else.
async fn slower(fault: Value) -> Client {
    let client = Client::hit_by(fault).await;
    let asked_at = now();
    client.is_served().await;
    assert!(now() - asked_at >= WAIT, "{:?}", now() - asked_at);
    client.until_idle().await;
    assert_eq!(client.injected(), 1);
    client
}

#[tokio::test]
async fn latency_after() {
    slower(json!({"latency": "60ms", "when": "after"})).await;
}

#[tokio::test]
async fn latency_at_least() {
    slower(json!({"latency": {"at_least": "60ms"}})).await;
}

#[tokio::test]
async fn error() {
    let client = Client::hit_by(json!({"error": {"kind": "timed_out"}})).await;
    assert_eq!(client.fails().await, io::ErrorKind::TimedOut);
    assert_eq!((client.injected(), client.active()), (1, 0));
}

#[tokio::test]
async fn abort_close() {
    let client = Client::hit_by(json!({"abort": "close"})).await;
    assert_eq!(client.fails().await, io::ErrorKind::ConnectionAborted);
    assert_eq!((client.injected(), client.active()), (1, 0));
}

#[tokio::test]
async fn abort_reset() {
    let client = Client::hit_by(json!({"abort": "reset"})).await;
    assert_eq!(client.fails().await, io::ErrorKind::ConnectionReset);
    assert_eq!((client.injected(), client.active()), (1, 0));
}

#[tokio::test]
async fn abort_close_after() {
    let client = Client::hit_by(json!({"abort": "close", "after": "500B"})).await;
    client.ask().await.expect_err("it breaks off");
    client.until_idle().await;
    assert_eq!(client.injected(), 1);
    client.injector.clear();
    client.is_served().await;
}

#[tokio::test]
async fn abort_panic() {
    let client = Client::hit_by(json!({"abort": "panic"})).await;
    let error = tokio::spawn(async move { client.ask().await.map_err(|error| error.to_string()) });
    let text = match error.await {
        // hyper-util makes some connections in a task of its own.
        Ok(result) => result.expect_err("it panics"),
        Err(error) => format!("{:?}", error.into_panic().downcast_ref::<String>()),
    };
    assert!(text.contains("injected at tcp.client by rule r"), "{text}");
}

#[tokio::test]
async fn abort_exit() {
    if itself::is_server() {
        let client = Client::hit_by(json!({"abort": "exit"})).await;
        let called = client.ask().await;
        panic!("it goes on: {called:?}");
    }
    let output = itself::output("surface_made::abort_exit").await;
    assert_eq!(output.status.code(), Some(1));
}

#[tokio::test]
async fn pause() {
    let client = slower(json!({"pause": {"max": "60ms"}})).await;
    client.aim(json!({"pause": {"max": "1h"}}));
    let release = async {
        while !client.injector.release("r") {
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(client.is_served(), release);
}

#[tokio::test]
async fn block() {
    slower(json!({"block": "60ms"})).await;
}

#[tokio::test]
async fn body_stall() {
    slower(json!({"body": {"stall_after": "500B", "for": "60ms"}})).await;
    slower(json!({"body": {"stall_after": "5B", "for": "60ms"}, "on": "request"})).await;
}

#[tokio::test]
async fn body_corrupt() {
    let client = Client::hit_by(json!({"body": {"corrupt": 1.0}})).await;
    client.ask().await.expect_err("it is no HTTP any more");
    client.until_idle().await;
    assert_eq!(client.injected(), 1);
}

#[tokio::test]
async fn body_first_byte() {
    slower(json!({"body": {"first_byte": "60ms"}})).await;
    slower(json!({"body": {"first_byte": "60ms"}, "on": "request"})).await;
}

#[tokio::test]
async fn burn() {
    let client = Client::hit_by(json!({"burn": {"memory": "1MiB", "for": "1h"}})).await;
    client.is_served().await;
    assert_eq!((client.injected(), client.active()), (1, 1));
    client.injector.halt("enough");
    client.until_idle().await;
}

#[tokio::test]
async fn custom() {
    let client = Client::hit_by(json!({"latency": "0ms"})).await;
    client.injector.define("odd", |call| {
        let really = call.arguments.contains("true");
        let fault = Fault::io_error(io::ErrorKind::AddrInUse, "odd");
        really.then_some(fault)
    });
    client.aim(json!({"custom": {"name": "odd", "really": true}}));
    assert_eq!(client.fails().await, io::ErrorKind::AddrInUse);
    client.aim(json!({"custom": {"name": "odd", "really": false}}));
    client.is_served().await;
}

#[tokio::test]
async fn one_of() {
    let option = |abort: &str| json!({"weight": 1, "fault": {"abort": abort}});
    let client = Client::hit_by(json!({"one_of": [option("refuse"), option("reset")]})).await;
    let mut refused = 0;
    for _ in 0..40 {
        match client.fails().await {
            io::ErrorKind::ConnectionRefused => refused += 1,
            kind => assert_eq!(kind, io::ErrorKind::ConnectionReset),
        }
    }
    // Neither is left out in 40 connections but once in 10^12 runs.
    assert!((1..40).contains(&refused), "{refused} of 40");
    assert_eq!(client.injected(), 40);
}
