//! What several modules use.

pub(crate) mod port;
pub(crate) mod program;
