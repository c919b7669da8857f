//! What is recorded of one connection while requests pass through it: when it was last used, and whether it
//! has presented a valid access token.
//!
//! Authorization writes the record, and the server reads it to choose which connection to close.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use chaos_core::Clock;

/// The activity of one connection.
///
/// All accesses are relaxed: each field is a value of its own that publishes nothing else. A reader that races
/// with a request sees the value from just before it, and at worst closes a connection that became active in
/// the same moment.
#[derive(Debug)]
pub(crate) struct Activity {
    clock: Clock,
    /// In microseconds of `clock`.
    last_used: AtomicU64,
    authenticated: AtomicBool,
}

impl Activity {
    /// Creates the record of a connection that was accepted now.
    pub(crate) fn new(clock: Clock) -> Arc<Self> {
        let activity = Self {
            clock,
            last_used: AtomicU64::new(0),
            authenticated: AtomicBool::new(false),
        };
        activity.touch();
        Arc::new(activity)
    }

    /// Records that a request begins or ends now.
    pub(crate) fn touch(&self) {
        let now = self.clock.now().as_micros();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        self.last_used.store(now, Ordering::Relaxed);
    }

    /// Returns when the connection was accepted, or when a request last began or ended on it, in microseconds
    /// of the clock.
    pub(crate) fn last_used(&self) -> u64 {
        self.last_used.load(Ordering::Relaxed)
    }

    /// Records that a request has presented a valid access token.
    pub(crate) fn mark_authenticated(&self) {
        self.authenticated.store(true, Ordering::Relaxed);
    }

    /// Returns whether a request has presented a valid access token.
    pub(crate) fn is_authenticated(&self) -> bool {
        self.authenticated.load(Ordering::Relaxed)
    }
}
