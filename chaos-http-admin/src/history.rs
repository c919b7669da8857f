//! The record of what has happened: recent injections, frames of counts, the audit as JSON and on disk, and the watch
//! for expired rules.

pub(crate) mod appender;
pub(crate) mod audit_file;
pub(crate) mod audit_writer;
pub(crate) mod entry;
pub(crate) mod expiry_watch;
pub(crate) mod feed;
pub(crate) mod injection_json;
pub(crate) mod live_frames;
pub(crate) mod places;
pub(crate) mod process_id;
pub(crate) mod recent_injections;
pub(crate) mod waiting_injections;
