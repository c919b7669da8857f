//! Whether this thread is telling someone something right now: what they do meanwhile is not hit.

use std::cell::Cell;

thread_local! {
    static TELLING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is telling someone right now. Such calls are not hit: an observer, or a
/// tracing subscriber, that passes an armed site would be told of itself without end.
pub(crate) fn is_notifying() -> bool {
    TELLING.get()
}

pub(crate) struct ReentrancyGuard;

impl ReentrancyGuard {
    pub(crate) fn begin() -> Self {
        TELLING.set(true);
        Self
    }
}

impl Drop for ReentrancyGuard {
    fn drop(&mut self) {
        TELLING.set(false);
    }
}
