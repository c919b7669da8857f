//! A tower layer that injects faults into HTTP services, and costs nothing until someone aims one.
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use chaos_core::{Fault, Injector, Rule};
//! use chaos_tower::InjectLayer;
//! use http::{Request, StatusCode};
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let injector = Injector::new();
//! let app = Router::new()
//!     .route("/", get(async || "hello"))
//!     .layer(InjectLayer::with_injector("http.server", &injector));
//! let ask = || app.clone().oneshot(Request::new(Body::empty()));
//!
//! assert_eq!(ask().await?.status(), StatusCode::OK); // off
//!
//! injector.put(Rule::new("down".parse()?, "http.server".parse()?, Fault::status(503)?));
//! assert_eq!(ask().await?.status(), StatusCode::SERVICE_UNAVAILABLE); // on
//!
//! injector.clear();
//! assert_eq!(ask().await?.status(), StatusCode::OK); // off
//! # Ok(())
//! # }
//! ```
//!
//! [`InjectLayer`] makes the service [`Inject`], whose future is [`ResponseFuture`].
//!
//! # Which form
//!
//! A stack says what it can be given in place of its own errors and bodies; a [`Surface`] is the
//! answer, as a type.
//!
//! | stack | layer | what is injected |
//! |---|---|---|
//! | axum, tonic's server | `InjectLayer::new("http.server")` | no type changes; a body is boxed when a fault reaches it; an error is an answer, and an abort cuts the body |
//! | tonic's `Channel` | `.boxed_errors()` | errors as the client's own |
//! | hyper's servers, hyper-util's client | `.boxed_errors().wrapped_bodies()` | bodies are [`FaultBody`]s |
//! | bodies that another layer has changed | `.wrapped_bodies()` | the same, and errors stay |
//!
//! Idle, all of them cost the same; where a body is wrapped, axum boxes it once more by itself.
//!
//! # Where to put it
//!
//! | place | what it sees |
//! |---|---|
//! | `Router::layer` | every request, also those that no route takes |
//! | `Router::route_layer` | requests that a route takes |
//! | `MethodRouter::layer` | one route |
//! | `layer.layer(router)` | every request, without the box that `Router::layer` itself makes |
//!
//! Inside a `nest`, it sees the path as the nested handlers do, without the prefix.
//!
//! It asks of the inner service what axum asks: `Clone + Send + 'static`, with a future that is
//! `Send + 'static`. A call that is hit is carried out by a clone, in a box.
//!
//! # Exact semantics
//!
//! - **When are the rules asked?** Once, in `call`, in order, before the inner service is. A
//!   request that no rule hits is passed on then and there; its future is the inner future.
//! - **When do counters move?** `matched` in `call`. `injected` when the first deed of a rule that
//!   fired begins, which is when the future is polled for the first time, or when the rules before
//!   it are done. A future that is dropped before is no injection, and gives back its part of a
//!   `limit`.
//! - **What is `active`?** A call from the decision to hit it until the last deed is done or the
//!   future dropped; the inner call is not part of it.
//! - **What does a dropped future do?** It ends the delay. The inner service is dropped with
//!   it, uncalled, and what it reserved is free.
//! - **What does a delay do?** It runs before the inner service is called, on tokio's timer, which
//!   adds about a millisecond; `"when": "after"` runs it between the answer and its way back, when
//!   what the inner service reserved is free again, and `at_least` alongside. It ends early when the
//!   rule is halted, changed, deleted or past its deadline; the request is then served as if nothing
//!   had been.
//! - **What does an answer do?** The inner service is not called. The response has the status, its
//!   body or a line of text that names the rule (none for 204, 205 and 304), and `x-chaos-fault:
//!   RULE`. The request's body is not read. A gRPC call (`content-type: application/grpc…`) gets
//!   headers alone, with its status; with `after_messages`, trailers when so many have passed.
//! - **What does an error do?** As the surface says. [`Keep`] answers 500, or a gRPC status of the
//!   error's kind, marked the same way; [`Boxed`] is an [`std::io::Error`] of that kind.
//! - **What does an abort do?** Under [`Keep`], the answer's body fails before it begins, which
//!   makes hyper close an HTTP/1 connection without a byte and reset an HTTP/2 stream; under
//!   [`Boxed`] it is an error. `reset` cuts the connection with an RST if it can be found.
//! - **What does a hang do?** It waits, and reads up to 64 KiB of the request's body ahead, because
//!   a server that does not read does not see its client go. What was read is not lost.
//! - **What do faults of bodies do?** The inner service is called with the body wrapped, or its
//!   answer's body is. They wait as a delay does, and stop when their rule is over: then the rest
//!   passes at once. Trailers pass, but for what is cut short. A body that is cut short keeps its
//!   length, so that the receiver can tell; without a length, it cannot.
//! - **Readiness.** The service that was polled ready is the one that is called, late or not. The
//!   one that is not called is dropped, so that no permit is stranded in it.
//! - **Timeout above** counts the delay; **Timeout below** starts after it. **ConcurrencyLimit above
//!   or below** holds its permit during the delay. **Buffer** and **LoadShed below** see the request
//!   after it. **Retry above** asks the rules again for every try.
//!
//! # What it costs
//!
//! Idle: one relaxed load and one branch in `call`, one branch in `poll`; no allocation, no clone, at
//! most eight bytes of future. A call that is hit costs one box and one clone of the inner service.
//!
//! # Features
//!
//! The [README](https://docs.rs/crate/chaos-tower/latest) lists the features, what each adds, and how many
//! crates it costs.
//!
//! # What it does not do
//!
//! It cannot send GOAWAY, or an RST, where it does not know the connection; a fault that changes the
//! way back is counted when its deed begins, even if the body ends before it is felt.
#![forbid(unsafe_code)]
// On docs.rs, each item says which feature it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
// Input never panics; a broken promise of our own says so with `expect`. Tests may.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod after;
mod aim;
mod any_body;
mod body;
mod caller;
mod carry_out;
mod cold;
#[cfg(feature = "client")]
mod connect;
#[cfg(feature = "client")]
mod connecting;
mod connection;
mod ending;
mod error;
#[cfg(feature = "connection")]
mod farewell;
#[cfg(feature = "connection")]
mod faults;
#[cfg(feature = "client")]
mod form;
mod future;
#[cfg(feature = "connection")]
mod handle;
#[cfg(feature = "connection")]
mod io;
#[cfg(feature = "connection")]
mod lane;
mod layer;
#[cfg(feature = "connection")]
mod listener;
#[cfg(feature = "connection")]
mod opening;
#[cfg(all(feature = "reset", target_os = "linux"))]
mod peer;
mod protocol;
mod race;
#[cfg(feature = "reqwest")]
pub mod reqwest;
mod service;
#[cfg(feature = "connection")]
mod socket;
mod surface;
#[cfg(feature = "token")]
mod token;
mod upload;
#[cfg(feature = "connection")]
mod with_connection;
mod work;

#[cfg(all(feature = "reset", target_os = "linux"))]
pub use crate::peer::Peer;
#[cfg(feature = "token")]
pub use crate::token::{
    OpenOverlay, PassToken, PassTokenLayer, TOKEN_HEADER, TokenCounts, TokenLayer,
};
#[cfg(all(feature = "connection", feature = "axum"))]
pub use crate::with_connection::{WithConnection, WithConnectionFuture};
pub use crate::{
    any_body::AnyBody,
    body::FaultBody,
    error::BoxError,
    future::ResponseFuture,
    layer::InjectLayer,
    protocol::FAULT_HEADER,
    service::Inject,
    surface::{Bodies, Boxed, Keep, Surface, Wrap},
};
#[cfg(feature = "client")]
pub use crate::{
    connect::{Connect, ConnectLayer},
    connecting::ConnectFuture,
    form::{AsItIs, Form, Wrapped},
};
#[cfg(feature = "connection")]
pub use crate::{
    handle::ConnectionHandle, io::FaultIo, listener::InjectListener, socket::Socket,
    with_connection::AddConnection,
};
