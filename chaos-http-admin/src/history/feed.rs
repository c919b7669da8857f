//! The recent injections, numbered, for event streams. They are retained only while there is a
//! subscription, and only counted otherwise.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use chaos_core::{Clock, Injection, Injector, audit::Audit};
use serde_json::{Value, json};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

use crate::history::{entry, injection_json};

/// An injection in the feed.
#[derive(Clone, Debug)]
pub(crate) struct RecordedInjection {
    /// Its number, counted from 1 since the feed was created.
    pub(crate) number: u64,
    /// The id of the newest audit entry at that moment, by which injections and entries are put in
    /// order.
    pub(crate) after: u64,
    pub(crate) at: SystemTime,
    pub(crate) injection: Injection,
}

impl RecordedInjection {
    /// Returns the JSON of the event.
    pub(crate) fn to_json(&self) -> Value {
        let mut json = injection_json::fields(&self.injection);
        json["number"] = json!(self.number);
        json["at"] = json!(entry::time(self.at));
        json
    }
}

/// The feed of one injector. Clones are handles to the same feed.
#[derive(Clone)]
pub(crate) struct Feed(Arc<FeedState>);

/// The state that all handles, subscriptions and the observer share.
struct FeedState {
    /// Whether injections are retained: there is a subscription, or there was one a moment ago.
    is_retaining: AtomicBool,
    /// The number of injections so far, retained or not.
    count: AtomicU64,
    recent: Mutex<Recent>,
    /// Wakes subscriptions when an injection was retained.
    changed: Notify,
    /// One permit for each further subscription.
    slots: Arc<Semaphore>,
    /// Changes when all subscriptions are to end.
    end: watch::Sender<()>,
    clock: Clock,
    audit: Audit,
}

#[derive(Default)]
struct Recent {
    retained: VecDeque<RecordedInjection>,
    subscriptions: usize,
    /// The owner of each subscription that has one.
    owners: Vec<Arc<str>>,
    /// When the last subscription ended.
    last_ended_at: Duration,
}

impl Feed {
    /// The number of injections that are retained for subscriptions that are slow or resume.
    pub(crate) const CAPACITY: usize = 1000;
    /// The number of subscriptions at a time.
    pub(crate) const MAX_SUBSCRIBERS: usize = 16;
    /// The number of subscriptions of one owner of an access token.
    pub(crate) const MAX_PER_OWNER: usize = 4;
    /// How long injections are retained after the last subscription has ended, in case it resumes.
    const LINGER: Duration = Duration::from_secs(60);

    /// Creates the feed of an injector and registers its observer.
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
        // The injector keeps its observers for ever, so the observer must not keep the feed alive.
        let feed = Arc::downgrade(&state);
        injector.observe(move |injection| {
            if let Some(feed) = feed.upgrade() {
                feed.record(injection);
            }
        });
        Self(state)
    }

    /// Starts a subscription. Returns `None` if there are [`MAX_SUBSCRIBERS`](Self::MAX_SUBSCRIBERS)
    /// already, or [`MAX_PER_OWNER`](Self::MAX_PER_OWNER) of this `owner`.
    pub(crate) fn subscribe(&self, owner: Option<Arc<str>>) -> Option<Subscription> {
        let slot = Arc::clone(&self.0.slots).try_acquire_owned().ok()?;
        let mut recent = self.0.recent();
        let of_owner = recent
            .owners
            .iter()
            .filter(|it| Some(*it) == owner.as_ref());
        if of_owner.count() >= Self::MAX_PER_OWNER {
            return None;
        }
        recent.owners.extend(owner.clone());
        recent.subscriptions += 1;
        // Relaxed is enough: an injection that does not see the flag yet is counted, and so
        // reported as missed.
        self.0.is_retaining.store(true, Ordering::Relaxed);
        drop(recent);
        Some(Subscription {
            state: Arc::clone(&self.0),
            end: self.0.end.subscribe(),
            owner,
            _slot: slot,
        })
    }

    /// Ends all subscriptions.
    pub(crate) fn end(&self) {
        self.0.end.send_replace(());
    }

    /// Returns the number of subscriptions.
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
    /// Records an injection. It runs on the thread of the call that is hit; without a subscription,
    /// it is one load and one addition.
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

/// A subscription to the feed. Dropping it frees its slot.
pub(crate) struct Subscription {
    state: Arc<FeedState>,
    end: watch::Receiver<()>,
    owner: Option<Arc<str>>,
    _slot: OwnedSemaphorePermit,
}

impl Subscription {
    /// Returns the number of the newest injection; 0 if there was none.
    pub(crate) fn newest(&self) -> u64 {
        let _recent = self.state.recent();
        self.state.count.load(Ordering::Relaxed)
    }

    /// Returns the retained injections that follow the one with this number, and how many of those
    /// that follow it are not retained.
    pub(crate) fn after(&self, number: u64) -> (Vec<RecordedInjection>, u64) {
        let recent = self.state.recent();
        // Numbers are assigned under the lock under which injections are retained, so up to this
        // number, an injection that is not in the list never will be.
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

    /// Waits for the next injection, unless `look` returns `true`. An injection between the call of
    /// `look` and the wait is not missed.
    pub(crate) async fn wait_unless(&self, look: impl FnOnce() -> bool) {
        let mut changed = std::pin::pin!(self.state.changed.notified());
        changed.as_mut().enable();
        if !look() {
            changed.await;
        }
    }

    /// Returns whether the feed has [ended](Feed::end) its subscriptions since this one started.
    pub(crate) fn is_ended(&self) -> bool {
        // A feed that was dropped has ended as well.
        self.end.has_changed().unwrap_or(true)
    }

    /// Waits until the feed ends its subscriptions.
    pub(crate) async fn ended(&self) {
        let _ = self.end.clone().changed().await;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut recent = self.state.recent();
        recent.subscriptions -= 1;
        let owner = |it: &Arc<str>| Some(it) == self.owner.as_ref();
        if let Some(at) = recent.owners.iter().position(owner) {
            recent.owners.swap_remove(at);
        }
        recent.last_ended_at = self.state.clock.now();
    }
}
