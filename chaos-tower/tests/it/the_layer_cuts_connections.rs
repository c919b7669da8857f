//! A rule for requests reaches the connection that a request came on: through its handle, or, where
//! nobody wrapped it, through its peer's address.

use std::{io, net::SocketAddr, time::Duration};

use axum::{Router, routing::any};
use chaos_core::{Fault, Injector, Rule, fault::Abort, plan::CutKind, wire};
use chaos_tower::{FaultBody, FaultIo, InjectLayer, InjectListener, WithConnection};
use http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tower::{Layer, ServiceExt, service_fn};

const SITE: &str = "http.server";
const FAR: Duration = Duration::from_secs(20);

fn armed(kind: CutKind) -> Injector {
    let (injector, fault) = (Injector::new(), Fault::abort(Abort::Cut(kind)));
    let rule = Rule::new("r".parse().unwrap(), SITE.parse().unwrap(), fault);
    injector.put(rule);
    injector
}

fn app(injector: &Injector) -> Router {
    let layer = InjectLayer::with_injector(SITE, injector);
    Router::new().route("/", any(async || "hello")).layer(layer)
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn serve(app: Router) -> SocketAddr {
    let (listener, address) = listener().await;
    let make = WithConnection::new(app.into_make_service());
    let listener = InjectListener::new(listener, "tcp.server");
    tokio::spawn(async { axum::serve(listener, make).await });
    address
}

async fn ask(address: SocketAddr) -> io::Result<String> {
    send(address, "GET /").await
}

/// Sends a request with this method and target, and reads up to the end of the connection.
async fn send(address: SocketAddr, target: &str) -> io::Result<String> {
    send_with(address, target, "").await
}

/// Sends a request with more header lines, and returns what the client reads.
async fn send_with(address: SocketAddr, target: &str, headers: &str) -> io::Result<String> {
    let mut client = TcpStream::connect(address).await?;
    let request = format!("{target} HTTP/1.1\r\nhost: a\r\n{headers}\r\n");
    client.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    let read = client.read_to_string(&mut answer);
    timeout(FAR, read).await.expect("it does not hang")?;
    Ok(answer)
}

#[tokio::test]
async fn reset_and_close() {
    let injector = armed(CutKind::Reset);
    let reset = ask(serve(app(&injector)).await).await;
    assert_eq!(reset.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    let injector = armed(CutKind::Close);
    assert_eq!(ask(serve(app(&injector)).await).await.unwrap(), "");
}

/// A server does not poll the body of a successful answer to CONNECT.
#[tokio::test]
async fn a_connect_request_is_cut_like_a_get() {
    let injector = armed(CutKind::Close);
    let address = serve(app(&injector)).await;
    assert_eq!(send(address, "CONNECT a:1").await.unwrap(), "");

    let client = TcpStream::connect(address).await.unwrap();
    let (mut h2, connection) = h2::client::handshake(client).await.unwrap();
    tokio::spawn(connection);
    let request = Request::connect("a:1").body(()).unwrap();
    let answer = h2.send_request(request, false).unwrap().0;
    let error = timeout(FAR, answer).await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(h2::Reason::INTERNAL_ERROR));
    let counts = injector.counts("r").unwrap();
    assert_eq!((counts.injected, counts.active), (2, 0));
}

/// A server does not poll the body of an answer to HEAD over HTTP/1.
#[tokio::test]
async fn a_head_request_is_cut_like_a_get() {
    let injector = armed(CutKind::Close);
    let address = serve(app(&injector)).await;
    assert_eq!(send(address, "HEAD /").await.unwrap(), "");

    let client = TcpStream::connect(address).await.unwrap();
    let (mut h2, connection) = h2::client::handshake(client).await.unwrap();
    tokio::spawn(connection);
    let request = Request::head("http://a/").body(()).unwrap();
    let answer = h2.send_request(request, true).unwrap().0;
    // axum drops the body, and the connection carries other streams.
    assert_eq!(timeout(FAR, answer).await.unwrap().unwrap().status(), 200);
    let counts = injector.counts("r").unwrap();
    assert_eq!((counts.injected, counts.active), (1, 0));
}

/// Nothing can be cut: what would be an answer of 500 is neither injected nor counted.
#[tokio::test]
async fn a_head_request_that_cannot_be_cut_is_served() {
    for kind in [CutKind::Close, CutKind::Reset, CutKind::Refuse] {
        let injector = armed(kind);
        // Nothing knows the connection of a plain server.
        let (listener, address) = listener().await;
        let plain = app(&injector);
        tokio::spawn(async { axum::serve(listener, plain).await });
        let last = "connection: close\r\n";
        let answer = send_with(address, "HEAD /", last).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let client = TcpStream::connect(address).await.unwrap();
        let (mut h2, connection) = h2::client::handshake(client).await.unwrap();
        tokio::spawn(connection);
        let request = Request::head("http://a/").body(()).unwrap();
        let answer = h2.send_request(request, true).unwrap().0;
        assert_eq!(timeout(FAR, answer).await.unwrap().unwrap().status(), 200);
        let counts = injector.counts("r").unwrap();
        assert_eq!((counts.injected, counts.active), (0, 0));
        // GET is cut on the same server.
        assert_eq!(send(address, "GET /").await.unwrap(), "");
        assert_eq!(injector.counts("r").unwrap().injected, 1);
    }
}

/// A reset ends the connection, whatever it carries.
#[tokio::test]
async fn a_head_request_is_reset_over_http2() {
    let injector = armed(CutKind::Reset);
    let address = serve(app(&injector)).await;
    let client = TcpStream::connect(address).await.unwrap();
    let (mut h2, connection) = h2::client::handshake(client).await.unwrap();
    tokio::spawn(connection);
    let request = Request::head("http://a/").body(()).unwrap();
    let answer = h2.send_request(request, true).unwrap().0;
    let error = timeout(FAR, answer).await.unwrap().unwrap_err();
    assert_eq!(
        error.get_io().unwrap().kind(),
        io::ErrorKind::ConnectionReset
    );
    assert_eq!(injector.counts("r").unwrap().injected, 1);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_head_request_is_cut_where_the_peer_is_known() {
    let (injector, (listener, address)) = (armed(CutKind::Close), listener().await);
    let make = app(&injector).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async { axum::serve(listener, make).await });
    assert_eq!(send(address, "HEAD /").await.unwrap(), "");
}

#[tokio::test]
async fn goes_away_when_it_has_answered() {
    let injector = armed(CutKind::GoAway);
    let address = serve(app(&injector)).await;
    let answer = ask(address).await.unwrap();
    assert!(answer.ends_with("hello"), "{answer}");

    let client = TcpStream::connect(address).await.unwrap();
    let (mut h2, connection) = h2::client::handshake(client).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = || Request::get("http://a/").body(()).unwrap();
    let answer = h2.send_request(request(), true).unwrap().0;
    assert_eq!(timeout(FAR, answer).await.unwrap().unwrap().status(), 200);
    drop(h2);
    let end = timeout(FAR, connection).await.expect("it ends");
    end.unwrap().unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn resets_what_nobody_wrapped() {
    let (injector, (listener, address)) = (armed(CutKind::Reset), listener().await);
    let make = app(&injector).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async { axum::serve(listener, make).await });
    let reset = ask(address).await;
    assert_eq!(reset.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

/// A reverse proxy forwards the request that it got, extensions and all: a fault at its client reset the
/// connection of its visitor.
#[tokio::test]
async fn a_clients_fault_leaves_the_connection_of_a_visitor_alone() {
    let (listener, address) = listener().await;
    let visitor = FaultIo::new(TcpStream::connect(address).await.unwrap());
    drop(listener);
    let handle = visitor.handle();
    let forwarded = || {
        let mut request = Request::new(axum::body::Body::empty());
        request.extensions_mut().insert(handle.clone());
        request
    };
    let faults = [
        json!({"abort": "reset"}),
        json!({"abort": "reset", "after": "1B"}),
        json!({"abort": "goaway"}),
    ];
    for fault in faults {
        let injector = Injector::new();
        let rule = json!({"site": SITE, "faults": [&fault]});
        injector.put(wire::rule_from_value(rule, Some("r")).unwrap());
        let layer = InjectLayer::with_injector(SITE, &injector).boxed_errors();
        let served = service_fn(async |_: Request<axum::body::Body>| {
            Ok::<_, io::Error>(Response::new(axum::body::Body::from("hello")))
        });
        if let Ok(answer) = layer.layer(served).oneshot(forwarded()).await {
            let _ = axum::body::to_bytes(answer.into_body(), 10).await;
        }
        let served = service_fn(async |_: Request<FaultBody<axum::body::Body>>| {
            Ok::<_, io::Error>(Response::new(axum::body::Body::from("hello")))
        });
        let wrapped = layer.wrapped_bodies().layer(served);
        if let Ok(answer) = wrapped.oneshot(forwarded()).await {
            let _ = answer.into_body().collect().await;
        }
        assert_eq!(injector.counts("r").unwrap().injected, 2, "{fault}");
        let told = timeout(Duration::ZERO, handle.shutdown_requested()).await;
        assert!(told.is_err(), "{fault}");
    }
}
