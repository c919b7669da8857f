//! The subscriptions of event streams to the recent injections. Injections are retained only while there is a
//! subscription, and only counted otherwise.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chaos_core::{Clock, Injection, Injector, audit::Audit};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

use crate::history::recent_injections::{RecentInjections, RecordedInjection};

/// The feed of one injector. Clones are handles to the same feed.
#[derive(Clone)]
pub(crate) struct Feed(Arc<FeedState>);

/// The state that all handles, subscriptions and the observer share.
struct FeedState {
    /// Whether injections are retained: there is a subscription, or there was one a moment ago.
    is_retaining: Arc<AtomicBool>,
    recent: Arc<RecentInjections>,
    subscribers: Mutex<Subscribers>,
    /// Whether a subscription waits for an injection.
    is_awaited: AtomicBool,
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
struct Subscribers {
    subscriptions: usize,
    /// The owner of each subscription that has one.
    owners: Vec<Arc<str>>,
    /// When the last subscription ended.
    last_ended_at: Duration,
}

impl Feed {
    /// The number of subscriptions at a time.
    pub(crate) const MAX_SUBSCRIBERS: usize = 16;
    /// The number of subscriptions of one owner of an access token.
    pub(crate) const MAX_PER_OWNER: usize = 4;
    /// How long injections are retained after the last subscription has ended, in case it resumes.
    const LINGER: Duration = Duration::from_secs(60);

    /// Creates the feed of an injector and registers its observer.
    pub(crate) fn of(injector: &Injector) -> Self {
        let state = Arc::new(FeedState {
            is_retaining: Arc::default(),
            recent: Arc::new(RecentInjections::new()),
            subscribers: Mutex::default(),
            is_awaited: AtomicBool::new(false),
            changed: Notify::new(),
            slots: Arc::new(Semaphore::new(Self::MAX_SUBSCRIBERS)),
            end: watch::Sender::new(()),
            clock: Clock::monotonic(),
            audit: injector.audit().clone(),
        });
        // The injector keeps its observers for ever, so the observer must not keep the feed alive. What it needs
        // without a subscription is its own: taking hold of the feed for each injection is a write that all share.
        let (feed, recent) = (Arc::downgrade(&state), Arc::clone(&state.recent));
        let is_retaining = Arc::clone(&state.is_retaining);
        let wants_calls = {
            let is_retaining = Arc::clone(&is_retaining);
            move || is_retaining.load(Ordering::Relaxed)
        };
        injector.observe_calls_while(wants_calls, move |injection| {
            if !is_retaining.load(Ordering::Relaxed) {
                recent.count_only();
            } else if let Some(feed) = feed.upgrade() {
                feed.retain(injection);
            }
        });
        Self(state)
    }

    /// Starts a subscription. Returns `None` if there are [`MAX_SUBSCRIBERS`](Self::MAX_SUBSCRIBERS)
    /// already, or [`MAX_PER_OWNER`](Self::MAX_PER_OWNER) of this `owner`.
    pub(crate) fn subscribe(&self, owner: Option<Arc<str>>) -> Option<Subscription> {
        let slot = Arc::clone(&self.0.slots).try_acquire_owned().ok()?;
        let mut subscribers = self.0.subscribers();
        let of_owner = subscribers
            .owners
            .iter()
            .filter(|it| Some(*it) == owner.as_ref());
        if of_owner.count() >= Self::MAX_PER_OWNER {
            return None;
        }
        if self.0.has_lingered(&subscribers) {
            self.0.recent.clear();
        }
        subscribers.owners.extend(owner.clone());
        subscribers.subscriptions += 1;
        // Relaxed is enough: an injection that does not see the flag yet is counted, and so
        // reported as missed.
        self.0.is_retaining.store(true, Ordering::Relaxed);
        drop(subscribers);
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
    /// Retains an injection, on the thread of the call that is hit, and wakes the subscriptions that wait for one.
    #[cold]
    fn retain(&self, injection: &Injection) {
        let (after, at) = (self.audit.last(), self.clock.wall());
        if self.recent.add(injection, after, at) {
            let subscribers = self.subscribers();
            if self.has_lingered(&subscribers) {
                self.is_retaining.store(false, Ordering::Relaxed);
                self.recent.clear();
            }
        }
        // Pairs with the store in `wait_unless`: either this sees that it is awaited, or the subscription sees the
        // injection.
        if self.is_awaited.load(Ordering::SeqCst) && self.is_awaited.swap(false, Ordering::SeqCst) {
            self.changed.notify_waiters();
        }
    }

    /// Returns whether the last subscription ended so long ago that none resumes.
    fn has_lingered(&self, subscribers: &Subscribers) -> bool {
        let idle_for = self.clock.now().saturating_sub(subscribers.last_ended_at);
        subscribers.subscriptions == 0 && idle_for > Feed::LINGER
    }

    fn subscribers(&self) -> MutexGuard<'_, Subscribers> {
        self.subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for FeedState {
    fn drop(&mut self) {
        self.is_retaining.store(false, Ordering::Relaxed);
        self.recent.clear();
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
        self.state.recent.newest()
    }

    /// Returns the retained injections that follow the one with this number, and how many of those
    /// that follow it are not retained.
    pub(crate) fn after(&self, number: u64) -> (Vec<Arc<RecordedInjection>>, u64) {
        self.state.recent.after(number)
    }

    /// Waits for the next injection, unless `look` returns `true`. An injection between the call of
    /// `look` and the wait is not missed.
    pub(crate) async fn wait_unless(&self, look: impl FnOnce() -> bool) {
        let mut changed = std::pin::pin!(self.state.changed.notified());
        changed.as_mut().enable();
        self.state.is_awaited.store(true, Ordering::SeqCst);
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
        let mut subscribers = self.state.subscribers();
        subscribers.subscriptions -= 1;
        let owner = |it: &Arc<str>| Some(it) == self.owner.as_ref();
        if let Some(at) = subscribers.owners.iter().position(owner) {
            subscribers.owners.swap_remove(at);
        }
        subscribers.last_ended_at = self.state.clock.now();
    }
}
