//! Counts the attempts of each logical request, so that a fault hits the first ones and lets the
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

/// Hits the first `n` attempts of each logical request, and no later one.
///
/// Attempts with equal keys belong to one request, for example those with one idempotency key or
/// request id. A rule remembers 16,384 requests (about 1.5 MB), each for ten minutes after its last
/// attempt. When there are more, it evicts the request whose last attempt is the oldest, and counts
/// the eviction.
///
/// ```
/// use std::num::NonZeroU32;
/// use chaos_core::{Trigger, trigger::FirstAttempts};
///
/// // Two attempts fail, and the third succeeds.
/// let first = FirstAttempts::new(NonZeroU32::new(2).unwrap(), "header:x-request-id".parse()?);
/// let trigger = Trigger::new().first_attempts(first);
/// # drop(trigger);
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstAttempts {
    pub(crate) n: NonZeroU32,
    pub(crate) key: Key,
}

impl FirstAttempts {
    /// Creates the condition for the first `n` attempts of each request that `key` identifies.
    #[must_use]
    pub const fn new(n: NonZeroU32, key: Key) -> Self {
        Self { n, key }
    }
}

/// How many requests a rule remembers.
const MOST: NonZeroUsize = NonZeroUsize::new(16 * 1024).expect("more than none");
/// How long a request is remembered after its last attempt.
const REMEMBERED: Duration = Duration::from_secs(600);

/// The hash by which a request is remembered. Two requests share one with a probability of 2^-128.
pub(crate) type Digest = u128;

/// Hashes a key.
pub(crate) fn digest(key: &str) -> Digest {
    let mut hash = SipHasher13::new();
    hash.write(key.as_bytes());
    hash.finish128().as_u128()
}

/// The attempts of the requests that one rule has matched.
#[derive(Debug)]
pub(crate) struct Attempts {
    seen: Mutex<LruCache<Digest, Tries>>,
    evicted: AtomicU64,
}

/// How many attempts of a request were hit, and when the last one was.
#[derive(Clone, Copy, Debug, Default)]
struct Tries {
    hit: u32,
    last: Duration,
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            // The cache grows as it is filled.
            seen: Mutex::new(LruCache::unbounded()),
            evicted: AtomicU64::new(0),
        }
    }
}

impl Attempts {
    /// Takes one of the first `n` attempts of a request. Returns whether one was left.
    pub(crate) fn take(&self, request: Digest, n: NonZeroU32, now: Duration) -> bool {
        let mut seen = self.seen();
        let is_old = |tries: &Tries| now.saturating_sub(tries.last) >= REMEMBERED;
        while seen.peek_lru().is_some_and(|(_, tries)| is_old(tries)) {
            seen.pop_lru();
        }
        if seen.len() >= MOST.get() && !seen.contains(&request) {
            seen.pop_lru();
            self.evicted.fetch_add(1, Relaxed);
        }
        let tries = seen.get_or_insert_mut(request, Tries::default);
        tries.last = now;
        let is_early = tries.hit < n.get();
        tries.hit += u32::from(is_early);
        is_early
    }

    /// Gives an attempt back that was taken but not hit.
    pub(crate) fn refund(&self, request: Digest) {
        if let Some(tries) = self.seen().peek_mut(&request) {
            tries.hit = tries.hit.saturating_sub(1);
        }
    }

    /// Returns how many requests were evicted.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted.load(Relaxed)
    }

    fn seen(&self) -> MutexGuard<'_, LruCache<Digest, Tries>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert_eq!((attempts.evicted(), attempts.seen().len()), (0, 1));
    }

    #[test]
    fn memory_is_bounded_and_evictions_are_counted() {
        let attempts = Attempts::default();
        for at in 0..MOST.get() + 10 {
            assert!(attempts.take(at as Digest, TWO, Duration::ZERO));
        }
        assert_eq!(
            (attempts.evicted(), attempts.seen().len()),
            (10, MOST.get())
        );
        // The last request is remembered, the first is not.
        let last = (MOST.get() + 9) as Digest;
        assert!(attempts.take(last, TWO, Duration::ZERO));
        assert!(!attempts.take(last, TWO, Duration::ZERO));
        assert!(attempts.take(0, TWO, Duration::ZERO) && attempts.take(0, TWO, Duration::ZERO));
    }
}
