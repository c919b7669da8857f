//! The cases, in the order of the table's rows.

mod axum;
mod forms;
mod hits;
mod http;
mod macros;
pub(crate) mod many;

use crate::case::Case;

pub(crate) use self::macros::{arm, armed_here, bare as bare_function};

/// Returns all cases.
#[must_use]
pub fn all() -> Vec<Case> {
    let mut all = macros::cases();
    all.extend(http::cases());
    all.extend(forms::cases());
    all.extend(hits::cases());
    all.extend(many::cases());
    all.extend(axum::cases());
    all
}
