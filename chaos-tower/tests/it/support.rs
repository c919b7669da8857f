//! What several modules use.

pub(crate) mod answers;
pub(crate) mod app;
pub(crate) mod ask;
pub(crate) mod axum_server;
pub(crate) mod bodies;
pub(crate) mod client_rows;
pub(crate) mod clients;
pub(crate) mod cuts;
pub(crate) mod echo;
pub(crate) mod exit;
pub(crate) mod heard;
pub(crate) mod http1;
pub(crate) mod http2;
pub(crate) mod hyper_server;
pub(crate) mod itself;
pub(crate) mod peer;
pub(crate) mod server;
pub(crate) mod uploads;
pub(crate) mod waits;
