//! An axum server, and the rule that hits every call to it.

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use chaos_core::{Direction, Fault, Injector, Rule, fault::BytesFault};
use chaos_tower::InjectLayer;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_body::Frame;
use tokio::net::TcpListener;

/// What `/sized` and `/streamed` answer.
pub(crate) const BODY: &[u8] = &[b'a'; 20_000];

/// What `/small` answers.
pub(crate) const SMALL: &[u8] = b"small";

/// A gRPC message with its prefix: `/grpc` answers five.
pub(crate) const MESSAGE: &[u8] = &[0, 0, 0, 0, 3, 1, 2, 3];

pub(crate) struct Server {
    pub(crate) injector: Injector,
    pub(crate) address: SocketAddr,
}

pub(crate) fn on_answer(fault: BytesFault) -> Fault {
    Fault::Body(fault, Direction::Response)
}

impl Server {
    /// One with a rule, and a layer that keeps axum's types.
    pub(crate) async fn hit(fault: Fault) -> Self {
        let injector = Injector::new();
        let layer = InjectLayer::with_injector("server", &injector);
        let rule = Rule::new("r".parse().unwrap(), "server".parse().unwrap(), fault);
        injector.put(rule);
        Self::serve(injector, app().layer(layer)).await
    }

    /// One without rules, and with a layer that wraps every body.
    pub(crate) async fn idle() -> Self {
        let injector = Injector::new();
        let layer = InjectLayer::with_injector("server", &injector);
        Self::serve(injector, app().layer(layer.wrapped_bodies())).await
    }

    async fn serve(injector: Injector, app: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { injector, address }
    }

    pub(crate) fn active(&self) -> u64 {
        self.injector.counts("r").unwrap().active
    }
}

fn app() -> Router {
    Router::new()
        .route("/small", get(async || SMALL))
        .route("/sized", get(async || BODY))
        .route("/streamed", get(async || Body::new(Frames::of([BODY]))))
        .route("/grpc", post(grpc))
        .route("/echo", post(echo))
        .route("/upload", post(upload))
}

async fn grpc() -> Response {
    let two = [MESSAGE, MESSAGE].concat();
    // The messages begin and end amid frames.
    let frames = [&two[..], &two[..3], &two[3..], MESSAGE];
    let mut body = Frames::of(frames);
    let status = HeaderName::from_static("grpc-status");
    let trailers = HeaderMap::from_iter([(status, HeaderValue::from_static("0"))]);
    body.0.push_back(Frame::trailers(trailers));
    let content_type = [(header::CONTENT_TYPE, "application/grpc")];
    (content_type, Body::new(body)).into_response()
}

async fn echo(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "application/grpc")], body).into_response()
}

async fn upload(body: Bytes) -> String {
    let changed = body.iter().filter(|byte| **byte != b'a').count();
    format!("{} bytes, {changed} changed", body.len())
}

/// A body of unknown length.
struct Frames(VecDeque<Frame<Bytes>>);

impl Frames {
    fn of<const N: usize>(frames: [&[u8]; N]) -> Self {
        let frame = |data| Frame::data(Bytes::copy_from_slice(data));
        Self(frames.into_iter().map(frame).collect())
    }
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }
}

/// Waits until it is so, for a while.
pub(crate) async fn eventually(is_so: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it is never so");
}
