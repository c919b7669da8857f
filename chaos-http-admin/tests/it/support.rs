//! What several modules use.

pub(crate) mod alone;
pub(crate) mod document;
pub(crate) mod exposition;
pub(crate) mod followed;
pub(crate) mod log;
pub(crate) mod port;
pub(crate) mod sse;
pub(crate) mod tls;
pub(crate) mod wire;
