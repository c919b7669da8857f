//! Where the delayed calls of a rule wait, so that all of them can be let go at once.

pub(crate) mod changed;

#[cfg(feature = "tokio")]
use std::{future::poll_fn, pin::pin, task::Poll};
use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
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

    /// Waits for `time`, counted from now, or until the gate opens. Cancel-safe: dropping it ends the
    /// wait. Outside a runtime it holds the thread.
    #[cfg(feature = "tokio")]
    pub(crate) fn wait(
        self: &Arc<Self>,
        time: Duration,
    ) -> impl Future<Output = ()> + Send + use<> {
        let gate = Arc::clone(self);
        let in_runtime = tokio::runtime::Handle::try_current().is_ok();
        // The time and not the timer, of which the future would keep room for two.
        let deadline = in_runtime.then(|| tokio::time::sleep(time).deadline());
        async move {
            let Some(deadline) = deadline else {
                return gate.wait_blocking(time);
            };
            let mut sleep = pin!(tokio::time::sleep_until(deadline));
            let mut opened = pin!(gate.tasks.notified());
            // Register first, look afterwards: `open` does it the other way round.
            opened.as_mut().enable();
            if gate.is_open() {
                return;
            }
            poll_fn(|cx| {
                let is_over =
                    opened.as_mut().poll(cx).is_ready() || sleep.as_mut().poll(cx).is_ready();
                if is_over {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
        }
    }

    /// The same, holding the thread.
    pub(crate) fn wait_blocking(&self, time: Duration) {
        let (lock, opened) = &self.threads;
        let guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        drop(opened.wait_timeout_while(guard, time, |()| !self.is_open()));
    }
}

/// A gate that is opened again and again: where paused calls wait to be released.
#[derive(Debug, Default)]
pub(crate) struct Turnstile(Mutex<Option<Arc<Gate>>>);

impl Turnstile {
    /// The gate to wait at: the next release opens it.
    pub(crate) fn gate(&self) -> Arc<Gate> {
        Arc::clone(self.lock().get_or_insert_default())
    }

    /// Lets go whoever waits now.
    pub(crate) fn release(&self) {
        // Made by whoever waits first: a rule set may hold thousands of rules.
        let gate = self.lock().take();
        if let Some(gate) = gate {
            gate.open();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Gate>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
