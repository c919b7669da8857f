//! An admin port for [`chaos_core`]: see the rules of a running service and change them, from
//! `curl`, a program or a browser.
//!
//! ```
//! # async fn doc() -> Result<(), Box<dyn std::error::Error>> {
//! let admin = chaos_http_admin::Admin::new(chaos_core::global().clone());
//! let server = admin.bind("127.0.0.1:9900".parse()?).await?;
//! println!("the console is at http://{}/", server.local_addr());
//! tokio::spawn(server.run(async { /* until the service stops */ }));
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
//! It can share a port with the service as well:
//!
//! ```
//! # use axum::Router;
//! # let admin = chaos_http_admin::Admin::new(chaos_core::Injector::new());
//! let app: Router = Router::new().nest("/chaos", admin.router());
//! ```
//!
//! # Routes
//!
//! | route | role | does |
//! |---|---|---|
//! | `GET /` | none | the console page |
//! | `GET /v1/status` | observe | idle, armed or halted, by whose reason, and the totals |
//! | `GET /v1/sites` | observe | every site, where it stands, and which rules aim at it |
//! | `GET /v1/rules` | observe | the rules in order, with their counts and time left |
//! | `PUT /v1/rules` | arm | replaces all rules at once; `?dry_run=true` only says what would change |
//! | `GET /v1/rules/{id}` | observe | one rule |
//! | `PUT /v1/rules/{id}` | arm | makes a rule (201) or replaces it in place (200) |
//! | `PATCH /v1/rules/{id}` | arm | merges into a rule (RFC 7396): `{"enabled":false}` turns it off |
//! | `DELETE /v1/rules/{id}` | arm | takes a rule out (204) |
//! | `GET /v1/rules/{id}/injections` | observe | the number of its injections so far, as a bare JSON number; `?at_least=3&within=5` waits for them |
//! | `GET /v1/rules/{id}/decisions` | observe | which calls it has hit since it was armed: a log that can be its `replay` |
//! | `POST /v1/rules/{id}/release` | stop | lets the calls go that its `pause` holds (204) |
//! | `POST /v1/preview` | observe | which ordinals or keys a rule would hit; injects nothing |
//! | `POST /v1/tokens` | arm | signs a token that brings rules to the requests that bear it; needs a key |
//! | `POST /v1/halt` | stop | stops all injection at once; the body is `{"reason":"…"}` |
//! | `POST /v1/resume` | arm | undoes a halt; the body is `{"reason":"…"}` |
//! | `POST /v1/acknowledge` | arm | takes note of what guard rails have stopped, so that it may be armed or resumed again; the body is `{"reason":"…"}` |
//! | `GET /v1/audit` | observe | who did what, when, from where and why, with each rule before and after; `?after=ID`, `?limit=N` |
//! | `GET /v1/events` | observe | server-sent events: injections, and what the audit gains; taken up again by `Last-Event-ID` |
//! | `GET /metrics` | observe | the metrics, in Prometheus' text format |
//! | `GET /healthz` | none | `ok`, if the port answers |
//! | `GET /openapi.json` | none | this table as an OpenAPI document |
//!
//! - **A rule** is shown as it was written, with two fields more. `stats` holds `matched`,
//!   `injected`, `shadowed`, `active`, `evicted`, `overflow` (the calls that each limit has spared) and
//!   `expires_in`: seconds to the deadline, 0 if it has passed, `null` if there is none or the rule is
//!   off. `sites` holds the names of the known sites
//!   it aims at; an empty list is a rule that waits for its site, or has a slip in its name.
//! - **What is written** is a rule as [`chaos_core::wire`] reads it, or `{"rules":[…]}` for all of
//!   them; `stats`, `sites` and `generation` are taken in and left alone, so that what was read can
//!   be written back. A `PUT` of all rules answers with `generation` and the ids `added`,
//!   `changed`, `removed`, `unchanged` and `moved`, dry or not; each id is in one list. `moved` are
//!   the rules that are as they were but not where they were: of the rules in both lists, one that
//!   stood before them now stands after them, or the other way round, and the order decides which
//!   fault comes first. `halt` and `resume` answer with the status.
//! - **An expired rule** is armed again by a `PUT` of its own, or by a `PATCH` that switches it on
//!   after one has switched it off. A `PATCH` that gives it another reason does not arm it; one of
//!   what it does makes it another rule, which starts anew.
//! - **A rule made in code** may be more than JSON can say, such as one with a second fault that is
//!   never reached. A `PATCH` of `enabled` and `reason` alone leaves all else of a rule alone, so it
//!   works on those too, and keeps their counts. Any other field has the rule read anew from what
//!   is shown of it.
//! - **The generation** of the rules is the `ETag` of every rule, of their list, and of every
//!   write's answer, those of `halt` and `resume` included. `If-Match` on a write refuses it (412)
//!   if someone else's came first; `*` asks that what is written to exists. On `resume`, it asks
//!   that the rules let loose are those that were seen. `halt` ignores it: a kill switch must not be
//!   refused because someone edited a rule. A `PATCH` without `If-Match` is merged into whatever is
//!   there, so that concurrent ones all take effect. Counts move without the generation, so there is
//!   no `If-None-Match`.
//! - **A parameter** that a write does not know is refused: `?dry_run=true` where there is no dry
//!   run must not be a deed.
//! - **A refusal** is `application/problem+json` (RFC 9457) with `detail` and, where they apply,
//!   `field`, `allowed` and `rule`. The field is a path into the rule (`faults[0].latency`), `body`
//!   for the body as a whole, or the name of a header or parameter.
//!
//! - **The document** at `/openapi.json` has each route with its parameters, bodies, answers and
//!   refusals, and the schema of a rule. It is the same in every process of this build, tells nothing of
//!   this one, and asks for no token. Bounds that a JSON Schema cannot say stand in its
//!   descriptions. [`openapi`] makes it without a port.
//! # Who may do what
//!
//! ```
//! # async fn doc() -> Result<(), Box<dyn std::error::Error>> {
//! # let injector = chaos_core::Injector::new();
//! use chaos_http_admin::{Admin, AccessTokens};
//!
//! let admin = Admin::new(injector).access_tokens(AccessTokens::from_file("/etc/shop/chaos-tokens")?);
//! let server = admin.bind("127.0.0.1:9900".parse()?).await?;
//! # Ok(())
//! # }
//! ```
//!
//! - **Access tokens** are asked for once the port is given [`AccessTokens`]: from a file, an environment
//!   variable or code. They come as `Authorization: Bearer SECRET`, and each has a [`Role`]: *observe*
//!   reads, *stop* may halt and release besides, *arm* may do everything. The table of routes says
//!   which takes which. None or a wrong one is answered with 401, one of too little worth with 403.
//!   Without any, whoever reaches the port may do everything; on loopback, that is every user of the
//!   machine, and a public address is refused.
//! - **A public address** takes TLS, too (feature `tls`), or an express word on going
//!   [without](Admin::allow_plaintext_access_tokens). Client certificates can be asked for besides.
//! - **A Unix socket** ([`Admin::bind_unix`]) is its owner's alone, with or without tokens.
//! - **The audit** has every write by name, address and reason, and every write that was refused, and
//!   every login that failed; of strangers, sixty at once and six a minute, and the number of the others.
//!   The name is the token's; without tokens, it is `anyone`, or `uid 1000` on a Unix socket. The reason
//!   of `halt`, `resume` and `acknowledge` is in their body. All other writes take `?reason=`; without
//!   it, a rule's own reason stands for it.
//! - **Failed logins** are answered with 429 and `Retry-After` after ten at once or ten a minute from one
//!   address, sixty from all. A good token is let in all the same, so that nobody can lock an operator
//!   out; what keeps guessers out is the length of the secrets.
//!
//! The threats that were thought of, each with the test that holds it, are in SECURITY.md.
//!
//! # Bounds
//!
//! | of | at most | then |
//! |---|---|---|
//! | connections | 256 | one makes room: without a token, of an address that holds many, idle longest |
//! | a connection | 5 minutes | it is closed behind the request under way |
//! | a handshake of TLS | 5 seconds | it is closed |
//! | a head, and the time between two requests | 10 seconds | it is closed |
//! | a head | 16 KiB, 100 fields | 431 |
//! | a body | 1 MiB | 413 |
//! | a whole request | 10 seconds | 408 |
//! # Who is told
//!
//! - **The audit** is what the injector remembers of the last thousand changes, halts, expiries and
//!   breaches, and of the last thousand refusals ([`chaos_core::Audit`]). `GET /v1/audit` answers
//!   `{"run","last","missed","entries"}` in the order of the ids; `after` asks for what followed an
//!   entry, and without it `limit` for the latest. An entry has `id`, `at` (RFC 3339, UTC), `actor`,
//!   `address`, `action`, `what`, `reason`, `generation` and `changes`: each `rule` as it was
//!   `before` and `after`, or `null`. `missed` entries came after the one asked for and are forgotten;
//!   `run` tells one process from the next, since ids begin at 1 in each.
//! - **A file** keeps all of it, a line of JSON each: [`AuditFile`]. The status says how it fares.
//! - **Events** are a stream for `EventSource`, `curl -N` or a program. First comes `start`, then
//!   `injection` (`number`, `at`, `site`, `rule`, `fault`, `delay_ms`), and each entry of the audit
//!   under the name of its action, in the order in which it happened. Nobody waits for a listener:
//!   one that is more than a thousand behind is told `dropped`, with how many `injections` and
//!   `entries` it has missed. With the `Last-Event-ID` of any event it goes on after that one, or is
//!   told the same; an id of another process begins anew, with `"restarted":true`. Sixteen may listen
//!   at once; a further one gets 503. A stream ends after four minutes, and when the port stops: whoever
//!   wants more comes back, as `EventSource` does by itself, and misses nothing. Every 15 quiet
//!   seconds there is a comment.
//! - **Webhooks** (feature `webhooks`) tell others, such as a Slack channel, of what is armed, halted,
//!   resumed, expired and stopped by a guard rail: `Admin::webhook`.
//!
//! # What it costs
//!
//! Without a request, one listening socket, and on a call that is hit two counters: one is of all
//! injections, one of its site, rule and fault, which is looked up without a lock. A call that is not hit
//! pays nothing. Injections are kept while someone listens, and for a minute afterwards. A request does its work on the runtime that the port
//! is run on: well under a millisecond for ten rules, about a tenth of a second of one thread to
//! replace or list ten thousand.
//!
//! # What cannot happen
//!
//! - A refused request has changed nothing: a write is all or nothing.
//! - A page from elsewhere in someone's browser cannot use the port, not even by pointing its own
//!   name at this machine: `Host` must be an allowed name on every route, `Origin` must be the port
//!   itself, and a body must say that it is JSON. A link from elsewhere does open the console; the
//!   browser shows it to the person, in a tab of its own, and not to the page.
//! - A slow, idle or greedy client cannot hold the port or its memory, and ten thousand of them cannot
//!   keep a good one out.
//! - The port is not opened on an address that other machines can reach, unless it asks for tokens.
//! - A secret is in no log, error, answer, `Debug` or audit.
//!
//! # What it does not do
//!
//! AccessTokens are read once; one is taken away by a restart. Addresses in forwarded headers are not
//! believed: behind a proxy, everyone has the proxy's address.
//!
//! # Features
//!
//! - `metrics`: `Metrics::publish`, for the recorder of the `metrics` facade.
//! - `tls`: the port speaks TLS, with rustls.
//! - `webhooks`: `Webhook` and `Admin::webhook`, with reqwest and rustls.

#![forbid(unsafe_code)]
// Input never panics; a broken promise of our own says so with `expect`. Tests may.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod access;
mod admin;
mod error;
mod extract;
mod followers;
mod history;
mod metrics;
mod openapi;
mod problem;
mod routes;
mod server;
#[cfg(feature = "webhooks")]
mod webhook;

/// The routes as an OpenAPI 3.1 document, the same that `GET /openapi.json` answers with: for clients to
/// be generated from, without a port.
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
