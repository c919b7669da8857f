//! The server of one case, which notes what its service is asked, call by call.

use std::{
    collections::HashMap,
    convert::Infallible,
    fmt::Display,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body as AxumBody, routing::any};
use bytes::Bytes;
use chaos_core::{Fault, Injector, wire};
use chaos_tower::{AddConnection, InjectLayer, InjectListener, WithConnection};
use futures_util::stream;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};
use tower::{Layer, service_fn};

use super::case::{Case, Stack};
use crate::support::app::{self, TEXT};

/// `GET /big`: so many bytes.
pub(super) const BIG: usize = 30_000;
/// `GET /late`: answered after so long.
pub(super) const LATE: Duration = Duration::from_millis(6);

/// What the service was asked in one call.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Asked {
    pub(super) times: usize,
    pub(super) x_ask: Option<String>,
    /// The body, if it was read to its end, and whether that was an error.
    pub(super) body: Option<(Vec<u8>, bool)>,
}

/// By the number of the call.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<HashMap<usize, Asked>>>);

impl Log {
    pub(super) fn of(&self, call: usize) -> Asked {
        self.0
            .lock()
            .unwrap()
            .get(&call)
            .cloned()
            .unwrap_or_default()
    }

    fn note(&self, call: usize, note: impl FnOnce(&mut Asked)) {
        note(self.0.lock().unwrap().entry(call).or_default());
    }
}

pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) injector: Injector,
    pub(super) log: Log,
    serving: JoinHandle<()>,
}

impl Server {
    pub(super) async fn start(case: &Case) -> Self {
        let injector = Injector::new();
        injector.define("teapots", |call| {
            let really = call.arguments.contains("true");
            really.then(|| Fault::status(418).expect("a status"))
        });
        let rules = (0..case.rules.len()).map(|at| wire::rule_from_value(case.rule(at), None));
        for rule in rules {
            injector.put(rule.expect("a rule that is allowed"));
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let listener = InjectListener::with_injector(listener, "tcp", &injector);
        let log = Log::default();
        let serving = match case.stack {
            Stack::Axum => tokio::spawn(serve_axum(listener, injector.clone(), log.clone())),
            Stack::Hyper => tokio::spawn(serve_hyper(listener, injector.clone(), log.clone())),
        };
        Self {
            address,
            injector,
            log,
            serving,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

type Listener = InjectListener<TcpListener>;

async fn serve_axum(listener: Listener, injector: Injector, log: Log) {
    let page =
        any(async move |request: Request<AxumBody>| answer(request, &log).await.map(AxumBody::new));
    let layer = InjectLayer::with_injector("http.server", &injector);
    let app = Router::new().route("/{page}", page).layer(layer);
    let app = WithConnection::new(app.into_make_service());
    axum::serve(listener, app).await.unwrap();
}

async fn serve_hyper(listener: Listener, injector: Injector, log: Log) {
    let service = service_fn(move |request| {
        let log = log.clone();
        async move { Ok::<_, Infallible>(answer(request, &log).await) }
    });
    let layer = InjectLayer::with_injector("http.server", &injector);
    let service = layer.boxed_errors().wrapped_bodies().layer(service);
    let builder = auto::Builder::new(TokioExecutor::new());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let service = AddConnection::new(service.clone(), stream.handle());
        let service = TowerToHyperService::new(service);
        let builder = builder.clone();
        tokio::spawn(async move {
            let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
            // What became of it is for its client to say.
            drop(connection.await);
        });
    }
}

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

fn bare(status: StatusCode) -> Answer {
    let mut answer = Response::new(Empty::new().boxed_unsync());
    *answer.status_mut() = status;
    answer
}

fn full(bytes: impl Into<Bytes>) -> Answer {
    Response::new(Full::new(bytes.into()).boxed_unsync())
}

async fn answer<B>(mut request: Request<B>, log: &Log) -> Answer
where
    B: Body<Data = Bytes, Error: Display>,
{
    let number = request.headers().get("x-call").expect("every call has one");
    let number = number.to_str().unwrap().parse().unwrap();
    log.note(number, |asked| {
        asked.times += 1;
        let x_ask = request.headers().get("x-ask");
        asked.x_ask = x_ask.map(|value| value.to_str().unwrap().to_owned());
    });
    let is_head = request.method() == Method::HEAD;
    let mut answer = match request.uri().path() {
        "/text" => full(TEXT),
        "/stream" => Response::new(pieces_body(app::PIECES).boxed_unsync()),
        "/big" => full(vec![b'b'; BIG]),
        "/empty" => bare(StatusCode::OK),
        "/no-content" => bare(StatusCode::NO_CONTENT),
        "/not-modified" => bare(StatusCode::NOT_MODIFIED),
        "/messages" => {
            let mut answer = Response::new(app::messages_body().boxed_unsync());
            let grpc = HeaderValue::from_static("application/grpc");
            answer.headers_mut().insert(header::CONTENT_TYPE, grpc);
            answer
        }
        "/late" => {
            tokio::time::sleep(LATE).await;
            full(TEXT)
        }
        "/upgrade" => {
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(echo(upgrade));
            let mut answer = bare(StatusCode::SWITCHING_PROTOCOLS);
            let headers = answer.headers_mut();
            headers.insert("connection", HeaderValue::from_static("upgrade"));
            headers.insert("upgrade", HeaderValue::from_static("echo"));
            answer
        }
        "/echo" => {
            let (bytes, is_broken) = read(request.into_body()).await;
            let text = format!("{} bytes", bytes.len());
            log.note(number, |asked| asked.body = Some((bytes, is_broken)));
            let mut answer = full(text);
            if is_broken {
                *answer.status_mut() = StatusCode::BAD_REQUEST;
            }
            answer
        }
        path => panic!("nothing is served at {path}"),
    };
    if is_head {
        *answer.body_mut() = Empty::new().boxed_unsync();
    }
    let heard = HeaderValue::from_static("yes");
    answer.headers_mut().insert("x-heard", heard);
    answer
}

/// Returns what came of a body, and whether it ended with an error.
async fn read<B>(body: B) -> (Vec<u8>, bool)
where
    B: Body<Data = Bytes, Error: Display>,
{
    let (mut body, mut bytes) = (std::pin::pin!(body), Vec::new());
    while let Some(frame) = body.frame().await {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => bytes.extend_from_slice(&data),
            Ok(Err(_trailers)) => {}
            Err(_) => return (bytes, true),
        }
    }
    (bytes, false)
}

/// Pieces of ten bytes, a little apart, which do not say how many they are.
fn pieces_body(pieces: usize) -> impl Body<Data = Bytes, Error = Infallible> + Send + 'static {
    StreamBody::new(stream::unfold(0, move |sent| async move {
        if sent == pieces {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        let piece = Frame::data(Bytes::from_static(b"0123456789"));
        Some((Ok(piece), sent + 1))
    }))
}

/// Sends back what comes on an upgraded connection.
async fn echo(upgrade: hyper::upgrade::OnUpgrade) {
    let Ok(upgraded) = upgrade.await else {
        return;
    };
    let mut stream = TokioIo::new(upgraded);
    let mut buffer = [0; 1024];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
