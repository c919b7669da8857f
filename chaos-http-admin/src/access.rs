//! Access control: who may use the port and for what, and where requests may come from.

pub(crate) mod access_tokens;
pub(crate) mod activity;
pub(crate) mod authorize;
pub(crate) mod caller;
pub(crate) mod host_check;
pub(crate) mod limits;
pub(crate) mod live_tokens;
pub(crate) mod origin;
pub(crate) mod peer;
pub(crate) mod private_file;
pub(crate) mod request_limits;
pub(crate) mod role;
