//! The re-entrancy guard: calls that an observer makes while it is notified are not hit.

use std::cell::Cell;

thread_local! {
    static NOTIFYING: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether this thread is notifying an observer or emitting an event. Calls that it makes
/// meanwhile are not hit: an observer or a tracing subscriber that passes an armed site would be
/// notified of itself without end.
pub(crate) fn is_notifying() -> bool {
    NOTIFYING.get()
}

/// Marks this thread as notifying until it is dropped.
pub(crate) struct ReentrancyGuard;

impl ReentrancyGuard {
    pub(crate) fn begin() -> Self {
        NOTIFYING.set(true);
        Self
    }
}

impl Drop for ReentrancyGuard {
    fn drop(&mut self) {
        NOTIFYING.set(false);
    }
}
