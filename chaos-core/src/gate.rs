//! Where the delayed calls of a rule wait, so that all of them can be let go at once.

use std::{
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Closed while its rule is armed; opened once, for ever, when the rule is halted, changed or gone.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    open: AtomicBool,
    #[cfg(feature = "tokio")]
    tasks: tokio::sync::Notify,
    threads: (Mutex<()>, Condvar),
}

impl Gate {
    pub(crate) fn is_open(&self) -> bool {
        // Pairs with the store in `open`.
        self.open.load(Ordering::Acquire)
    }

    /// Lets everyone go, in about a microsecond each.
    pub(crate) fn open(&self) {
        // Pairs with `is_open`: whoever looks after registering sees it, whoever registered
        // before is notified below.
        self.open.store(true, Ordering::Release);
        #[cfg(feature = "tokio")]
        self.tasks.notify_waiters();
        // The lock orders the store before any check under it, so that no thread misses this.
        drop(
            self.threads
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        self.threads.1.notify_all();
    }

    /// Waits for `time`, or until the gate opens. Cancel-safe: dropping it ends the wait.
    #[cfg(feature = "tokio")]
    pub(crate) async fn wait(&self, time: Duration) {
        let mut opened = std::pin::pin!(self.tasks.notified());
        // Register first, look afterwards: `open` does it the other way round.
        opened.as_mut().enable();
        if !self.is_open() {
            let _ = tokio::time::timeout(time, opened).await;
        }
    }

    /// The same, holding the thread.
    pub(crate) fn wait_blocking(&self, time: Duration) {
        let (lock, opened) = &self.threads;
        let guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        drop(opened.wait_timeout_while(guard, time, |()| !self.is_open()));
    }
}
