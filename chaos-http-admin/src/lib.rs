//! An HTTP admin API for [`chaos_core`]: it shows and changes the fault injection rules of a
//! running service, from `curl`, a program or a browser.
//!
//! ```
//! # fn doc() -> Result<(), Box<dyn std::error::Error>> {
//! let admin = chaos_http_admin::Admin::new(chaos_core::global().clone());
//! let server = admin.bind("127.0.0.1:9900".parse()?)?; // open until it is dropped
//! println!("the console is at http://{}/", server.local_addr());
//! # Ok(())
//! # }
//! ```
//!
//! Then, on the same machine:
//!
//! ```text
//! curl -X PUT localhost:9900/v1/rules/slow -H 'content-type: application/json' \
//!      -d '{"site":"db.*","rate":0.1,"faults":[{"latency":"200ms..500ms"}]}'
//! curl localhost:9900/v1/rules/slow
//! curl -X POST localhost:9900/v1/halt -H 'content-type: application/json' \
//!      -d '{"reason":"enough seen"}'
//! ```
//!
//! The routes can also be nested into the router of the service, on the same port:
//!
//! ```
//! # use axum::Router;
//! # let admin = chaos_http_admin::Admin::new(chaos_core::Injector::new());
//! let app: Router = Router::new().nest("/chaos", admin.router());
//! ```
//!
//! # The admin API
//!
#![doc = include_str!("../docs/api.md")]
//!
//! # Cost
//!
//! Without requests, the port costs one thread, one listening socket, and two counters for each
//! injection: one for all injections, and one for its site, rule and fault, which is found without a
//! lock. Calls that are not hit are not affected. Injections are retained while there is an event
//! stream, and for a minute after the last one has ended. Calls of sites are counted while a client watches them by
//! `GET /v1/live`, and no longer; such a call costs about as much as one that a guard rail measures. Requests are handled on the port's own
//! thread: a request takes well under a millisecond with ten rules, and about a tenth of a second to
//! replace or list ten thousand.
//!
//! # Guarantees
//!
#![doc = include_str!("../docs/guarantees.md")]
//!
//! # Limitations
//!
//! Without the feature `follow`, access tokens and certificates are read once; removing a token requires a
//! restart. Forwarded headers are not trusted, so behind a proxy every client has the proxy's address.
//!
//! # Features
//!
//! The [README](https://docs.rs/crate/chaos-http-admin/latest) lists
//! the features, what each adds, and how many crates it depends on.

#![forbid(unsafe_code)]
// On docs.rs, each item shows the feature that it requires.
#![cfg_attr(docsrs, feature(doc_cfg))]
// Invalid input never panics; an internal invariant that does not hold panics with `expect`.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod access;
mod admin;
mod error;
mod extract;
mod followers;
mod history;
mod metrics;

mod openapi;
mod problem;
#[cfg(feature = "follow")]
mod reload;
mod routes;
mod server;
#[cfg(test)]
mod tests;
#[cfg(feature = "webhooks")]
mod webhook;
mod worker;

/// Returns the OpenAPI 3.1 document of the routes, as `GET /openapi.json` does, without opening a
/// port: for example to generate clients from it.
///
/// ```
/// let document = chaos_http_admin::openapi();
/// assert_eq!(document["openapi"], "3.1.0");
/// assert!(document["paths"]["/v1/rules/{id}"]["put"].is_object());
/// ```
#[must_use]
pub fn openapi() -> serde_json::Value {
    routes::document("/")
}

#[cfg(feature = "tls")]
pub use crate::server::tls::{Tls, TlsError};
#[cfg(all(feature = "follow", feature = "tls"))]
pub use crate::server::tls_files::TlsFiles;
#[cfg(unix)]
pub use crate::server::unix::UnixServer;
#[cfg(feature = "webhooks")]
pub use crate::webhook::{Webhook, WebhookError};
pub use crate::{
    access::{
        access_tokens::{AccessTokens, AccessTokensError},
        role::{Role, UnknownRole},
    },
    admin::Admin,
    error::ServeError,
    history::audit_file::{AuditFile, AuditFileStatus},
    metrics::Metrics,
    server::Server,
};
