//! The kinds of site that a rule can aim at, each with the layer whose calls guard rails measure.

use std::{convert::Infallible, io, time::Duration};

use axum::body::Body as AxumBody;
use bytes::Bytes;
use chaos_core::{Fault, Injector, Policy, inject_async, wire};
use chaos_tower::{BoxError, InjectLayer, InjectListener};
use futures_util::{FutureExt, future::BoxFuture, future::join_all};
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use tokio_stream::StreamExt;
use tonic::body::Body as TonicBody;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::app::MESSAGE;

/// Where the rule aims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Axum,
    Hyper,
    Tonic,
    Client,
    TonicClient,
    Code,
    Connection,
}

impl Place {
    pub(super) const ALL: [Self; 7] = [
        Self::Axum,
        Self::Hyper,
        Self::Tonic,
        Self::Client,
        Self::TonicClient,
        Self::Code,
        Self::Connection,
    ];

    fn site(self) -> &'static str {
        match self {
            Self::Code => "db.read",
            Self::Connection => "tcp",
            _ => "http.server",
        }
    }
}

type Call = Box<dyn Fn() -> BoxFuture<'static, ()>>;

pub(super) struct Stack {
    pub(super) injector: Injector,
    place: Place,
    call: Call,
}

impl Stack {
    pub(super) fn new(place: Place) -> Self {
        let injector = Injector::new();
        injector.define("down", |_| Some(Fault::status(503).expect("a status")));
        injector.set_policy(Policy::new().burn_time(Duration::from_secs(1)));
        let layer = InjectLayer::with_injector("http.server", &injector);
        let call: Call = match place {
            Place::Axum => {
                let service = layer.layer(service_fn(|it| answer(it, AxumBody::new)));
                Box::new(move || call(service.clone(), http_request()).boxed())
            }
            Place::Hyper => {
                let service = layer
                    .wrapped_bodies()
                    .layer(service_fn(|it| answer(it, same)));
                Box::new(move || call(service.clone(), http_request()).boxed())
            }
            Place::Client => {
                let layer = layer.boxed_errors().wrapped_bodies();
                let service = layer.layer(service_fn(|it| answer(it, same)));
                Box::new(move || call(service.clone(), http_request()).boxed())
            }
            Place::Tonic => {
                let service = layer.layer(service_fn(|it| answer(it, TonicBody::new)));
                Box::new(move || call(service.clone(), grpc_request()).boxed())
            }
            Place::TonicClient => {
                let layer = layer.boxed_errors();
                let service = layer.layer(service_fn(|it| answer(it, TonicBody::new)));
                Box::new(move || call(service.clone(), grpc_request()).boxed())
            }
            Place::Code => {
                let db = injector.clone();
                let handler = move |request| {
                    let db = db.clone();
                    async move {
                        let passed = inject_async!(injector: &db, "db.read").await;
                        let mut response = answer(request, AxumBody::new).await?;
                        if passed.is_err() {
                            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                        }
                        Ok::<_, Infallible>(response)
                    }
                };
                let service = layer.layer(service_fn(handler));
                Box::new(move || call(service.clone(), http_request()).boxed())
            }
            Place::Connection => {
                let service = layer
                    .wrapped_bodies()
                    .layer(service_fn(|it| answer(it, same)));
                let injector = injector.clone();
                Box::new(move || call_on_connection(service.clone(), injector.clone()).boxed())
            }
        };
        Self {
            injector,
            place,
            call,
        }
    }

    /// One rule, with this fault and this guard rail.
    pub(super) fn aim(&self, fault: &Value, rail: Value) {
        // A fault that the site cannot have is accepted, and never happens.
        let rule = json!({
            "id": "r", "site": self.place.site(), "faults": [fault], "guards": [rail], "ttl": "never",
        });
        let rule = wire::rule_from_value(rule, None).expect("a rule that is allowed");
        self.injector.put(rule);
    }

    /// Makes calls, and returns whether a guard rail has tripped.
    pub(super) async fn trips(&self) -> bool {
        join_all((0..6).map(|_| {
            // One that panics takes only its task along.
            let call = tokio::spawn((self.call)());
            timeout(Duration::from_secs(20), call)
        }))
        .await;
        !self.injector.status().breaches.is_empty()
    }
}

fn same(body: Full<Bytes>) -> Full<Bytes> {
    body
}

/// Reads the request, and answers with a message.
async fn answer<A, B>(
    request: Request<A>,
    make: impl Fn(Full<Bytes>) -> B,
) -> Result<Response<B>, Infallible>
where
    A: Body<Data = Bytes>,
{
    let _ = request.into_body().collect().await;
    Ok(Response::new(make(Full::new(Bytes::from_static(MESSAGE)))))
}

fn http_request() -> Request<AxumBody> {
    let body = AxumBody::from(MESSAGE);
    Request::post("/").body(body).expect("a request")
}

fn grpc_request() -> Request<TonicBody> {
    let body = TonicBody::new(Full::new(Bytes::from_static(MESSAGE)));
    let request = Request::post("/test.Test/Hello").header("content-type", "application/grpc");
    request.body(body).expect("a request")
}

/// Calls, and reads what comes.
async fn call<S, A, B>(service: S, request: Request<A>)
where
    S: Service<Request<A>, Response = Response<B>>,
    B: Body,
{
    if let Ok(response) = service.oneshot(request).await {
        let _ = response.into_body().collect().await;
    }
}

/// Calls over a connection that passes the site `tcp`.
async fn call_on_connection<S, B>(service: S, injector: Injector)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes, Error = BoxError> + Send + 'static,
{
    let (mut client, server) = tokio::io::duplex(1 << 16);
    let incoming = tokio_stream::iter([io::Result::Ok(server)]);
    let mut listener = InjectListener::with_injector(incoming, "tcp", &injector);
    let server = listener
        .next()
        .await
        .expect("a connection")
        .expect("no error");
    let service = TowerToHyperService::new(service);
    let connection = http1::Builder::new().serve_connection(TokioIo::new(server), service);
    let request = [
        b"POST / HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: 10\r\n\r\n",
        MESSAGE,
    ];
    let ask = async {
        let _ = client.write_all(&request.concat()).await;
        let _ = client.read_to_end(&mut Vec::new()).await;
    };
    let _ = tokio::join!(connection, ask);
}
