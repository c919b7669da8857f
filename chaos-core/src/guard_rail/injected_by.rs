//! Who has injected into a call that is under way.

use std::sync::atomic::{AtomicU8, Ordering};

const INJECTED: u8 = 1;
const OVERLAY: u8 = 2;

/// Whether a fault was injected into a call, and whether a rule of an overlay or a token fired on it. The flags
/// are set while the call is under way, and order nothing: relaxed.
#[derive(Debug, Default)]
pub(crate) struct InjectedBy(AtomicU8);

impl InjectedBy {
    /// Creates the flags of a call into which nothing was injected yet. `of_overlay`: whether a rule of an overlay
    /// fired on it.
    pub(crate) fn new(of_overlay: bool) -> Self {
        Self(AtomicU8::new(if of_overlay { OVERLAY } else { 0 }))
    }

    /// Records that a fault was injected.
    pub(crate) fn note_injection(&self) {
        self.0.fetch_or(INJECTED, Ordering::Relaxed);
    }

    /// Records that a rule of an overlay fired, whose injection may follow.
    pub(crate) fn note_overlay(&self) {
        self.0.fetch_or(OVERLAY, Ordering::Relaxed);
    }

    /// Returns whether any fault was injected.
    pub(crate) fn anyone(&self) -> bool {
        self.0.load(Ordering::Relaxed) & INJECTED != 0
    }

    /// Returns whether a fault was injected into a call on which a rule of an overlay fired.
    pub(crate) fn an_overlay(&self) -> bool {
        self.0.load(Ordering::Relaxed) == INJECTED | OVERLAY
    }
}
