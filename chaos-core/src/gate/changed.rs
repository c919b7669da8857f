//! Where those wait who want to know when something has happened to a rule.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering, fence},
};

use crate::gate::{Gate, Turnstile};

/// Told of every injection and every edit. Nobody waiting, it costs a fence and a load.
#[derive(Debug, Default)]
pub(crate) struct ChangeNotifier {
    waiting: AtomicUsize,
    turnstile: Turnstile,
}

impl ChangeNotifier {
    /// Wakes whoever waits.
    pub(crate) fn notify(&self) {
        // Pairs with the one in `listen`: either this sees who waits, or that one, which looks at the
        // counts afterwards, sees what has been counted.
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.turnstile.release();
        }
    }

    /// Begins to listen. What is to be waited for is looked at afterwards.
    pub(crate) fn listen(&self) -> Listening<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        Listening(self)
    }
}

pub(crate) struct Listening<'a>(&'a ChangeNotifier);

impl Listening<'_> {
    /// What opens at the next piece of news. Take it, look, and then wait for it.
    pub(crate) fn next(&self) -> Arc<Gate> {
        self.0.turnstile.gate()
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
