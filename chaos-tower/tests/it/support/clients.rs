//! The clients that a layer stands before: tonic's channel, hyper-util's client and reqwest's. The peer is
//! real, answers all of them alike, and notes what it is asked.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, routing::post};
use chaos_core::{Injector, Policy, wire};
use chaos_tower::{BoxError, InjectClient, InjectLayer, reqwest};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy, rt::TokioExecutor};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tonic::transport::Endpoint;
use tower::{Layer, ServiceExt};

use crate::support::{
    app::{self, MESSAGE},
    heard::now,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tonic,
    Hyper,
    /// hyper-util's with axum's body, which stays: [`chaos_tower::InjectClient`].
    HyperClient,
    Reqwest,
    /// Reqwest's, as [`chaos_tower::reqwest::Client`].
    ReqwestClient,
}

/// A client, the rules in front of it, and its peer.
pub(crate) struct Client {
    pub(crate) kind: Kind,
    pub(crate) injector: Injector,
    address: SocketAddr,
    asked: Asked,
}

/// The headers and the body of each request.
type Asked = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// What the client got of one call, and when.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) head: Option<Response<()>>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
    /// Of the call, or of the body.
    pub(crate) error: Option<BoxError>,
    pub(crate) took: Duration,
}

impl Client {
    pub(crate) async fn start(kind: Kind) -> Self {
        let asked = Asked::default();
        let note = asked.clone();
        let answer = move |headers: HeaderMap, body: Bytes| {
            note.lock().unwrap().push((headers, body));
            let grpc = [
                (CONTENT_TYPE, HeaderValue::from_static("application/grpc")),
                (X_HEARD, HeaderValue::from_static("yes")),
            ];
            std::future::ready((grpc, axum::body::Body::new(app::messages_body())))
        };
        let app = Router::new().route("/messages", post(answer));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        let injector = Injector::new();
        injector.set_policy(
            Policy::new()
                .burn_time(Duration::from_secs(3600))
                .allow_exit(true),
        );
        Self {
            kind,
            injector,
            address,
            asked,
        }
    }

    /// One rule, `r`, with these faults, in place of the one before.
    pub(crate) fn aim(&self, faults: Value) {
        let rule = json!({"site": "client", "faults": faults});
        self.injector.clear();
        let rule = wire::rule_from_value(rule, Some("r")).unwrap();
        self.injector.put(rule);
    }

    pub(crate) fn injected(&self) -> u64 {
        self.injector.counts("r").unwrap().injected
    }

    pub(crate) fn active(&self) -> u64 {
        self.injector.status().active
    }

    /// How often the peer was asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// What the peer was asked last.
    pub(crate) fn last_asked(&self) -> (HeaderMap, Bytes) {
        let asked = self.asked.lock().unwrap();
        asked.last().expect("it was asked").clone()
    }

    /// Calls as gRPC if that is what the client speaks.
    pub(crate) async fn call(&self) -> Called {
        self.call_as(self.kind == Kind::Tonic).await
    }

    pub(crate) async fn call_as(&self, is_grpc: bool) -> Called {
        let mut request = Request::post(format!("http://{}/messages", self.address));
        if is_grpc {
            request = request.header(CONTENT_TYPE, "application/grpc");
        }
        let request = request.header("x-ask", "client").body(()).unwrap();
        let layer = InjectLayer::with_injector("client", &self.injector);
        let asked_at = now();
        let full = || Full::new(Bytes::from_static(MESSAGE));
        let called = match self.kind {
            Kind::Tonic => {
                let channel = Endpoint::try_from(format!("http://{}", self.address));
                let service = layer.boxed_errors().layer(channel.unwrap().connect_lazy());
                let request = request.map(|()| tonic::body::Body::new(full()));
                hear(service.oneshot(request).await).await
            }
            Kind::Hyper => {
                let mut builder = legacy::Client::builder(TokioExecutor::new());
                let client = builder.http2_only(is_grpc).build_http();
                let service = layer.boxed_errors().wrapped_bodies().layer(client);
                hear(service.oneshot(request.map(|()| full())).await).await
            }
            Kind::HyperClient => {
                let mut builder = legacy::Client::builder(TokioExecutor::new());
                let client = builder.http2_only(is_grpc).build_http();
                let layer = layer.boxed_errors().wrapped_responses();
                let service: InjectClient<legacy::Client<_, axum::body::Body>> =
                    layer.layer(client);
                let request = request.map(|()| axum::body::Body::new(full()));
                hear(service.oneshot(request).await).await
            }
            Kind::Reqwest | Kind::ReqwestClient => {
                let builder = ::reqwest::Client::builder().no_proxy();
                let builder = match is_grpc {
                    true => builder.http2_prior_knowledge(),
                    false => builder,
                };
                let plain = builder.build().unwrap();
                let request = request.map(|()| MESSAGE.to_vec());
                let result = if self.kind == Kind::Reqwest {
                    let service = layer.layer(plain);
                    service.oneshot(request.try_into().unwrap()).await
                } else {
                    let client = reqwest::Client::with_injector(plain, "client", &self.injector);
                    let (head, body) = request.into_parts();
                    let call = client.request(head.method, head.uri.to_string());
                    call.headers(head.headers).body(body).send().await
                };
                hear(result.map(Response::from)).await
            }
        };
        let took = now() - asked_at;
        Called { took, ..called }
    }
}

const X_HEARD: HeaderName = HeaderName::from_static("x-heard");

async fn hear<B, E>(result: Result<Response<B>, E>) -> Called
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
    E: Into<BoxError>,
{
    let mut called = Called {
        head: None,
        body: Vec::new(),
        trailers: None,
        error: None,
        took: Duration::ZERO,
    };
    let (head, mut body) = match result {
        Ok(response) => response.into_parts(),
        Err(error) => {
            called.error = Some(error.into());
            return called;
        }
    };
    called.head = Some(Response::from_parts(head, ()));
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => match frame.into_data() {
                Ok(data) => called.body.extend_from_slice(&data),
                Err(frame) => called.trailers = frame.into_trailers().ok(),
            },
            Err(error) => {
                called.error = Some(error.into());
                break;
            }
        }
    }
    called
}

impl Called {
    /// The value of a header; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let head = self
            .head
            .as_ref()
            .unwrap_or_else(|| panic!("no head: {self:?}"));
        let value = head.headers().get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn status(&self) -> u16 {
        let head = self
            .head
            .as_ref()
            .unwrap_or_else(|| panic!("no head: {self:?}"));
        head.status().as_u16()
    }

    /// The gRPC status in the trailers, or in the headers.
    pub(crate) fn grpc_status(&self) -> &str {
        let trailers = self.trailers.as_ref();
        let in_trailers = trailers.and_then(|trailers| trailers.get("grpc-status"));
        in_trailers.map_or_else(|| self.header("grpc-status"), |code| code.to_str().unwrap())
    }

    /// That it is the answer of the peer.
    #[track_caller]
    pub(crate) fn is_served(&self) {
        assert!(self.error.is_none(), "{self:?}");
        assert_eq!(self.status(), 200, "{self:?}");
        assert_eq!(self.body, MESSAGE.repeat(app::PIECES), "{self:?}");
    }
}
