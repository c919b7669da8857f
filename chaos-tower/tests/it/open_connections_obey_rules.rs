//! A rule that is armed, or resumed, acts on connections that are open.

use std::{io, time::Duration};

use chaos_core::{Clock, Injector, wire};
use chaos_tower::{ConnectLayer, FaultIo, InjectListener};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tower::{Layer, Service, service_fn};

use crate::support::{
    app::TEXT,
    ask::Ask,
    axum_server,
    http1::Http1,
    server::{SOON, Server},
};

/// The sites of the listener of `axum_server::start_with_handles`, and of a client.
const TCP: &str = "tcp";
const CLIENT: &str = "tcp.client";
const HELD: Duration = Duration::from_millis(300);

fn put(injector: &Injector, id: &str, site: &str, fault: Value) {
    let rule = json!({"site": site, "faults": [fault]});
    injector.put(wire::rule_from_value(rule, Some(id)).unwrap());
}

async fn ask(peer: &mut Http1) -> Duration {
    let heard = timeout(SOON, peer.ask(&Ask::get("/"))).await.unwrap();
    heard.is_served(TEXT);
    heard.took()
}

fn injected(server: &Server, rule: &str) -> u64 {
    server.injector.counts(rule).unwrap().injected
}

#[tokio::test]
async fn a_rule_acts_on_connections_that_were_open_before() {
    let server = axum_server::start_with_handles().await;
    let mut peer = Http1::connect(server.address).await;
    assert!(ask(&mut peer).await < HELD);
    put(&server.injector, "slow", TCP, json!({"latency": "300ms"}));
    assert!(ask(&mut peer).await >= HELD);
    assert!(ask(&mut peer).await < HELD, "each rule decides once");
    assert_eq!(injected(&server, "slow"), 1);
    put(
        &server.injector,
        "held",
        TCP,
        json!({"pause": {"max": "300ms"}}),
    );
    assert!(ask(&mut peer).await >= HELD);
    assert_eq!(injected(&server, "slow"), 1, "it was asked before");
    put(&server.injector, "cut", TCP, json!({"abort": "reset"}));
    let end = timeout(SOON, peer.ask(&Ask::get("/"))).await.unwrap();
    assert!(end.head.is_none(), "{end:?}");
    assert_eq!(injected(&server, "cut"), 1);
}

#[tokio::test]
async fn a_throttled_connection_is_throttled_again_after_halt_and_resume() {
    let server = axum_server::start_with_handles().await;
    let mut peer = Http1::connect(server.address).await;
    let slow = Duration::from_millis(800);
    put(
        &server.injector,
        "slow",
        TCP,
        json!({"body": {"throttle": "100kB/s"}}),
    );
    let ask = async |peer: &mut Http1| {
        let heard = timeout(SOON, peer.ask(&Ask::get("/big"))).await.unwrap();
        heard.took()
    };
    for times in 1..3 {
        assert!(ask(&mut peer).await >= slow);
        assert_eq!(injected(&server, "slow"), times);
        server.injector.halt("enough");
        assert!(ask(&mut peer).await < slow);
        server.injector.resume();
    }
}

/// Nothing passes while injection is halted, so the faults of before are still there.
#[tokio::test]
async fn connections_that_fill_max_active_are_hit_again_after_halt_and_resume() {
    let server = axum_server::start_with_handles().await;
    let mut peers = [
        Http1::connect(server.address).await,
        Http1::connect(server.address).await,
    ];
    let rule = json!({
        "site": TCP, "max_active": 2, "faults": [{"body": {"throttle": "1MB/s"}}]
    });
    let rule = wire::rule_from_value(rule, Some("slow")).unwrap();
    server.injector.put(rule);
    for times in 1..4 {
        for peer in &mut peers {
            ask(peer).await;
        }
        assert_eq!(injected(&server, "slow"), 2 * times);
        server.injector.halt("enough");
        server.injector.resume();
    }
}

#[tokio::test]
async fn a_rule_that_spared_a_connection_is_not_asked_again() {
    let server = axum_server::start_with_handles().await;
    let rule = json!({
        "site": TCP, "skip": 1, "faults": [{"abort": "reset"}]
    });
    let rule = wire::rule_from_value(rule, Some("second")).unwrap();
    server.injector.put(rule);
    let mut peer = Http1::connect(server.address).await;
    for _ in 0..5 {
        ask(&mut peer).await;
    }
    put(&server.injector, "other", TCP, json!({"latency": "1ms"}));
    ask(&mut peer).await;
    let counts = server.injector.counts("second").unwrap();
    assert_eq!((counts.matched, counts.injected), (1, 0));
}

/// A connection through TCP, accepted by a listener.
async fn accepted(injector: &Injector) -> (TcpStream, FaultIo<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let listener = InjectListener::with_injector(listener, TCP, injector);
    let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
    (client.unwrap(), server.unwrap().0)
}

/// Bytes are counted from the arming, and faults of earlier rules go on.
#[tokio::test]
async fn a_later_rule_adds_to_the_faults_that_there_are() {
    let injector = Injector::new();
    put(
        &injector,
        "flip",
        TCP,
        json!({"body": {"corrupt": 1.0}, "on": "request"}),
    );
    let (mut client, mut server) = accepted(&injector).await;
    let mut came = [0; 4];
    client.write_all(&[0; 4]).await.unwrap();
    server.read_exact(&mut came).await.unwrap();
    assert!(came.iter().all(|byte| *byte != 0));
    put(
        &injector,
        "short",
        TCP,
        json!({"body": {"truncate_after": "3B"}, "on": "request"}),
    );
    client.write_all(&[0; 100]).await.unwrap();
    let mut came = Vec::new();
    timeout(SOON, server.read_to_end(&mut came))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(came.len(), 3);
    assert!(came.iter().all(|byte| *byte != 0));
}

#[tokio::test]
async fn a_rule_acts_on_connections_that_a_client_has_open() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let injector = Injector::new();
    let connect = service_fn(move |_: http::Uri| async move {
        TcpStream::connect(address).await.map(TokioIo::new)
    });
    let layer = ConnectLayer::with_injector(CLIENT, &injector).bytes();
    let mut connect = layer.layer(connect);
    let connecting = connect.call(http::Uri::from_static("http://test/"));
    let (made, asked) = tokio::join!(connecting, listener.accept());
    let (mut made, (mut peer, _)) = (made.unwrap(), asked.unwrap());
    let io = made.inner_mut();
    io.write_all(b"before").await.unwrap();
    peer.read_exact(&mut [0; 6]).await.unwrap();

    let rule = json!({"site": CLIENT, "match": {"labels": {"peer": "test"}}, "faults": [{"latency": "300ms"}]});
    injector.put(wire::rule_from_value(rule, Some("slow")).unwrap());
    let clock = Clock::monotonic();
    io.write_all(b"slow").await.unwrap();
    peer.read_exact(&mut [0; 4]).await.unwrap();
    assert!(clock.now() >= HELD);
    assert_eq!(injector.counts("slow").unwrap().injected, 1);

    put(&injector, "cut", CLIENT, json!({"abort": "reset"}));
    let written = io.write_all(b"never").await;
    assert_eq!(written.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}
