//! The waits of connections, accepted and made.

use std::{
    net::{Shutdown, SocketAddr},
    sync::Arc,
    time::Duration,
};

use chaos_core::{Clock, Injector, wire};
use chaos_tower::{ConnectLayer, FaultIo, InjectListener, PeerClose, Socket};
use futures_util::future::join_all;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use serde_json::{Value, json};
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tower::{Layer, service_fn};

use super::{until, until_let_go};

const SITE: &str = "tcp.server";
const FAR: Duration = Duration::from_secs(20);
const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: test\r\n\r\n";
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fn armed(site: &str, fault: Value) -> Injector {
    let injector = Injector::new();
    let rule = json!({"site": site, "faults": [fault]});
    injector.put(wire::rule_from_value(rule, Some("r")).unwrap());
    injector
}

/// A hyper server, whose connections each hold what is returned.
async fn http_server(injector: &Injector) -> (SocketAddr, Arc<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let listener = InjectListener::with_injector(listener, SITE, injector);
    let open = Arc::new(());
    let held = Arc::clone(&open);
    tokio::spawn(async move {
        let answer =
            async |_| Ok::<_, std::convert::Infallible>(http::Response::new("hello".to_owned()));
        let builder = auto::Builder::new(TokioExecutor::new());
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(service_fn(answer));
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            let (connection, held) = (connection.into_owned(), Arc::clone(&held));
            tokio::spawn(async move {
                let _ = connection.await;
                drop(held);
            });
        }
    });
    (address, open)
}

/// How a client goes.
#[derive(Clone, Copy, Debug)]
enum Going {
    Close,
    Reset,
    /// It sends no more, and still listens. Servers of HTTP take that for a close.
    Finish,
}

#[tokio::test]
async fn a_connection_in_a_wait_ends_with_its_client() {
    let faults = [
        json!({"hang": "20s"}),
        json!({"latency": "20s"}),
        json!({"latency": "20s", "when": "after"}),
        json!({"latency": {"at_least": "20s"}}),
        json!({"pause": {"max": "20s"}}),
        json!({"body": {"stall_after": "0B", "for": "20s"}, "on": "request"}),
        json!({"body": {"first_byte": "20s"}, "on": "request"}),
        json!({"body": {"chunk": "20s"}, "on": "request"}),
    ];
    let goings = [Going::Close, Going::Reset, Going::Finish];
    let cases = (faults.iter()).flat_map(|fault| goings.map(|going| let_go(fault, going)));
    join_all(cases).await;
}

async fn let_go(fault: &Value, going: Going) {
    let injector = armed(SITE, fault.clone());
    let (address, open) = http_server(&injector).await;
    let idle = Arc::strong_count(&open);
    let mut clients = Vec::new();
    for sent in [GET, PREFACE, b"POST / HTTP/1.1\r\n", b""] {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(sent).await.unwrap();
        clients.push(client);
    }
    let held = || Arc::strong_count(&open) == idle + 4 && injector.status().active == 4;
    assert!(until(FAR, held).await, "{fault}");
    for client in &clients {
        let socket = SockRef::from(client);
        match going {
            Going::Close => {}
            Going::Reset => socket.set_linger(Some(Duration::ZERO)).unwrap(),
            Going::Finish => socket.shutdown(Shutdown::Write).unwrap(),
        }
    }
    let _still_listening = matches!(going, Going::Finish).then_some(clients);
    assert!(until_let_go(&injector).await, "{fault}: {going:?}");
    let closed = || Arc::strong_count(&open) == idle;
    assert!(until(FAR, closed).await, "{fault}: {going:?}");
}

#[tokio::test]
async fn a_client_that_stays_is_served_after_the_wait() {
    let injector = armed(SITE, json!({"latency": "1200ms"}));
    let (address, _open) = http_server(&injector).await;
    let clock = Clock::monotonic();
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(GET).await.unwrap();
    let mut answer = [0; 12];
    timeout(FAR, client.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    assert!(clock.now() >= Duration::from_millis(1200));
}

/// A connection through TCP, accepted by a listener with the rule.
async fn accepted(injector: &Injector) -> (TcpStream, FaultIo<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let listener = InjectListener::with_injector(listener, SITE, injector);
    let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
    (client.unwrap(), server.unwrap().0)
}

#[tokio::test]
async fn what_a_client_sent_before_it_went_arrives() {
    let stall = json!({"body": {"stall_after": "10B", "for": "20s"}, "on": "request"});
    let injector = armed(SITE, stall);
    let (mut client, mut server) = accepted(&injector).await;
    client.write_all(&[7; 100_000]).await.unwrap();
    drop(client);
    let mut came = Vec::new();
    let read = timeout(Duration::from_secs(2), server.read_to_end(&mut came)).await;
    read.expect("the stall ends").unwrap();
    assert!(came == [7; 100_000], "{} bytes", came.len());
}

/// A server that answers and closes is not taken for one that has gone, because its answer still has to be read.
#[tokio::test]
async fn an_answer_whose_server_has_closed_is_held_back_all_the_same() {
    const HELD: Duration = Duration::from_millis(1200);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let injector = armed(
        "tcp.client",
        json!({"body": {"stall_after": "3B", "for": "1200ms"}}),
    );
    let connect = service_fn(move |_: http::Uri| async move {
        TcpStream::connect(address).await.map(TokioIo::new)
    });
    let layer = ConnectLayer::with_injector("tcp.client", &injector).bytes();
    let mut connect = layer.layer(connect);
    let uri = http::Uri::from_static("http://test/");
    let connecting = tower::Service::call(&mut connect, uri);
    let (made, asked) = tokio::join!(connecting, listener.accept());
    let (mut made, (mut peer, _)) = (made.unwrap(), asked.unwrap());
    peer.write_all(b"an answer").await.unwrap();
    drop(peer);
    let clock = Clock::monotonic();
    let mut came = Vec::new();
    let io = made.inner_mut();
    timeout(FAR, io.read_to_end(&mut came))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(came, b"an answer");
    assert!(clock.now() >= HELD, "{:?}", clock.now());
}

/// A socket knows how its peer has closed it, whatever it has not read yet.
#[tokio::test]
async fn a_socket_tells_a_half_close_from_a_reset() {
    let injector = Injector::new();
    let (mut client, server) = accepted(&injector).await;
    client.write_all(&[7; 100]).await.unwrap();
    server.get_ref().readable().await.unwrap();
    assert_eq!(server.get_ref().closed_by_peer(), None);
    client.shutdown().await.unwrap();
    let closed = || server.get_ref().closed_by_peer();
    assert!(until(FAR, || closed() == Some(PeerClose::Finished)).await);
    SockRef::from(&client)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(client);
    assert!(until(FAR, || closed() == Some(PeerClose::Reset)).await);
}
