//! How often each logical request has been tried: what makes a fault hit the first tries and let the
//! next one through.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use lru::LruCache;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;

use crate::trigger::key::Key;

/// Hits the first `n` tries of each logical request, and none after.
///
/// Tries belong together if their keys are equal: an idempotency key, a request id. A rule remembers
/// 16,384 requests (about 1.5 MB), each for ten minutes after its last try; where there are more, it forgets
/// the one that was tried longest ago, and counts that as an eviction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstAttempts {
    pub(crate) n: NonZeroU32,
    pub(crate) key: Key,
}

impl FirstAttempts {
    /// The first `n` tries of what `key` says is one request.
    #[must_use]
    pub const fn new(n: NonZeroU32, key: Key) -> Self {
        Self { n, key }
    }
}

const MOST: NonZeroUsize = NonZeroUsize::new(16 * 1024).expect("more than none");
const REMEMBERED: Duration = Duration::from_secs(600);

/// What a request is remembered by. Of two requests, the same one time in 2^128.
pub(crate) type Digest = u128;

pub(crate) fn digest(key: &str) -> Digest {
    let mut hash = SipHasher13::new();
    hash.write(key.as_bytes());
    hash.finish128().as_u128()
}

/// The tries of the requests that one rule has met.
#[derive(Debug)]
pub(crate) struct Attempts {
    met: Mutex<LruCache<Digest, Tries>>,
    evicted: AtomicU64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tries {
    hit: u32,
    last: Duration,
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            // Grows as it is filled.
            met: Mutex::new(LruCache::unbounded()),
            evicted: AtomicU64::new(0),
        }
    }
}

impl Attempts {
    /// Takes one of the first `n` tries of a request, if one is left.
    pub(crate) fn take(&self, request: Digest, n: NonZeroU32, now: Duration) -> bool {
        let mut met = self.met();
        let is_old = |tries: &Tries| now.saturating_sub(tries.last) >= REMEMBERED;
        while met.peek_lru().is_some_and(|(_, tries)| is_old(tries)) {
            met.pop_lru();
        }
        if met.len() >= MOST.get() && !met.contains(&request) {
            met.pop_lru();
            self.evicted.fetch_add(1, Relaxed);
        }
        let tries = met.get_or_insert_mut(request, Tries::default);
        tries.last = now;
        let is_early = tries.hit < n.get();
        tries.hit += u32::from(is_early);
        is_early
    }

    /// Gives one back that was taken and did not happen.
    pub(crate) fn refund(&self, request: Digest) {
        if let Some(tries) = self.met().peek_mut(&request) {
            tries.hit = tries.hit.saturating_sub(1);
        }
    }

    /// How many requests were forgotten to make room.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted.load(Relaxed)
    }

    fn met(&self) -> MutexGuard<'_, LruCache<Digest, Tries>> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: NonZeroU32 = NonZeroU32::new(2).unwrap();

    #[test]
    fn the_first_tries_are_taken_and_given_back() {
        let attempts = Attempts::default();
        let take = |key| attempts.take(digest(key), TWO, Duration::ZERO);
        assert_eq!(
            [take("a"), take("b"), take("a"), take("a")],
            [true, true, true, false]
        );
        attempts.refund(digest("a"));
        assert_eq!(
            [take("a"), take("a"), take("b"), take("b")],
            [true, false, true, false]
        );
        attempts.refund(digest("never met"));
    }

    #[test]
    fn a_request_is_forgotten_ten_minutes_after_its_last_try() {
        let attempts = Attempts::default();
        let take =
            |minutes: u64| attempts.take(digest("a"), TWO, Duration::from_secs(60 * minutes));
        assert_eq!([take(0), take(5), take(14)], [true, true, false]);
        assert!(take(24));
        assert_eq!((attempts.evicted(), attempts.met().len()), (0, 1));
    }

    #[test]
    fn memory_is_bounded_and_evictions_are_counted() {
        let attempts = Attempts::default();
        for at in 0..MOST.get() + 10 {
            assert!(attempts.take(at as Digest, TWO, Duration::ZERO));
        }
        assert_eq!((attempts.evicted(), attempts.met().len()), (10, MOST.get()));
        // The last one is remembered, the first one is not.
        let last = (MOST.get() + 9) as Digest;
        assert!(attempts.take(last, TWO, Duration::ZERO));
        assert!(!attempts.take(last, TWO, Duration::ZERO));
        assert!(attempts.take(0, TWO, Duration::ZERO) && attempts.take(0, TWO, Duration::ZERO));
    }
}
