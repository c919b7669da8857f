//! Rate limits on failed authentication, and on the audit entries about it.
//!
//! Neither affects requests with a valid token, so nobody can lock an operator out. Guessing is
//! prevented by the length of the secrets; these limits prevent it from filling the audit.

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

use crate::access::{origin::Origin, request_limits::Client};

/// Failures of one origin: a burst of ten, and ten per minute.
const PER_ORIGIN: Quota = per_minute(10, 10);
/// Failures of all origins together: a burst of sixty, and sixty per minute.
const OVERALL: Quota = per_minute(60, 60);
/// Audit entries about unauthenticated requests: a burst of sixty, and six per minute. At this
/// rate, the thousand refusals that the audit keeps cover more than two hours.
const AUDIT_RECORDS: Quota = per_minute(6, 60);
/// Audit entries about refused writes of one client with a token, or of one at a port without tokens: a burst
/// of three hundred, and sixty per minute.
const AUDIT_RECORDS_PER_CLIENT: Quota = per_minute(60, 300);
/// The number of origins whose failures are counted. Beyond it, the one that failed least recently
/// is forgotten.
const MAX_ORIGINS: NonZeroUsize = NonZeroUsize::new(1024).expect("it is not zero");

const fn per_minute(number: u32, at_once: u32) -> Quota {
    let number = NonZeroU32::new(number).expect("it is not zero");
    let at_once = NonZeroU32::new(at_once).expect("it is not zero");
    Quota::per_minute(number).allow_burst(at_once)
}

type Bucket = RateLimiter<NotKeyed, InMemoryState, LimiterClock, NoOpMiddleware<Nanos>>;

/// The rate limiters of one [`Authorizer`](super::authorize::Authorizer).
#[derive(Debug)]
pub(crate) struct Limits {
    clock: LimiterClock,
    overall: Bucket,
    per_origin: Mutex<LruCache<Origin, Arc<Bucket>>>,
    strangers: Records,
    per_client: Mutex<LruCache<Client, Arc<Records>>>,
}

/// Which refusals are recorded.
#[derive(Debug)]
struct Records {
    bucket: Bucket,
    /// Refusals since the last one that was recorded.
    unrecorded: AtomicU64,
}

impl Records {
    fn new(quota: Quota, clock: LimiterClock) -> Self {
        Self {
            bucket: RateLimiter::direct_with_clock(quota, clock),
            unrecorded: AtomicU64::new(0),
        }
    }

    /// Returns whether to record one more refusal: if so, the number of refusals since the last recorded
    /// one that were not recorded.
    fn may_record(&self) -> Option<u64> {
        match self.bucket.check() {
            Ok(()) => Some(self.unrecorded.swap(0, Ordering::Relaxed)),
            Err(_) => {
                self.unrecorded.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }
}

impl Limits {
    pub(crate) fn new() -> Self {
        let clock = LimiterClock(chaos_core::Clock::monotonic());
        let bucket = |quota| RateLimiter::direct_with_clock(quota, clock.clone());
        Self {
            overall: bucket(OVERALL),
            per_origin: Mutex::new(LruCache::new(MAX_ORIGINS)),
            strangers: Records::new(AUDIT_RECORDS, clock.clone()),
            per_client: Mutex::new(LruCache::new(MAX_ORIGINS)),
            clock,
        }
    }

    /// Counts a failed authentication.
    ///
    /// # Errors
    /// Returns how long to wait if there were too many failures.
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
        // An origin that exceeds its own limit does not consume from the limit that all share.
        let checked = bucket.check().and_then(|()| self.overall.check());
        checked.map_err(|until| until.wait_time_from(self.clock.now()))
    }

    /// Returns whether to record in the audit that a request without a valid token was refused: if so,
    /// the number of refusals since the last recorded one that were not recorded.
    pub(crate) fn may_record_stranger(&self) -> Option<u64> {
        self.strangers.may_record()
    }

    /// Returns whether to record in the audit that a write of `client` was refused, as
    /// [`may_record_stranger`](Self::may_record_stranger) does.
    pub(crate) fn may_record(&self, client: &Client) -> Option<u64> {
        let records = {
            let mut per_client = self
                .per_client
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let fresh = || Arc::new(Records::new(AUDIT_RECORDS_PER_CLIENT, self.clock.clone()));
            Arc::clone(per_client.get_or_insert(client.clone(), fresh))
        };
        records.may_record()
    }
}

/// Adapts the clock of `chaos_core` to governor, so that tests can move time.
#[derive(Clone, Debug)]
struct LimiterClock(chaos_core::Clock);

impl governor::clock::Clock for LimiterClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.now().into()
    }
}
