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
//! [`InjectLayer`] makes the service [`Inject`], whose future is [`ResponseFuture`]. A [`Surface`]
//! says how a stack takes what is injected; [`Keep`], the default, changes no type, which is what
//! axum demands.
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
//!   adds about a millisecond. It ends early when the rule is halted, changed, deleted or past its
//!   deadline; the request is then served as if nothing had been.
//! - **What does an answer do?** The inner service is not called. The response has the status, a
//!   line of text that names the rule (none for 204, 205 and 304), and `x-chaos-fault: RULE`. The
//!   request's body is not read.
//! - **What does an error do?** As the surface says. [`Keep`] answers 500, marked the same way.
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
//! # What it does not do
//!
//! It does not touch bodies, connections or clients' errors yet; delays come before the handler.
#![forbid(unsafe_code)]
// Input never panics; a broken promise of our own says so with `expect`. Tests may.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod after;
mod aim;
mod any_body;
mod body;
mod carry_out;
mod cold;
mod connection;
mod ending;
mod error;
mod future;
mod layer;
mod protocol;
mod race;
#[cfg(feature = "reqwest")]
pub mod reqwest;
mod service;
mod surface;
mod upload;

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
