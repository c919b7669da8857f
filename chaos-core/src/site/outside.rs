//! Whether calls in no overlay have passed a site at which overlays aim, for a test that asks why its rule hit none.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::site::Site;

/// What is known of calls in no overlay. It orders nothing: relaxed.
#[derive(Debug)]
pub(super) struct PassedOutside(AtomicBool);

impl PassedOutside {
    pub(super) const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Notes such a call. Only the first one writes.
    #[inline]
    pub(super) fn note(&self) {
        if !self.0.load(Relaxed) {
            self.0.store(true, Relaxed);
        }
    }
}

impl Site {
    /// Returns whether a call in no overlay is known to have passed since the last
    /// [`forget_outside`](Self::forget_outside), while overlays aimed here.
    pub(crate) fn has_passed_outside(&self) -> bool {
        self.passed_outside.0.load(Relaxed)
    }

    /// Forgets that calls in no overlay have passed.
    pub(crate) fn forget_outside(&self) {
        self.passed_outside.0.store(false, Relaxed);
    }
}
