//! Peers on loopback: one that answers, and those that clients have trouble with.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use http_body_util::{BodyExt, Full};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Answers over HTTP/1, HTTP/2 and gRPC, and counts what it is asked.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    asked: Arc<AtomicU64>,
}

impl Peer {
    pub(crate) async fn start() -> Self {
        let asked = Arc::<AtomicU64>::default();
        let counter = asked.clone();
        let count = move |request: Request| {
            counter.fetch_add(1, Relaxed);
            request
        };
        let app = Router::new()
            .route("/hello", get(hello).post(async |body: Bytes| body))
            .route("/streamed", get(streamed))
            .route("/count", post(count_bytes))
            .route("/moved", post(async || Redirect::temporary("/hello")))
            .route("/test.Test/Hello", post(grpc_hello))
            .layer(tower::util::MapRequestLayer::new(count));
        let listener = listener().await;
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, asked }
    }

    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Relaxed)
    }
}

/// Says what it is told to.
async fn hello(headers: HeaderMap) -> Bytes {
    let said = headers.get("x-say").map(HeaderValue::as_bytes);
    Bytes::copy_from_slice(said.unwrap_or(b"hello"))
}

/// Answers without a length.
async fn streamed() -> Body {
    let words = [Ok::<_, std::io::Error>("hel"), Ok("lo, "), Ok("stream")];
    Body::from_stream(futures_util::stream::iter(words))
}

/// Answers how many bytes came, if they came whole.
async fn count_bytes(body: Bytes) -> String {
    body.len().to_string()
}

async fn grpc_hello() -> Response {
    let message = Full::new(Bytes::from_static(b"\0\0\0\0\x05hello"));
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = message.with_trailers(async { Some(Ok(trailers)) });
    (
        [(header::CONTENT_TYPE, "application/grpc")],
        Body::new(body),
    )
        .into_response()
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Answers with these bytes, whatever it is asked, and closes the connection.
pub(crate) async fn answering(answer: &'static str) -> SocketAddr {
    reading(move |stream| {
        let mut stream = stream.into_std().unwrap();
        stream.set_nonblocking(false).unwrap();
        std::io::Write::write_all(&mut stream, answer.as_bytes()).unwrap();
    })
    .await
}

/// Nobody is there.
pub(crate) async fn refusing() -> SocketAddr {
    listener().await.local_addr().unwrap()
}

/// Reads, and resets the connection.
pub(crate) async fn resetting() -> SocketAddr {
    reading(|stream: TcpStream| stream.set_zero_linger().unwrap()).await
}

/// Reads, and closes the connection.
pub(crate) async fn closing() -> SocketAddr {
    reading(|mut stream: TcpStream| {
        tokio::spawn(async move {
            // What is left unread would make a close a reset: a client of HTTP/2 writes more than once.
            let _ = stream.shutdown().await;
            while matches!(stream.read(&mut [0; 4096]).await, Ok(1..)) {}
        });
    })
    .await
}

/// Reads, and says nothing for as long as the test takes.
pub(crate) async fn silent() -> SocketAddr {
    reading(|stream| {
        tokio::spawn(async move {
            let _kept = stream;
            std::future::pending::<()>().await;
        });
    })
    .await
}

async fn reading(then: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = listener().await;
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            then(stream);
        }
    });
    address
}
