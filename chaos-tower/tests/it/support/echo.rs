//! A gRPC service with a method of each kind, tonic's server for it, and tonic's client of it. Its
//! messages are bytes, so that nothing has to be generated.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, BufMut};
use chaos_core::{Injector, wire};
use chaos_tower::{InjectLayer, InjectListener};
use futures_util::{StreamExt, TryStreamExt, future::BoxFuture, stream};
use http::uri::PathAndQuery;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tonic::{
    Code, Request, Response, Status, Streaming,
    body::Body,
    client,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::MetadataMap,
    server::{self, NamedService},
    transport::{
        Channel, Endpoint, Server,
        server::{Router, TcpIncoming},
    },
};
use tower::{
    Service,
    layer::util::{Identity, Stack},
    service_fn,
};

use crate::support::{ask::Ask, heard::now};

pub(crate) const SITE: &str = "grpc.server";

/// Between the replies of a stream, so that each is sent by itself.
const TICK: Duration = Duration::from_millis(5);

/// Each kind of method, named by what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One message, one reply: the same.
    Unary,
    /// One message, a number: as many replies, `reply 1` and so on.
    Server,
    /// Any number of messages, one reply: all of them, with commas between.
    Client,
    /// For each message a reply, as it comes: the same.
    Both,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Unary, Self::Server, Self::Client, Self::Both];

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Unary => "/test.Echo/Unary",
            Self::Server => "/test.Echo/Server",
            Self::Client => "/test.Echo/Client",
            Self::Both => "/test.Echo/Both",
        }
    }
}

/// A message as it stands on the wire.
pub(crate) fn frame(message: &str) -> Vec<u8> {
    let mut frame = vec![0];
    frame.extend((message.len() as u32).to_be_bytes());
    frame.extend(message.as_bytes());
    frame
}

pub(crate) fn frames(messages: &[&str]) -> Vec<u8> {
    messages.iter().flat_map(|message| frame(message)).collect()
}

/// The call as a client without any gRPC makes it.
pub(crate) fn ask(kind: Kind, messages: &[&str]) -> Ask {
    Ask::post(kind.path(), messages.iter().map(|message| frame(message)))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Echo {
    /// The calls that got as far as the service.
    pub(crate) served: Arc<AtomicU32>,
}

impl Echo {
    /// The server that users have, without anything of ours but the layer, around this service.
    pub(crate) async fn serve(&self, injector: &Injector) -> SocketAddr {
        let (incoming, address) = incoming().await;
        tokio::spawn(self.server(injector).serve_with_incoming(incoming));
        address
    }

    /// The same behind our listener, at the site `tcp.server`.
    pub(crate) async fn serve_behind_listener(&self, injector: &Injector) -> SocketAddr {
        let (incoming, address) = incoming().await;
        let incoming = InjectListener::with_injector(incoming, "tcp.server", injector);
        tokio::spawn(self.server(injector).serve_with_incoming(incoming));
        address
    }

    fn server(&self, injector: &Injector) -> Router<Stack<InjectLayer, Identity>> {
        let layer = InjectLayer::with_injector(SITE, injector);
        Server::builder().layer(layer).add_service(self.clone())
    }

    pub(crate) fn served(&self) -> u32 {
        self.served.load(Ordering::Relaxed)
    }
}

async fn incoming() -> (TcpIncoming, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (
        TcpIncoming::from(listener).with_nodelay(Some(true)),
        address,
    )
}

impl NamedService for Echo {
    const NAME: &'static str = "test.Echo";
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        self.served.fetch_add(1, Ordering::Relaxed);
        let mut grpc = server::Grpc::new(Raw);
        Box::pin(async move {
            Ok(match request.uri().path() {
                "/test.Echo/Unary" => grpc.unary(service_fn(unary), request).await,
                "/test.Echo/Server" => grpc.server_streaming(service_fn(server), request).await,
                "/test.Echo/Client" => grpc.client_streaming(service_fn(client), request).await,
                "/test.Echo/Both" => grpc.streaming(service_fn(both), request).await,
                path => panic!("there is no {path}"),
            })
        })
    }
}

type Message = Vec<u8>;
type Replies = Pin<Box<dyn futures_util::Stream<Item = Result<Message, Status>> + Send>>;

/// The reply says which tenant asked.
fn for_tenant<T>(asked: &MetadataMap, reply: T) -> Response<T> {
    let mut response = Response::new(reply);
    if let Some(tenant) = asked.get("x-tenant") {
        let metadata = response.metadata_mut();
        metadata.insert("x-tenant", tenant.clone());
    }
    response
}

async fn unary(request: Request<Message>) -> Result<Response<Message>, Status> {
    let (asked, _, message) = request.into_parts();
    Ok(for_tenant(&asked, message))
}

async fn server(request: Request<Message>) -> Result<Response<Replies>, Status> {
    let (asked, _, message) = request.into_parts();
    let replies: u32 = String::from_utf8_lossy(&message).parse().unwrap_or(0);
    let reply = async |number: u32| {
        tokio::time::sleep(TICK).await;
        Ok(format!("reply {number}").into_bytes())
    };
    let replies: Replies = Box::pin(stream::iter(1..=replies).then(reply));
    Ok(for_tenant(&asked, replies))
}

async fn client(request: Request<Streaming<Message>>) -> Result<Response<Message>, Status> {
    let (asked, _, messages) = request.into_parts();
    let messages: Vec<Message> = messages.try_collect().await?;
    Ok(for_tenant(&asked, messages.join(&b',')))
}

async fn both(request: Request<Streaming<Message>>) -> Result<Response<Replies>, Status> {
    let (asked, _, messages) = request.into_parts();
    let replies: Replies = Box::pin(messages);
    Ok(for_tenant(&asked, replies))
}

/// What a tonic client was given.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) replies: Vec<String>,
    /// OK, if it is not an error.
    pub(crate) status: Status,
    /// What stood before the replies of a call, or in place of them.
    pub(crate) metadata: MetadataMap,
    pub(crate) took: Duration,
}

impl Given {
    /// The code, the message, and the rule that says that it made them.
    pub(crate) fn refusal(&self) -> (Code, &str, Option<&str>) {
        let rule = self.status.metadata().get("x-chaos-fault");
        let rule = rule.map(|rule| rule.to_str().unwrap());
        (self.status.code(), self.status.message(), rule)
    }

    #[track_caller]
    pub(crate) fn is_served(&self, replies: &[&str]) {
        assert_eq!(self.status.code(), Code::Ok, "{self:?}");
        assert_eq!(self.replies, replies, "{self:?}");
    }
}

/// A connection of tonic's client.
pub(crate) async fn channel(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::new(format!("http://{address}")).unwrap();
    endpoint.connect().await.unwrap()
}

/// Calls, and waits for the end. A stream of messages stays open until then, as a conversation does.
pub(crate) async fn call(channel: &Channel, kind: Kind, messages: &[&str]) -> Given {
    let asked = now();
    let mut given = Given {
        replies: Vec::new(),
        status: Status::new(Code::Ok, ""),
        metadata: MetadataMap::new(),
        took: Duration::ZERO,
    };
    if let Err(status) = call_into(&mut given, channel, kind, messages).await {
        given.status = status;
    }
    given.took = now() - asked;
    given
}

async fn call_into(
    given: &mut Given,
    channel: &Channel,
    kind: Kind,
    messages: &[&str],
) -> Result<(), Status> {
    let text = |reply: Message| String::from_utf8_lossy(&reply).into_owned();
    let path = PathAndQuery::from_static(kind.path());
    let messages: Vec<Message> = messages.iter().map(|text| text.as_bytes().into()).collect();
    let one = || Request::new(messages[0].clone());
    let all = || Request::new(stream::iter(messages.clone()));
    let mut grpc = client::Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let replies = match kind {
        Kind::Unary | Kind::Client => {
            let reply = match kind {
                Kind::Unary => grpc.unary(one(), path, Raw).await?,
                _ => grpc.client_streaming(all(), path, Raw).await?,
            };
            let (metadata, reply, _) = reply.into_parts();
            given.metadata = metadata;
            given.replies.push(text(reply));
            return Ok(());
        }
        Kind::Server => grpc.server_streaming(one(), path, Raw).await?,
        Kind::Both => grpc.streaming(all(), path, Raw).await?,
    };
    let (metadata, mut replies, _) = replies.into_parts();
    given.metadata = metadata;
    while let Some(reply) = replies.try_next().await? {
        given.replies.push(text(reply));
    }
    Ok(())
}

/// An injector with one rule, `r`.
pub(crate) fn armed(faults: Value) -> Injector {
    let faults = match faults {
        Value::Array(faults) => faults,
        fault => vec![fault],
    };
    let rule = json!({ "site": SITE, "faults": faults });
    let injector = Injector::new();
    injector.put(wire::rule_from_value(rule, Some("r")).unwrap());
    injector
}

#[derive(Clone, Copy, Debug)]
struct Raw;

impl Codec for Raw {
    type Encode = Message;
    type Decode = Message;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Message;
    type Error = Status;

    fn encode(&mut self, message: Message, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Message;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Message>, Status> {
        let length = from.remaining();
        Ok(Some(from.copy_to_bytes(length).into()))
    }
}
