//! How often someone may fail to log in, and how many refusals of strangers are written down.
//!
//! Neither keeps anyone from getting in with a good token, so nobody can lock an operator out. What
//! keeps guessers out is the length of the secrets; this keeps them from filling the audit.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::Clock as _,
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed},
};
use lru::LruCache;

use crate::access::origin::Origin;

/// Ten failures at once, and one more every six seconds, from one address.
const PER_ORIGIN: Quota = per_minute(10, 10);
/// The same of all addresses together.
const OVERALL: Quota = per_minute(60, 60);
/// Sixty refusals of strangers at once, and six a minute: the thousand refusals that the audit keeps
/// last for more than two hours of it.
const AUDIT_RECORDS: Quota = per_minute(6, 60);
/// Addresses that are remembered; then the one that failed longest ago is forgiven.
const MAX_ORIGINS: NonZeroUsize = NonZeroUsize::new(1024).expect("it is not zero");

const fn per_minute(number: u32, at_once: u32) -> Quota {
    let number = NonZeroU32::new(number).expect("it is not zero");
    let at_once = NonZeroU32::new(at_once).expect("it is not zero");
    Quota::per_minute(number).allow_burst(at_once)
}

type Bucket = RateLimiter<NotKeyed, InMemoryState, LimiterClock, NoOpMiddleware<Nanos>>;

/// The counts of one authorizer.
#[derive(Debug)]
pub(crate) struct Limits {
    clock: LimiterClock,
    overall: Bucket,
    per_origin: Mutex<LruCache<Origin, Arc<Bucket>>>,
    audit_records: Bucket,
    unrecorded: AtomicU64,
}

impl Limits {
    pub(crate) fn new() -> Self {
        let clock = LimiterClock(chaos_core::Clock::monotonic());
        let bucket = |quota| RateLimiter::direct_with_clock(quota, clock.clone());
        Self {
            overall: bucket(OVERALL),
            per_origin: Mutex::new(LruCache::new(MAX_ORIGINS)),
            audit_records: bucket(AUDIT_RECORDS),
            unrecorded: AtomicU64::new(0),
            clock,
        }
    }

    /// Counts a failure to log in.
    ///
    /// # Errors
    /// If there were too many: how long to wait.
    pub(crate) fn record_failure(&self, origin: Origin) -> Result<(), Duration> {
        let bucket = {
            let mut per_origin = self
                .per_origin
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let fresh = || {
                Arc::new(RateLimiter::direct_with_clock(
                    PER_ORIGIN,
                    self.clock.clone(),
                ))
            };
            Arc::clone(per_origin.get_or_insert(origin, fresh))
        };
        // One address that fails too often uses up nothing of what the others have.
        let checked = bucket.check().and_then(|()| self.overall.check());
        checked.map_err(|until| until.wait_time_from(self.clock.now()))
    }

    /// Whether one more refusal of a stranger is to be written down, and how many were not since the
    /// last one that was.
    pub(crate) fn may_record(&self) -> Option<u64> {
        match self.audit_records.check() {
            Ok(()) => Some(self.unrecorded.swap(0, Ordering::Relaxed)),
            Err(_) => {
                self.unrecorded.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }
}

/// The project's one clock, as the crate that counts wants it.
#[derive(Clone, Debug)]
struct LimiterClock(chaos_core::Clock);

impl governor::clock::Clock for LimiterClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.now().into()
    }
}
