//! Programs to learn from: the ones in `src/bin`, and what the larger ones are made of.
//!
//! | program | shows |
//! |---|---|
//! | `api` | that the admin port is what its OpenAPI document says, asked by strangers |
//! | `client` | outgoing calls under tower's retry and timeout, and what they hide of a fault |
//! | `greeter` | a gRPC service: tonic, with a method of each kind |
//! | `hello` | one layer and the admin port |
//! | `peers` | that curl and grpcio see what each fault is meant to show them |
//! | `plain_fn` | sites in plain code, without tower |
//! | `scribe` | an audit file without a port, written as fast as it can be |
//! | `scrape` | that Prometheus' own tool finds nothing wrong with the metrics |
//! | `shop` | a whole service: database, outgoing calls, a stream, a graceful stop |
//! | `storm` | that no answer is lost or wrong while rules change under load |
#![forbid(unsafe_code)]

mod access;
pub mod admin_client;
pub mod api;
pub mod client;
pub mod greeter;
pub mod log;
pub mod peers;
pub mod program;
mod rules;
pub mod running;
pub mod shop;
pub mod stop;
pub mod storm;

/// Any error, with a message worth reading: programs end with it, and libraries would not.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
