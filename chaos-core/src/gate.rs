//! The gate at which the delayed calls of a rule wait, so that all of them can be released at once.

pub(crate) mod changed;
pub(crate) mod held;
pub(crate) mod leash;

#[cfg(feature = "tokio")]
use std::{future::poll_fn, pin::pin, task::Poll};
use std::{
    sync::{
        Arc, Condvar, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering, fence},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;

use crate::{clock::Stopwatch, gate::leash::Leash};

/// A one-shot release of waiters: closed while its rule is armed, and opened for good when the rule
/// is halted, changed or removed. Threads and tasks can wait at the same gate.
#[derive(Debug)]
pub(crate) struct Gate {
    open: AtomicBool,
    /// Whether the gate has been listed for a halt.
    listed: AtomicBool,
    /// Greater than the number of any gate that was made before.
    pub(crate) number: u64,
    /// Made for the first who waits: of thousands of rules, few ever hold a call.
    waiters: OnceLock<Box<Waiters>>,
}

/// Who waits at a gate.
#[derive(Debug, Default)]
struct Waiters {
    #[cfg(feature = "tokio")]
    tasks: tokio::sync::Notify,
    threads: (Mutex<()>, Condvar),
}

/// The number of the gate that is made next.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl Default for Gate {
    fn default() -> Self {
        Self {
            open: AtomicBool::default(),
            listed: AtomicBool::default(),
            // It orders nothing: relaxed.
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            waiters: OnceLock::new(),
        }
    }
}

impl Gate {
    /// Returns whether the gate has been opened.
    pub(crate) fn is_open(&self) -> bool {
        // Pairs with the store in `mark_open`.
        self.open.load(Ordering::Acquire)
    }

    /// Returns whether the gate has been listed for a halt.
    fn is_listed(&self) -> bool {
        // Pairs with the store in `mark_listed`.
        self.listed.load(Ordering::Acquire)
    }

    /// Notes that the gate has been listed: a call that sees it knows what its lister knew of halts.
    fn mark_listed(&self) {
        // Pairs with the load in `is_listed`.
        self.listed.store(true, Ordering::Release);
    }

    /// Opens the gate for those who come, and wakes nobody.
    pub(crate) fn mark_open(&self) {
        // Pairs with `is_open`.
        self.open.store(true, Ordering::Release);
    }

    /// Opens the gate and releases all waiters, in about a microsecond each.
    pub(crate) fn open(&self) {
        self.mark_open();
        self.nudge();
    }

    /// Wakes all waiters, so that they look at what they wait for.
    fn nudge(&self) {
        // Pairs with the fence in `waiters`: either this sees that there may be waiters, or they see the open gate, or
        // the end of their leash.
        fence(Ordering::SeqCst);
        let Some(waiters) = self.waiters.get() else {
            return;
        };
        // Who checks after the store before this sees it, and who registered before is notified.
        #[cfg(feature = "tokio")]
        waiters.tasks.notify_waiters();
        // Taking the lock orders the store before any check under it, so that no thread misses the
        // notification.
        let (lock, opened) = &waiters.threads;
        drop(lock.lock().unwrap_or_else(PoisonError::into_inner));
        opened.notify_all();
    }

    /// Returns where to wait. Who waits checks [`is_open`](Self::is_open) after this call.
    fn waiters(&self) -> &Waiters {
        let waiters = self.waiters.get_or_init(Box::default);
        // Pairs with the fence in `open`.
        fence(Ordering::SeqCst);
        waiters
    }

    /// Waits for `time`, counted from the call of this function, or until the gate opens, or the leash is over if there is
    /// one. A wait of no time is ready at once. Outside a runtime, the future blocks the thread.
    ///
    /// Cancel safe: dropping the future ends the wait.
    #[cfg(feature = "tokio")]
    pub(crate) fn wait(
        self: &Arc<Self>,
        time: Duration,
        leash: Option<Leash>,
    ) -> impl Future<Output = ()> + Send + use<> {
        let gate = Arc::clone(self);
        let in_runtime = tokio::runtime::Handle::try_current().is_ok();
        // The deadline and not the timer itself, for which the future would reserve room twice. A wait
        // of no time has none: tokio's timer would make a millisecond of it.
        let end = (in_runtime && !time.is_zero()).then(|| tokio::time::sleep(time).deadline());
        async move {
            let Some(end) = end else {
                return gate.wait_blocking(time, leash.as_ref());
            };
            loop {
                let mut next = end;
                if let Some(leash) = &leash {
                    leash.add(&gate);
                    next = end.min(tokio::time::sleep(leash.left()).deadline());
                }
                let mut sleep = pin!(tokio::time::sleep_until(next));
                let mut nudged = pin!(gate.waiters().tasks.notified());
                // Registers before it checks; `open` stores before it notifies, and so does the end of a leash.
                nudged.as_mut().enable();
                if gate.is_open() || leash.as_ref().is_some_and(Leash::is_over) {
                    return;
                }
                let has_slept = poll_fn(|cx| {
                    if nudged.as_mut().poll(cx).is_ready() {
                        Poll::Ready(false)
                    } else {
                        sleep.as_mut().poll(cx).map(|()| true)
                    }
                });
                // A leash may have nudged on which the rule did not hang when the call began to wait.
                if has_slept.await && next == end || gate.is_open() {
                    return;
                }
            }
        }
    }

    /// Blocks the thread for `time`, or until the gate opens, or the leash is over if there is one.
    pub(crate) fn wait_blocking(self: &Arc<Self>, time: Duration, leash: Option<&Leash>) {
        if time.is_zero() {
            return;
        }
        let Some(leash) = leash else {
            return self.wait_while(time, || !self.is_open());
        };
        let stopwatch = Stopwatch::start();
        loop {
            leash.add(self);
            let left = time.saturating_sub(stopwatch.elapsed());
            // The leash may be extended meanwhile, so the call may have to wait for longer.
            let next = left.min(leash.left());
            if next.is_zero() || self.is_open() {
                return;
            }
            self.wait_while(next, || !self.is_open() && !leash.is_over());
        }
    }

    /// Blocks the thread for `time`, or until a condition ceases to hold and someone wakes the waiters.
    fn wait_while(&self, time: Duration, holds: impl Fn() -> bool) {
        let (lock, woken) = &self.waiters().threads;
        let guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        drop(woken.wait_timeout_while(guard, time, |()| holds()));
    }
}

/// A reusable gate, at which paused calls wait to be released. Each release opens the current
/// [`Gate`] and puts a closed one in its place, so a turnstile lets through those who wait and
/// stops those who come later. It takes one word: each rule has one, and few rules pause.
#[derive(Debug, Default)]
pub(crate) struct Turnstile(ArcSwapOption<Gate>);

impl Turnstile {
    /// Returns the gate to wait at. The next release opens it.
    pub(crate) fn gate(&self) -> Arc<Gate> {
        let mut now = self.0.load_full();
        loop {
            // A halt opens it where it stands.
            if let Some(gate) = now.as_ref().filter(|gate| !gate.is_open()) {
                // Pairs with the fence in `Gate::open`: who opens the rule's own gate sees this one, or the caller, who
                // looks at the rule's own gate next, sees that open.
                fence(Ordering::SeqCst);
                return Arc::clone(gate);
            }
            let new = Some(Arc::default());
            let before = self.0.compare_and_swap(&now, new.clone());
            let is_ours = match (&*before, &now) {
                (Some(before), Some(now)) => Arc::ptr_eq(before, now),
                (before, now) => before.is_none() && now.is_none(),
            };
            now = if is_ours { new } else { before.clone() };
        }
    }

    /// Releases those who wait now.
    pub(crate) fn release(&self) {
        // The first waiter creates the gate, so that a rule set of thousands of rules has none.
        if self.0.load().is_none() {
            return;
        }
        if let Some(gate) = self.0.swap(None) {
            gate.open();
        }
    }
}
