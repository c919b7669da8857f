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
use tokio::sync::Notify;

use crate::history::{
    places::{Place, Places},
    recent_injections::{RecentInjections, RecordedInjection},
};

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
    /// The places of subscriptions, and of other streams.
    places: Places,
    clock: Clock,
    audit: Audit,
}

#[derive(Default)]
struct Subscribers {
    subscriptions: usize,
    /// When the last subscription ended.
    last_ended_at: Duration,
}

impl Feed {
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
            places: Places::new(),
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

    /// Starts a subscription. Returns `None` if there is [no place](Places::take) for one.
    pub(crate) fn subscribe(&self, owner: Option<Arc<str>>) -> Option<Subscription> {
        let place = self.0.places.take(owner)?;
        let mut subscribers = self.0.subscribers();
        if self.0.has_lingered(&subscribers) {
            self.0.recent.clear();
        }
        subscribers.subscriptions += 1;
        // Relaxed is enough: an injection that does not see the flag yet is counted, and so
        // reported as missed.
        self.0.is_retaining.store(true, Ordering::Relaxed);
        drop(subscribers);
        Some(Subscription {
            state: Arc::clone(&self.0),
            place,
        })
    }

    /// Returns the places of the streams of events and of frames.
    pub(crate) fn places(&self) -> &Places {
        &self.0.places
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listeners = self.0.places.taken();
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

/// A subscription to the feed. Dropping it frees its place.
pub(crate) struct Subscription {
    state: Arc<FeedState>,
    place: Place,
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

    /// Returns the place of the subscription.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut subscribers = self.state.subscribers();
        subscribers.subscriptions -= 1;
        subscribers.last_ended_at = self.state.clock.now();
    }
}
