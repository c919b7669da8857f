//! Commands that look and change nothing.

pub(super) mod audit;
pub(super) mod events;
pub(super) mod explain;
pub(super) mod rules;
pub(super) mod show;
pub(super) mod sites;
pub(super) mod status;
#[cfg(feature = "watch")]
pub(super) mod watch;
pub(super) mod why;
