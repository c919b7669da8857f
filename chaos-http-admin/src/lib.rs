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
//! # Routes
//!
//! | route | role | does |
//! |---|---|---|
//! | `GET /` | none | Serves the console page. |
//! | `GET /v1/status` | observe | Returns whether the injector is idle, armed or halted, the reason of a halt, and the totals. |
//! | `GET /v1/sites` | observe | Lists the registered sites, where each is in the code, and the rules that match it. |
//! | `GET /v1/rules` | observe | Lists the rules in order, with their counts and remaining time; `?after=ID`, `?limit=N`. |
//! | `PUT /v1/rules` | arm | Replaces all rules at once; with `?dry_run=true`, only returns what would change. |
//! | `GET /v1/rules/{id}` | observe | Returns one rule. |
//! | `PUT /v1/rules/{id}` | arm | Creates a rule (201) or replaces it in place (200). |
//! | `PATCH /v1/rules/{id}` | arm | Applies a merge patch (RFC 7396) to a rule; `{"enabled":false}` disables it. |
//! | `DELETE /v1/rules/{id}` | arm | Deletes a rule (204). |
//! | `GET /v1/rules/{id}/injections` | observe | Returns the number of a rule's injections as a bare JSON number; `?at_least=3&within=5` waits up to 5 seconds for 3 of them. |
//! | `GET /v1/rules/{id}/decisions` | observe | Returns which calls a rule has hit since it was armed, in the form of a `replay`. |
//! | `POST /v1/rules/{id}/release` | stop | Releases the calls that a rule's `pause` fault holds (204). |
//! | `POST /v1/preview` | observe | Returns which ordinals or keys a rule would hit; injects nothing. |
//! | `POST /v1/tokens` | arm | Signs a rule token, which carries rules with the requests that present it; requires a key. |
//! | `POST /v1/halt` | stop | Halts all injection at once; the body is `{"reason":"…"}`. |
//! | `POST /v1/resume` | arm | Resumes injection after a halt; the body is `{"reason":"…"}`. |
//! | `POST /v1/acknowledge` | arm | Acknowledges guard rail breaches, so that what they stopped may be armed or resumed again; the body is `{"reason":"…"}`. |
//! | `GET /v1/audit` | observe | Lists who did what, when, from where and why, with each rule before and after; `?after=ID`, `?limit=N`. |
//! | `GET /v1/events` | observe | Streams injections and audit entries as server-sent events; `Last-Event-ID` resumes a stream. |
//! | `GET /metrics` | observe | Returns the metrics in Prometheus' text format. |
//! | `GET /healthz` | none | Returns `ok` while the port works. |
//! | `GET /openapi.json` | none | Returns the routes as an OpenAPI document. |
//!
//! ## Rules
//!
//! - **A rule is shown** as it was written, with three additional fields. `stats` contains `matched`,
//!   `injected`, `shadowed`, `active`, `evicted`, `overflow` (the number of calls that each limit
//!   has spared) and `expires_in`: the seconds until the deadline, 0 after it, and `null` for a
//!   rule that has none or is disabled. `sites` lists the registered sites that the rule matches.
//!   It is empty if no such site is registered yet, or if the rule's site is misspelt.
//!   `warnings` says what the rule cannot do at the sites that there are, each with the `field`, the
//!   `detail` and a `suggestion`: a site that nobody has made, with the nearest name; a fault that
//!   cannot happen there; a condition or a key on what calls there don't have. The rule is accepted
//!   all the same, since a site may be made later. [`warnings`](chaos_core::Injector::warnings) says
//!   the same in code.
//! - **A rule is written** in the format of [`chaos_core::wire`], and all rules as `{"rules":[…]}`.
//!   The fields `stats`, `sites`, `warnings` and `generation` are accepted and ignored, so what was read can be
//!   written back.
//! - **Replacing all rules** answers with `generation` and five lists of ids: `added`, `changed`,
//!   `removed`, `unchanged` and `moved`. Each id is in one of them. A rule is `moved` if it is
//!   unchanged, but its position relative to the other kept rules has changed; the order decides
//!   which fault comes first. `warnings` lists the warnings of all new rules, each with the id of its
//!   `rule`. A dry run answers in the same form.
//! - **An expired rule** stays listed. It is armed again by a `PUT` of this rule, by disabling and
//!   enabling it with `PATCH`, or by a `PATCH` that changes what it does, which also resets its
//!   counts. A `PATCH` of its reason does not arm it.
//! - **A rule made in code** may have no complete form in JSON. A `PATCH` of `enabled` and `reason`
//!   only leaves the rest of the rule and its counts unchanged, so it works on such rules, too. A
//!   `PATCH` of another field parses the rule anew from its JSON.
//!
//! ## Generations
//!
//! The generation of the rules is the `ETag` of each rule, of the list, and of the answer to each
//! write, including `halt` and `resume`.
//!
//! - **`If-Match`** on a write refuses it with 412 if the rules have changed since they were read;
//!   `*` requires that the rule exists. On `resume`, it requires that the rules are those that the
//!   client has seen. `halt` ignores it, because a kill switch must work whatever the rules are.
//! - **A `PATCH` without `If-Match`** is merged into the current rule, so concurrent patches all
//!   take effect.
//! - **`If-None-Match`** is not supported, because counts change without the generation.
//!
//! ## Errors
//!
//! An error answer is `application/problem+json` (RFC 9457) with `detail` and, where they apply,
//! `field`, `allowed` and `rule`. `field` is a path into the rule (`faults[0].latency`), `body` for
//! the body as a whole, or the name of a header or a parameter.
//!
//! Unknown query parameters of a write are refused: a misspelt `?dry_run=true` must not change
//! anything.
//!
//! ## OpenAPI
//!
//! `GET /openapi.json` describes each route with its parameters, bodies, answers and errors, and
//! contains the schema of a rule. The document is the same in every process of a build, reveals
//! nothing about the process, and requires no token. Constraints that JSON Schema cannot express
//! are in its descriptions. [`openapi()`] returns the document without a port.
//!
//! # Access control
//!
//! ```
//! # fn doc() -> Result<(), Box<dyn std::error::Error>> {
//! # let injector = chaos_core::Injector::new();
//! use chaos_http_admin::{AccessTokens, Admin};
//!
//! let tokens = AccessTokens::from_env("SHOP_CHAOS_TOKENS")?;
//! let admin = Admin::new(injector).access_tokens(tokens);
//! let server = admin.bind("127.0.0.1:9900".parse()?)?;
//! # Ok(())
//! # }
//! ```
//!
//! - **Access tokens** are required once the port has a list of [`AccessTokens`], from a file, an
//!   environment variable or code. A client sends `Authorization: Bearer SECRET`. Each token has a
//!   [`Role`]: *observe* reads, *stop* may also halt and release, *arm* may do everything; the
//!   table above says which role a route requires. A missing or wrong token gives 401; one whose
//!   role is too low gives 403. Without a list, every client that reaches the port may use all
//!   routes: on loopback, that is every user of the machine.
//! - **Files of tokens and certificates** are followed with the feature `follow`
//!   (`Admin::follow_access_tokens`, `Admin::follow_tls`): a token that is removed is refused from the
//!   next request on, and a new certificate is shown on new connections. The audit records each change as
//!   `reload`. A file that is not valid changes nothing.
//! - **A public address** requires access tokens and TLS (feature `tls`).
//!   [`Admin::allow_plaintext_access_tokens`] waives TLS. Client certificates can be required in
//!   addition.
//! - **A Unix socket** ([`Admin::bind_unix`]) is accessible to its owner only, with or without
//!   access tokens.
//! - **The audit** records every write with a name, an address and a reason, and also every refused
//!   write and every failed authentication. For requests without a valid token, it records at most
//!   60 refusals at once and 6 per minute, under the name `stranger`, and counts the others. The
//!   name of a write is that of the access token; without access tokens, it is `anyone`, or `uid
//!   1000` on a Unix socket. `halt`, `resume` and `acknowledge` have the reason in their body; a
//!   `halt` with a token, or on a Unix socket, may leave it out.
//!   Other writes take it from `?reason=`, and otherwise from the rule.
//! - **Failed authentication** is limited to a burst of 10 and 10 per minute for each address, and
//!   to a burst of 60 and 60 per minute for all. Beyond that, the answer is 429 with `Retry-After`.
//!   A valid token is accepted even then, so nobody can lock an operator out; guessing is prevented
//!   by the length of the secrets.
//!
//! SECURITY.md lists the threats that were considered, each with the test that covers it.
//!
//! # Limits
//!
//! | of | limit | beyond it |
//! |---|---|---|
//! | connections | 256, and no more descriptors than a quarter of those that the process may have | one is closed: first those without a valid access token, then those of the address with the most connections, then the longest idle |
//! | the age of a connection | 5 minutes | it is closed after the request under way |
//! | a TLS handshake | 5 seconds | the connection is closed |
//! | TLS handshakes that are computed at a time | 1 step of one | the others wait: next is the address whose last step is the longest ago |
//! | reading a head, and being idle between two requests | 10 seconds | the connection is closed |
//! | a head | 16 KiB, 100 fields | 431 |
//! | a body | 1 MiB | 413 |
//! | a whole request | 10 seconds | 408 |
//! | what is read on and discarded after the last answer of a connection | 16 MiB, 2 seconds | the connection is closed |
//! | event streams | 16 | 503 |
//!
//! # Audit, events and webhooks
//!
//! - **The audit** is the injector's list of the last thousand changes, halts, expiries and
//!   breaches, and of the last thousand refusals ([`chaos_core::audit::Audit`]). `GET /v1/audit` answers
//!   `{"run","last","missed","entries"}` in the order of the ids. `after` lists the entries that
//!   follow an id, and `limit` without `after` the latest ones. An entry has `id`, `at` (RFC 3339,
//!   UTC), `actor`, `address`, `action`, `what`, `reason`, `generation` and `changes`: each `rule`
//!   with its state `before` and `after`, which is `null` if it did not exist. `missed` is the
//!   number of requested entries that the audit has dropped. `run` identifies the process, since
//!   ids begin at 1 in each.
//! - **A file** can keep all entries, as JSON Lines: see [`AuditFile`]. The status shows whether it
//!   can be written.
//! - **Events** are a stream for `EventSource`, `curl -N` or a program. The first event is `start`.
//!   Then follow `injection` events (`number`, `at`, `site`, `rule`, `fault`, `delay_ms`), and each
//!   audit entry as an event named after its action, in the order in which they happened. A slow
//!   client blocks nothing: one that is more than a thousand events behind gets an event `dropped`
//!   with the number of `injections` and `entries` that it has missed. With the `Last-Event-ID` of
//!   any event, a stream resumes after that event; with an id of another process, it starts anew
//!   with `"restarted":true`. A stream ends after four minutes and when the port stops;
//!   `EventSource` reconnects by itself and misses nothing. After 15 seconds without an event, a
//!   comment is sent.
//! - **Webhooks** (feature `webhooks`) send a message, for example to a Slack channel, when a rule
//!   is armed or expires, when injection is halted or resumed, and when a guard rail breaks: see
//!   `Admin::webhook`.
//!
//! # Cost
//!
//! Without requests, the port costs one listening socket, and two counters for each injection: one
//! for all of them, and one for its site, rule and fault, which is found without a lock. Calls that
//! are not hit are not affected. Injections are retained while there is an event stream, and for a
//! minute after the last one has ended. Requests are handled on the runtime that runs the port: one
//! takes well under a millisecond of a thread for ten rules, and about a tenth of a second to
//! replace or list ten thousand.
//!
//! # Guarantees
//!
//! A test covers each of these:
//!
//! - A refused request changes nothing: a write takes effect completely or not at all.
//! - Pages of other sites cannot use the port through a browser, not even with a host name that
//!   they have pointed at this machine. Every route accepts only allowed names in `Host` and only
//!   the port itself in `Origin`, and a body must have a JSON content type. A link on another site
//!   does open the console, in a tab that the page cannot read.
//! - A slow, idle or greedy client cannot exhaust the port or its memory, and ten thousand of them
//!   do not keep a valid client out.
//! - A port on an address that other machines can reach always requires access tokens.
//! - Secrets appear in no log, error, answer, `Debug` output or audit entry.
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
mod log;
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
