//! The extractors of a request's body, query and conditional headers. Each yields a typed value or
//! an error answer.

pub(crate) mod body;
pub(crate) mod etag;
pub(crate) mod fields;
pub(crate) mod last_event_id;
pub(crate) mod patch;
pub(crate) mod query;
