//! What several modules use.

pub(crate) mod listening;
