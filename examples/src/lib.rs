//! Example programs (in `src/bin`), and the modules that the larger ones are built from.
//!
//! | program | shows |
//! |---|---|
//! | `api` | that the admin API conforms to its OpenAPI document, checked by independent tools |
//! | `attacks` | that nobody can use the admin port against the service, and that a halt is always answered |
//! | `client` | outgoing calls under tower's retry and timeout, and which faults these hide |
//! | `commands` | that the commands of the README and of the book do what their pages say |
//! | `end_to_end` | what the layer adds to the processor time of a request, with wrk and h2load |
//! | `greeter` | a gRPC service built with tonic: unary, streaming both ways, and bidirectional methods |
//! | `hello` | one layer and the admin port |
//! | `peers` | that curl and grpcio observe the documented effect of each fault |
//! | `plain_fn` | sites in plain functions, without tower |
//! | `proxy` | a reverse proxy: an axum service in front of a client of hyper-util |
//! | `scribe` | an audit file without an admin port, written at full speed |
//! | `scrape` | that Prometheus' `promtool` accepts the metrics |
//! | `shop` | a complete service: database, outgoing calls, a stream, graceful shutdown |
//! | `storm` | that no response is lost or wrong while rules change under load |
//! | `victim` | a service to attack |
#![forbid(unsafe_code)]

mod access;
pub mod admin_client;
pub mod checks;
pub mod client;
pub mod greeter;
pub mod log;
mod main_error;
pub mod program;
mod rules;
pub mod running;
pub mod shop;
pub mod stop;
pub mod variables;

pub use main_error::MainError;

/// The boxed error type of the example programs. Each error's message names what failed. A library
/// would define its own type.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
