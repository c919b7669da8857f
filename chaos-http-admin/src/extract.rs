//! What a request asks: its body, its query and its conditional headers, as typed values or a problem.

pub(crate) mod body;
pub(crate) mod etag;
pub(crate) mod last_event_id;
pub(crate) mod patch;
pub(crate) mod query;
