//! What several modules use.

pub(crate) mod watched;
