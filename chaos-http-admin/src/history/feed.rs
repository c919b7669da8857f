//! The injections of late, numbered, for those who listen. While nobody does, they are counted and
//! nothing else.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use chaos_core::{Audit, Clock, Injection, Injector};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

/// One injection.
#[derive(Clone, Debug)]
pub(crate) struct RecordedInjection {
    /// Counted from 1 since the feed was made.
    pub(crate) number: u64,
    /// The newest entry of the audit at that moment: between entries, it tells the order.
    pub(crate) after: u64,
    pub(crate) at: SystemTime,
    pub(crate) injection: Injection,
}

/// The injections of one injector. Clones are the same feed.
#[derive(Clone)]
pub(crate) struct Feed(Arc<FeedState>);

struct FeedState {
    /// Whether anyone listens, or did a moment ago.
    is_retaining: AtomicBool,
    /// Injections so far, whether or not they were retained.
    count: AtomicU64,
    recent: Mutex<Recent>,
    changed: Notify,
    slots: Arc<Semaphore>,
    end: watch::Sender<()>,
    clock: Clock,
    audit: Audit,
}

#[derive(Default)]
struct Recent {
    retained: VecDeque<RecordedInjection>,
    subscriptions: usize,
    /// When the last listener left.
    last_ended_at: Duration,
}

impl Feed {
    /// How many injections are retained for a listener that is slow, or comes back.
    pub(crate) const CAPACITY: usize = 1000;
    /// How many may listen at once.
    pub(crate) const MAX_SUBSCRIBERS: usize = 16;
    /// For how long injections are retained for listeners that may come back.
    const LINGER: Duration = Duration::from_secs(60);

    /// One observer for all who will ever listen.
    pub(crate) fn of(injector: &Injector) -> Self {
        let state = Arc::new(FeedState {
            is_retaining: AtomicBool::new(false),
            count: AtomicU64::new(0),
            recent: Mutex::default(),
            changed: Notify::new(),
            slots: Arc::new(Semaphore::new(Self::MAX_SUBSCRIBERS)),
            end: watch::Sender::new(()),
            clock: Clock::monotonic(),
            audit: injector.audit().clone(),
        });
        // An observer stays as long as the injector, so what it tells must not.
        let feed = Arc::downgrade(&state);
        injector.observe(move |injection| {
            if let Some(feed) = feed.upgrade() {
                feed.record(injection);
            }
        });
        Self(state)
    }

    /// Takes a slot; `None` if all are taken.
    pub(crate) fn subscribe(&self) -> Option<Subscription> {
        let slot = Arc::clone(&self.0.slots).try_acquire_owned().ok()?;
        let mut recent = self.0.recent();
        recent.subscriptions += 1;
        // Nothing hangs on when a call sees this: what is not retained is counted as missed.
        self.0.is_retaining.store(true, Ordering::Relaxed);
        drop(recent);
        Some(Subscription {
            state: Arc::clone(&self.0),
            end: self.0.end.subscribe(),
            _slot: slot,
        })
    }

    /// Ends what listeners there are.
    pub(crate) fn end(&self) {
        self.0.end.send_replace(());
    }

    pub(crate) fn listeners(&self) -> usize {
        Self::MAX_SUBSCRIBERS - self.0.slots.available_permits()
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listeners = self.listeners();
        f.debug_struct("Feed")
            .field("listeners", &listeners)
            .finish()
    }
}

impl FeedState {
    /// On the thread of the call that is hit. Nobody listening, it is a count and a branch.
    fn record(&self, injection: &Injection) {
        if self.is_retaining.load(Ordering::Relaxed) {
            self.retain(injection);
        } else {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[cold]
    fn retain(&self, injection: &Injection) {
        let (after, at) = (self.audit.last(), self.clock.wall());
        let mut recent = self.recent();
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let idle_for = self.clock.now().saturating_sub(recent.last_ended_at);
        if recent.subscriptions == 0 && idle_for > Feed::LINGER {
            self.is_retaining.store(false, Ordering::Relaxed);
            recent.retained = VecDeque::new();
            return;
        }
        if recent.retained.len() == Feed::CAPACITY {
            recent.retained.pop_front();
        }
        recent.retained.push_back(RecordedInjection {
            number,
            after,
            at,
            injection: injection.clone(),
        });
        drop(recent);
        self.changed.notify_waiters();
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A slot among those who listen. It is free again when this is dropped.
pub(crate) struct Subscription {
    state: Arc<FeedState>,
    end: watch::Receiver<()>,
    _slot: OwnedSemaphorePermit,
}

impl Subscription {
    /// The number of the newest injection; 0 if there was none.
    pub(crate) fn newest(&self) -> u64 {
        let _recent = self.state.recent();
        self.state.count.load(Ordering::Relaxed)
    }

    /// The injections after the one with this number, and how many of those are not here.
    pub(crate) fn after(&self, number: u64) -> (Vec<RecordedInjection>, u64) {
        let recent = self.state.recent();
        // Numbers are given out under the lock where injections are retained: up to this one, what is not
        // here will never be.
        let count = self.state.count.load(Ordering::Relaxed);
        let retained = recent.retained.iter().rev();
        let mut retained: Vec<_> = retained
            .take_while(|it| it.number > number)
            .cloned()
            .collect();
        drop(recent);
        retained.reverse();
        let missed = count.saturating_sub(number) - retained.len() as u64;
        (retained, missed)
    }

    /// Waits for the next injection, from before `look` on; not at all if `look` finds something.
    pub(crate) async fn wait_unless(&self, look: impl FnOnce() -> bool) {
        let mut changed = std::pin::pin!(self.state.changed.notified());
        changed.as_mut().enable();
        if !look() {
            changed.await;
        }
    }

    /// Whether the feed was [ended](Feed::end) since it listens.
    pub(crate) fn is_ended(&self) -> bool {
        // That the feed is gone is as good an end.
        self.end.has_changed().unwrap_or(true)
    }

    /// Ready when it is.
    pub(crate) async fn ended(&self) {
        let _ = self.end.clone().changed().await;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut recent = self.state.recent();
        recent.subscriptions -= 1;
        recent.last_ended_at = self.state.clock.now();
    }
}
