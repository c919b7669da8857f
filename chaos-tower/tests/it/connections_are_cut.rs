//! What a handle orders is what a real peer sees: RST, FIN or GOAWAY, on its own connection only.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use axum::{Extension, Router, extract::ConnectInfo, routing::any, serve::ListenerExt};
use chaos_tower::{AddConnection, ConnectionHandle, FaultIo, InjectListener, WithConnection};
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

/// Longer than anything here takes; reached only by what hangs.
const FAR: Duration = Duration::from_secs(20);

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn cut(how: &str, handle: &ConnectionHandle) {
    match how {
        "reset" => handle.reset(),
        "close" => handle.close(),
        "away" => handle.go_away(),
        _ => unreachable!(),
    }
}

/// `/cut/{how}` cuts its own connection and hangs; `/away` tells it to go away and answers.
fn app() -> Router {
    let hang = async |path: axum::extract::Path<String>, handle: Extension<ConnectionHandle>| {
        cut(&path, &handle);
        std::future::pending::<()>().await;
    };
    let away = async |handle: Extension<ConnectionHandle>| {
        cut("away", &handle);
        tokio::time::sleep(Duration::from_millis(50)).await;
        "bye"
    };
    Router::new()
        .route("/cut/{how}", any(hang))
        .route("/away", any(away))
        .route("/", any(async || "hello"))
}

async fn serve(app: Router) -> SocketAddr {
    let (listener, address) = listener().await;
    let make = WithConnection::new(app.into_make_service());
    tokio::spawn(async { axum::serve(InjectListener::new(listener, "tcp.server"), make).await });
    address
}

/// Sends this, and reads to the end, or the error.
async fn ask(address: SocketAddr, request: &str) -> io::Result<String> {
    let mut client = TcpStream::connect(address).await?;
    client.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    let read = client.read_to_string(&mut answer);
    timeout(FAR, read).await.expect("it does not hang")?;
    Ok(answer)
}

const HELLO: &str = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn a_reset_is_rst_and_a_close_is_fin() {
    let address = serve(app()).await;
    let reset = ask(address, "GET /cut/reset HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(reset.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    let closed = ask(address, "GET /cut/close HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(closed.unwrap(), "");
    assert!(ask(address, HELLO).await.unwrap().ends_with("hello"));
}

/// hyper does not read then, so a failing read alone would not be noticed; and Linux would follow
/// the FIN with an RST, because of what nobody read.
#[tokio::test]
async fn a_request_whose_body_nobody_reads_is_cut_too() {
    let late = async |path: axum::extract::Path<String>, handle: Extension<ConnectionHandle>| {
        // When all of it is there.
        tokio::time::sleep(Duration::from_millis(100)).await;
        cut(&path, &handle);
        std::future::pending::<()>().await;
    };
    let address = serve(Router::new().route("/{how}", any(late))).await;
    for how in ["reset", "close"] {
        let mut client = TcpStream::connect(address).await.unwrap();
        let head = format!("POST /{how} HTTP/1.1\r\nhost: a\r\ncontent-length: 40000\r\n\r\n");
        client.write_all(head.as_bytes()).await.unwrap();
        client.write_all(&[b'x'; 40_000]).await.unwrap();
        let read = timeout(FAR, client.read(&mut [0]))
            .await
            .expect("it does not hang");
        match how {
            "reset" => assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset),
            _ => assert_eq!(read.unwrap(), 0),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(
            client.take_error().unwrap().is_none(),
            "nothing comes after it"
        );
    }
}

/// Whoever polls the connection for the last time is woken, whatever it polled for.
#[tokio::test]
async fn an_order_wakes_whoever_waits() {
    struct Woken(AtomicBool);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    for wait in ["read", "write", "flush"] {
        let (_client, server) = tokio::io::duplex(8);
        let mut io = FaultIo::new(server);
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        let mut poll = || match wait {
            "read" => Pin::new(&mut io).poll_read(&mut cx, &mut ReadBuf::new(&mut [0])),
            "write" => Pin::new(&mut io).poll_write(&mut cx, &[0; 9]).map_ok(drop),
            _ => Pin::new(&mut io).poll_flush(&mut cx),
        };
        while wait != "flush" && poll().is_ready() {}
        let _ = poll();
        io.handle().reset();
        assert!(woken.0.load(Ordering::Relaxed), "{wait}");
        assert!(matches!(
            Pin::new(&mut io).poll_flush(&mut cx),
            Poll::Ready(Err(_))
        ));
    }
}

#[tokio::test]
async fn an_owner_that_shuts_it_all_the_same_hides_nothing() {
    let (listener, address) = listener().await;
    let mut client = TcpStream::connect(address).await.unwrap();
    let mut server = FaultIo::new(listener.accept().await.unwrap().0);
    server.handle().reset();
    server.shutdown().await.unwrap();
    drop(server);
    let reset = timeout(FAR, client.read_u8()).await.unwrap();
    assert_eq!(reset.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn from_elsewhere_and_later_and_only_that_one() {
    let (send, mut handles) = mpsc::unbounded_channel();
    let hang = async move |Extension(handle): Extension<ConnectionHandle>| {
        send.send(handle).unwrap();
        std::future::pending::<()>().await;
    };
    let address = serve(Router::new().route("/", any(hang))).await;
    for request in [
        "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        // Its body is there, and nobody reads it.
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n12345",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 50\r\n\r\n12345",
    ] {
        let mut other = TcpStream::connect(address).await.unwrap();
        other.write_all(request.as_bytes()).await.unwrap();
        let spared = handles.recv().await.unwrap();
        let client = tokio::spawn(ask(address, request));
        let handle = handles.recv().await.unwrap();
        // Let the server go back to waiting.
        tokio::time::sleep(Duration::from_millis(20)).await;
        handle.reset();
        assert!(handle.is_cut() && !spared.is_cut());
        let reset = client.await.unwrap();
        assert_eq!(reset.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        let quiet = timeout(Duration::from_millis(50), other.read_u8()).await;
        assert!(quiet.is_err(), "the other connection is as it was");
    }
}

#[tokio::test]
async fn an_idle_connection_is_cut() {
    let (listener, address) = listener().await;
    let (send, mut handles) = mpsc::unbounded_channel();
    let listener = InjectListener::new(listener, "tcp.server").tap_io(move |io| {
        send.send(io.handle()).unwrap();
    });
    tokio::spawn(async { axum::serve(listener, app()).await });
    let mut client = TcpStream::connect(address).await.unwrap();
    let handle = handles.recv().await.unwrap();
    handle.reset();
    let read = timeout(FAR, client.read_u8()).await.expect("it is cut");
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn the_applications_own_connect_info_stays() {
    let (listener, address) = listener().await;
    let both = async |ConnectInfo(peer): ConnectInfo<SocketAddr>,
                      _: Extension<ConnectionHandle>| peer.ip().to_string();
    let app = Router::new().route("/", any(both));
    // axum has its `SocketAddr` for its own listeners only, and `tap_io` makes one of its own.
    let listener = InjectListener::new(listener, "tcp.server").tap_io(|_| ());
    let make = WithConnection::new(app.into_make_service_with_connect_info::<SocketAddr>());
    tokio::spawn(async { axum::serve(listener, make).await });
    assert!(ask(address, HELLO).await.unwrap().ends_with("127.0.0.1"));
}

#[tokio::test]
async fn as_connect_info_it_is_found_too() {
    let (listener, address) = listener().await;
    let found = async |request: axum::extract::Request| {
        let handle = ConnectionHandle::of(request.extensions()).unwrap();
        handle.reset();
    };
    let app = Router::new().route("/", any(found));
    let make = app.into_make_service_with_connect_info::<ConnectionHandle>();
    tokio::spawn(async { axum::serve(InjectListener::new(listener, "tcp.server"), make).await });
    let reset = ask(address, HELLO).await;
    assert_eq!(reset.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

type H2 = h2::client::SendRequest<bytes::Bytes>;

async fn h2(address: SocketAddr) -> (H2, tokio::task::JoinHandle<Result<(), h2::Error>>) {
    let client = TcpStream::connect(address).await.unwrap();
    let (h2, connection) = h2::client::handshake(client).await.unwrap();
    (h2, tokio::spawn(connection))
}

async fn get(h2: &mut H2, path: &str) -> Result<String, h2::Error> {
    let uri = format!("http://a{path}");
    let request = Request::get(uri).body(()).unwrap();
    std::future::poll_fn(|cx| h2.poll_ready(cx)).await?;
    let response = timeout(FAR, h2.send_request(request, true)?.0);
    let mut body = response.await.expect("it does not hang")?.into_body();
    let mut text = Vec::new();
    while let Some(data) = body.data().await {
        text.extend(data?);
    }
    Ok(String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn http2_loses_every_stream_of_the_connection() {
    let address = serve(app()).await;
    let (mut one, _) = h2(address).await;
    let (mut other, _) = h2(address).await;
    assert_eq!(get(&mut one, "/").await.unwrap(), "hello");
    let error = get(&mut one, "/cut/reset").await.unwrap_err();
    let kind = error.get_io().expect("an error of the connection").kind();
    assert_eq!(kind, io::ErrorKind::ConnectionReset);
    assert!(get(&mut one, "/").await.is_err());
    assert_eq!(get(&mut other, "/").await.unwrap(), "hello");
}

#[tokio::test]
async fn http2_goes_away_when_its_calls_are_done() {
    let address = serve(app()).await;
    let (mut client, connection) = h2(address).await;
    let mut second = client.clone();
    let (away, slow) = tokio::join!(get(&mut client, "/away"), get(&mut second, "/"));
    assert_eq!(
        (away.unwrap().as_str(), slow.unwrap().as_str()),
        ("bye", "hello")
    );
    let refused = get(&mut client, "/").await.unwrap_err();
    assert!(refused.is_go_away() && refused.is_remote(), "{refused:?}");
    assert_eq!(refused.reason(), Some(h2::Reason::NO_ERROR));
    drop((client, second));
    // It ends without another word.
    timeout(FAR, connection)
        .await
        .expect("it ends")
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn reqwest_leaves_a_connection_that_goes_away_and_reports_one_that_is_reset() {
    let address = serve(app()).await;
    let client = reqwest::Client::builder();
    let client = client.http2_prior_knowledge().no_proxy().build().unwrap();
    for _ in 0..3 {
        let away = client.get(format!("http://{address}/away")).send().await;
        assert_eq!(away.unwrap().text().await.unwrap(), "bye");
    }
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let reset = client.get(format!("http://{address}/cut/reset")).send();
    let error = timeout(FAR, reset).await.unwrap().unwrap_err();
    assert_eq!(io_kind(&error), Some(io::ErrorKind::ConnectionReset));
}

fn io_kind(error: &(dyn std::error::Error + 'static)) -> Option<io::ErrorKind> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        next = error.source();
    }
    None
}

/// An accept loop of one's own: hyper's `graceful_shutdown` says good-bye, over HTTP/1 too.
#[tokio::test]
async fn an_accept_loop_is_shutdown_requested() {
    let (listener, address) = listener().await;
    let listener = InjectListener::new(listener, "tcp.server");
    tokio::spawn(async move {
        let (io, _) = listener.accept().await.unwrap();
        let handle = io.handle();
        let service = tower::service_fn(async |request: Request<hyper::body::Incoming>| {
            ConnectionHandle::of(request.extensions())
                .unwrap()
                .go_away();
            Ok::<_, std::convert::Infallible>(Response::new(Full::<&[u8]>::new(b"bye")))
        });
        let service = TowerToHyperService::new(AddConnection::new(service, handle.clone()));
        let builder = hyper::server::conn::http1::Builder::new();
        let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(io), service));
        tokio::select! {
            done = connection.as_mut() => return done,
            () = handle.shutdown_requested() => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    });
    let answer = ask(address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    assert!(answer.ends_with("bye"), "{answer}");
}

mod tonic_server {
    use tonic::{
        Code,
        transport::{
            Endpoint,
            server::{Server, TcpConnectInfo, TcpIncoming},
        },
    };
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
    use tower::{Layer, Service};

    use super::*;

    /// Does `how` to the connection, and goes on.
    #[derive(Clone)]
    struct Cut<S>(&'static str, S);

    impl<S: Service<Request<B>>, B> Service<Request<B>> for Cut<S> {
        type Response = S::Response;
        type Error = S::Error;
        type Future = S::Future;

        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
            self.1.poll_ready(cx)
        }

        fn call(&mut self, request: Request<B>) -> S::Future {
            let handle = ConnectionHandle::of(request.extensions()).unwrap();
            let info = handle.connect_info::<TcpConnectInfo>().unwrap();
            assert!(info.remote_addr.unwrap().ip().is_loopback());
            match self.0 {
                "reset" => handle.reset(),
                _ => handle.go_away(),
            }
            self.1.call(request)
        }
    }

    #[derive(Clone)]
    struct CutLayer(&'static str);

    impl<S> Layer<S> for CutLayer {
        type Service = Cut<S>;

        fn layer(&self, inner: S) -> Cut<S> {
            Cut(self.0, inner)
        }
    }

    async fn client(how: &'static str) -> HealthClient<tonic::transport::Channel> {
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = incoming.local_addr().unwrap();
        let (_reporter, health) = tonic_health::server::health_reporter();
        let server = Server::builder().layer(CutLayer(how)).add_service(health);
        tokio::spawn(server.serve_with_incoming(InjectListener::new(incoming, "tcp.server")));
        let to = Endpoint::from_shared(format!("http://{address}")).unwrap();
        HealthClient::new(to.connect_lazy())
    }

    #[tokio::test]
    async fn is_reset() {
        let mut client = client("reset").await;
        let call = client.check(HealthCheckRequest::default());
        let status = timeout(FAR, call).await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::Unknown);
        assert_eq!(io_kind(&status), Some(io::ErrorKind::ConnectionReset));
    }

    #[tokio::test]
    async fn knows_its_peer_again() {
        let restore = |mut request: Request<tonic::body::Body>| {
            ConnectionHandle::restore_connect_info::<TcpConnectInfo>(request.extensions_mut());
            let info = request.extensions().get::<TcpConnectInfo>();
            assert!(info.unwrap().remote_addr.unwrap().ip().is_loopback());
            request
        };
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = incoming.local_addr().unwrap();
        let (_reporter, health) = tonic_health::server::health_reporter();
        let layer = tower::util::MapRequestLayer::new(restore);
        let server = Server::builder().layer(layer).add_service(health);
        let incoming = InjectListener::new(incoming, "tcp.server");
        tokio::spawn(server.serve_with_incoming(incoming));
        let to = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let mut client = HealthClient::new(to.connect_lazy());
        client.check(HealthCheckRequest::default()).await.unwrap();
    }

    /// tonic's client connects anew, and no call fails.
    #[tokio::test]
    async fn goes_away() {
        let mut client = client("away").await;
        for _ in 0..5 {
            let call = client.check(HealthCheckRequest::default());
            timeout(FAR, call).await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn a_big_answer_passes_unchanged() {
    let address = serve(Router::new().route("/", any(async || vec![7_u8; 5_000_000]))).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client
        .get(format!("http://{address}/"))
        .send()
        .await
        .unwrap();
    let body = answer.bytes().await.unwrap();
    assert!(body.len() == 5_000_000 && body.iter().all(|byte| *byte == 7));
}
