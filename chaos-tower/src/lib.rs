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
//! # Which layer for which stack
//!
//! Stacks differ in which error and body types they accept. [`Surface`] is the type parameter that selects
//! how the layer injects them; the table says which to use.
//!
//! | stack | layer | what the stack gets |
//! |---|---|---|
//! | axum, tonic's server | `InjectLayer::new("http.server")` | All types stay. A body that a fault changes is boxed, an error becomes a response, and an abort cuts the body. |
//! | tonic's `Channel` | `.boxed_errors()` ([`InjectChannel`]) | Errors are those that the client itself returns. |
//! | `reqwest::Client` | none: `reqwest::Client::new(plain, "http.client")` has the methods of the plain client | Errors are those that the client itself returns; see the module `reqwest`. |
//! | `reqwest::Client` in a stack of tower | `InjectLayer::new("http.client")`; above layers that box errors, `.boxed_errors()` | the same |
//! | hyper-util's client, with a body such as axum's | `.boxed_errors().wrapped_responses()` ([`InjectClient`]) | The bodies of responses are [`FaultBody`]s, errors are boxed. |
//! | hyper's servers, hyper-util's client with any body | `.boxed_errors().wrapped_bodies()` ([`InjectHyper`]) | Bodies are [`FaultBody`]s, errors are boxed. |
//! | axum, above layers that change the body of the response (compression, trace) | `.wrapped_responses()` | The bodies of responses are [`FaultBody`]s, all else stays. |
//! | other bodies that a layer has changed | `.wrapped_bodies()` | Bodies are [`FaultBody`]s, the error type stays. |
//!
//! While idle, none of them allocates. Boxed errors and wrapped bodies cost a few instructions more than
//! types that stay, and axum boxes a wrapped body once more; `cargo bench` has a row for each.
//!
//! # Where to put the layer
//!
//! | place | requests that pass the site |
//! |---|---|
//! | `Router::layer` | every request, also those without a route |
//! | `Router::route_layer` | requests with a route |
//! | `MethodRouter::layer` | requests of one route |
//! | `layer.layer(router)` | every request, without the box that `Router::layer` adds |
//!
//! Inside a `nest`, rules see the path as the nested handlers do, without the prefix.
//!
//! The layer requires of the inner service what axum requires: `Clone + Send + 'static`, with a future that
//! is `Send + 'static`. A call that a rule hits is served by a clone, in a boxed future.
//!
//! # Exact semantics
//!
//! - **When are rules evaluated?** Once per call, in `call`, in their order, before the inner service is
//!   called. A request that no rule hits is passed on at once, and its future is the inner future.
//! - **When do counters change?** `matched` in `call`. `injected` when the first fault of the rule starts:
//!   when the future is first polled, when the faults of the rules before it are done, or, for what acts on
//!   the response, when there is a response to act on. A future that is dropped before that is not an
//!   injection, and does not use up a `limit`.
//! - **What is a response?** Whatever the call gets: that of the inner service, or the answer of a rule. A
//!   delay with `"when": "after"`, headers, body faults and an `abort` with `after` act on either, in any
//!   order of the rules. A delay also holds back an error or a cut. A fault on bytes does not happen, and is
//!   not counted, where there are none or too few: in an answer to HEAD, with status 1xx, 204 or 304, with an
//!   empty body, or with no more bytes than it lets pass; the same holds for the body of a request.
//! - **What does `active` count?** Calls from the decision to hit them until their last fault is done or
//!   their future dropped. The inner call does not count.
//! - **What does dropping the future do?** It ends the faults. During a delay, the inner service is dropped
//!   with it, uncalled, and releases what it reserved.
//! - **What does a delay do?** It runs before the inner service is called, on tokio's timer, which adds
//!   about a millisecond. With `"when": "after"` it runs after the inner service has returned and released
//!   what it reserved; with `at_least` it runs beside the inner call. It ends early when the rule is halted,
//!   changed, deleted or past its deadline, and the request is then served normally.
//! - **What does a status or gRPC answer do?** The inner service is not called, and the request's body is not
//!   read. The response has the status, the body of the rule or a line of text that names it (none for 204,
//!   205 and 304), and the header `x-chaos-fault: RULE`. A gRPC call (`content-type: application/grpc…`)
//!   gets headers alone, with its status; with `after_messages`, trailers after that many messages.
//! - **What does an error do?** It depends on the surface. [`SameTypes`] responds with 500, or a gRPC status
//!   for the error's kind, marked with `x-chaos-fault`. [`BoxErrors`] returns an [`std::io::Error`] of
//!   that kind.
//! - **What does an abort do?** Under [`SameTypes`], the response's body fails before its first byte, which
//!   makes hyper close an HTTP/1 connection without sending one, and reset an HTTP/2 stream. Under
//!   [`BoxErrors`], the call fails. `reset` also sends an RST on the connection, if it can be found.
//! - **What does a hang do?** It waits, and reads up to 64 KiB of the request's body ahead, because a server
//!   that does not read does not notice that its client disconnects. The inner service gets what was read.
//! - **What do body faults do?** The body of the request or of the response is wrapped. Their waits end as a
//!   delay does, and when their rule is over, the rest passes at once. Trailers pass, except those of a body
//!   that is cut short. Such a body keeps its length, so that the receiver can tell; without a length, it
//!   cannot.
//! - **What about readiness?** The service that was polled ready is the one that is called, delayed or not.
//!   If it is not called, it is dropped, so that it keeps no permit.
//! - **Timeout above** counts the delay; **Timeout below** starts after it. A client's own timeout is below,
//!   and cannot be read (tonic's `Endpoint::timeout` and `grpc-timeout`, those of a `reqwest::Client`), so a
//!   delay at a layer above the client does not set it off: put a Timeout above the layer, or inject at the
//!   client's connector. The timeout of one `reqwest::Request` bounds its delays. **ConcurrencyLimit above or
//!   below** holds its permit during the delay. **Buffer** and **LoadShed below** see the request after it.
//!   **Retry above** has the rules evaluated again for each attempt.
//!
//! # Guarantees
//!
//! Each of these is covered by a test.
//!
//! - An idle layer allocates nothing, clones nothing, and passes requests, responses and bodies on as they
//!   are.
//! - A halt, or the end of a rule, releases every call that waits for it, and the call is then served.
//! - A fault that only delays loses no byte, no trailer and no error of a body.
//! - A body's `size_hint` and `is_end_stream` stay correct, except the size of a body that is cut short.
//! - A response that a fault changed names its rule in `x-chaos-fault`, unless the site
//!   [says otherwise](chaos_core::Site::mark).
//! - Bodies and connections are throttled to the same rate.
//!
//! # Cost
//!
//! Idle: one relaxed load and one branch in `call`, one branch in `poll`, no allocation, no clone, and at
//! most eight bytes of future. A call that a rule hits costs one box and one clone of the inner service. The
//! bench `overhead` of the repository measures both.
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
