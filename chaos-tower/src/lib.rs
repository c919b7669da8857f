//! A tower layer that injects faults into HTTP services, and costs a few instructions while no rule is armed.
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
//! [`InjectLayer`] makes the service [`Inject`], whose future is [`ResponseFuture`]. A layer belongs to a
//! [`Site`](chaos_core::Site), here `http.server`; rules name the site.
//!
//! # Stacks
//!
#![doc = include_str!("../docs/stacks.md")]
//!
//! # Exact semantics
//!
#![doc = include_str!("../docs/semantics.md")]
//!
//! # Guarantees
//!
#![doc = include_str!("../docs/guarantees.md")]
//!
//! # Cost
//!
//! An idle layer costs one relaxed load and one branch in `call`, one branch in `poll`, and at most eight
//! bytes of future. It allocates and clones nothing. A call that a rule hits costs one box and one clone of
//! the inner service. The bench `overhead` of the repository measures both.
//!
//! # Features
//!
//! The [README](https://docs.rs/crate/chaos-tower/latest) lists the features, what each adds, and how many
//! crates it costs.
//!
//! # Limits
//!
//! The layer cannot send a GOAWAY or an RST on a connection that it does not know. A fault on a response is
//! counted when it starts, even if the body ends before the fault has an effect.
#![forbid(unsafe_code)]
// On docs.rs, each item says which feature it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
// No input causes a panic. A broken invariant of our own panics with `expect`. Tests may unwrap.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod body;
mod boxed_future;
mod byte_fault;
#[cfg(feature = "client")]
mod connect;
mod connection;
mod error;
mod execute;
mod future;
mod layer;
#[cfg(feature = "reqwest")]
pub mod reqwest;
mod service;
mod site_ref;
mod surface;
#[cfg(all(test, feature = "connection"))]
mod tests;
#[cfg(feature = "token")]
mod token;

#[cfg(feature = "client")]
pub use crate::connect::{
    Connect, ConnectLayer,
    future::ConnectFuture,
    wrap::{Unwrapped, WrapConnection, Wrapped},
};
#[cfg(all(feature = "reset", target_os = "linux"))]
pub use crate::connection::reset::Peer;
#[cfg(all(feature = "connection", feature = "axum"))]
pub use crate::connection::with_connection::{WithConnection, WithConnectionFuture};
#[cfg(feature = "connection")]
pub use crate::connection::{
    handle::ConnectionHandle,
    io::FaultIo,
    listener::InjectListener,
    socket::{PeerClose, Socket},
    with_connection::AddConnection,
};
#[cfg(feature = "token")]
pub use crate::token::{
    OpenOverlay, PassToken, PassTokenLayer, TOKEN_HEADER, TokenCounts, TokenLayer,
};
pub use crate::{
    body::{FaultBody, any_body::AnyBody},
    error::BoxError,
    execute::protocol::FAULT_HEADER,
    future::ResponseFuture,
    layer::{
        InjectChannel, InjectClient, InjectHyper, InjectLayer,
        overlay_layer::{OverlayLayer, RunInOverlay},
    },
    service::Inject,
    surface::{
        Bodies, BoxErrors, HttpBody, HttpSurface, InnerService, RequestBody, SameTypes, Surface,
        WrapBodies, WrapRequests, WrapResponses,
    },
};
