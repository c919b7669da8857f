//! Wakes waiters when a rule's counters or the rule set change.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering, fence},
};

use crate::gate::{Gate, Turnstile};

/// Notified of every injection and every edit. Without waiters, a notification costs a fence and a
/// load.
#[derive(Debug, Default)]
pub(crate) struct ChangeNotifier {
    waiting: AtomicUsize,
    turnstile: Turnstile,
}

impl ChangeNotifier {
    /// Wakes all waiters.
    pub(crate) fn notify(&self) {
        // Pairs with the fence in `listen`: either this load sees the waiter, or the waiter, which
        // reads the counts afterwards, sees what was counted before this call.
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.turnstile.release();
        }
    }

    /// Registers a waiter. It must read the state that it waits for after this call, not before.
    pub(crate) fn listen(&self) -> Listening<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        Listening(self)
    }
}

/// A registered waiter. Dropping it removes the registration.
pub(crate) struct Listening<'a>(&'a ChangeNotifier);

impl Listening<'_> {
    /// Returns the gate that the next notification opens. Take it, read the state, and then wait at
    /// it: in this order no change is missed.
    pub(crate) fn next(&self) -> Arc<Gate> {
        self.0.turnstile.gate()
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
