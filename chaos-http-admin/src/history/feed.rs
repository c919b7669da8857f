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
pub(crate) struct Happened {
    /// Counted from 1 since the feed was made.
    pub(crate) number: u64,
    /// The newest entry of the audit at that moment: between entries, it tells the order.
    pub(crate) after: u64,
    pub(crate) at: SystemTime,
    pub(crate) injection: Injection,
}

/// The injections of one injector. Clones are the same feed.
#[derive(Clone)]
pub(crate) struct Feed(Arc<Shared>);

struct Shared {
    /// Whether anyone listens, or did a moment ago.
    is_kept: AtomicBool,
    /// Injections so far, whether or not they were kept.
    count: AtomicU64,
    recent: Mutex<Recent>,
    news: Notify,
    places: Arc<Semaphore>,
    end: watch::Sender<()>,
    clock: Clock,
    audit: Audit,
}

#[derive(Default)]
struct Recent {
    kept: VecDeque<Happened>,
    listeners: usize,
    /// When the last listener left.
    left_at: Duration,
}

impl Feed {
    /// How many injections are kept for a listener that is slow, or comes back.
    pub(crate) const MOST: usize = 1000;
    /// How many may listen at once.
    pub(crate) const PLACES: usize = 16;
    /// For how long injections are kept for listeners that may come back.
    const LINGER: Duration = Duration::from_secs(60);

    /// One observer for all who will ever listen.
    pub(crate) fn of(injector: &Injector) -> Self {
        let shared = Arc::new(Shared {
            is_kept: AtomicBool::new(false),
            count: AtomicU64::new(0),
            recent: Mutex::default(),
            news: Notify::new(),
            places: Arc::new(Semaphore::new(Self::PLACES)),
            end: watch::Sender::new(()),
            clock: Clock::monotonic(),
            audit: injector.audit().clone(),
        });
        // An observer stays as long as the injector, so what it tells must not.
        let told = Arc::downgrade(&shared);
        injector.observe(move |injection| {
            if let Some(told) = told.upgrade() {
                told.tell(injection);
            }
        });
        Self(shared)
    }

    /// Takes a place; `None` if all are taken.
    pub(crate) fn listen(&self) -> Option<Listener> {
        let place = Arc::clone(&self.0.places).try_acquire_owned().ok()?;
        let mut recent = self.0.recent();
        recent.listeners += 1;
        // Nothing hangs on when a call sees this: what is not kept is counted as missed.
        self.0.is_kept.store(true, Ordering::Relaxed);
        drop(recent);
        Some(Listener {
            shared: Arc::clone(&self.0),
            end: self.0.end.subscribe(),
            _place: place,
        })
    }

    /// Ends what listeners there are.
    pub(crate) fn end(&self) {
        self.0.end.send_replace(());
    }

    pub(crate) fn listeners(&self) -> usize {
        Self::PLACES - self.0.places.available_permits()
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

impl Shared {
    /// On the thread of the call that is hit. Nobody listening, it is a count and a branch.
    fn tell(&self, injection: &Injection) {
        if self.is_kept.load(Ordering::Relaxed) {
            self.keep(injection);
        } else {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[cold]
    fn keep(&self, injection: &Injection) {
        let (after, at) = (self.audit.last(), self.clock.wall());
        let mut recent = self.recent();
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let left_ago = self.clock.now().saturating_sub(recent.left_at);
        if recent.listeners == 0 && left_ago > Feed::LINGER {
            self.is_kept.store(false, Ordering::Relaxed);
            recent.kept = VecDeque::new();
            return;
        }
        if recent.kept.len() == Feed::MOST {
            recent.kept.pop_front();
        }
        recent.kept.push_back(Happened {
            number,
            after,
            at,
            injection: injection.clone(),
        });
        drop(recent);
        self.news.notify_waiters();
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among those who listen. It is free again when this is dropped.
pub(crate) struct Listener {
    shared: Arc<Shared>,
    end: watch::Receiver<()>,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    /// The number of the newest injection; 0 if there was none.
    pub(crate) fn newest(&self) -> u64 {
        let _recent = self.shared.recent();
        self.shared.count.load(Ordering::Relaxed)
    }

    /// The injections after the one with this number, and how many of those are not here.
    pub(crate) fn after(&self, number: u64) -> (Vec<Happened>, u64) {
        let recent = self.shared.recent();
        // Numbers are given out under the lock where injections are kept: up to this one, what is not
        // here will never be.
        let count = self.shared.count.load(Ordering::Relaxed);
        let kept = recent.kept.iter().rev();
        let mut kept: Vec<_> = kept.take_while(|it| it.number > number).cloned().collect();
        drop(recent);
        kept.reverse();
        let missed = count.saturating_sub(number) - kept.len() as u64;
        (kept, missed)
    }

    /// Waits for the next injection, from before `look` on; not at all if `look` finds something.
    pub(crate) async fn unless(&self, look: impl FnOnce() -> bool) {
        let mut news = std::pin::pin!(self.shared.news.notified());
        news.as_mut().enable();
        if !look() {
            news.await;
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

impl Drop for Listener {
    fn drop(&mut self) {
        let mut recent = self.shared.recent();
        recent.listeners -= 1;
        recent.left_at = self.shared.clock.now();
    }
}
