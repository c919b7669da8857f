//! The cases, in the order of the table's rows.

mod axum;
mod forms;
mod guarded;
mod hits;
pub(crate) mod http;
mod macros;
pub(crate) mod many;

use crate::case::Case;

pub use self::{
    axum::{calls_of as routed_requests_of, finished, router},
    http::{calls_of as requests_of, request as plain_request},
    macros::{calls_of, polls_of},
};
pub(crate) use self::{
    guarded::{armed_calls, guarded_calls, idle_calls, watched_calls},
    macros::{arm, armed_here, bare as bare_function},
};

/// Returns all cases.
#[must_use]
pub fn all() -> Vec<Case> {
    let mut all = macros::cases();
    all.extend(http::cases());
    all.extend(forms::cases());
    all.extend(hits::cases());
    all.extend(guarded::cases());
    all.extend(many::cases());
    all.extend(axum::cases());
    all
}
