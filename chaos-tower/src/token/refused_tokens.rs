//! `RefusedTokens`: the tokens that the policy has refused, so that they are not read for each request.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use chaos_core::Policy;
use lru::LruCache;

/// The most tokens that are remembered.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(256).expect("more than none");

/// How long a token is remembered: a custom fault that it names may be defined meanwhile.
const LIFE: Duration = Duration::from_secs(1);

/// The tokens that were refused under one policy, and when.
pub(super) struct RefusedTokens(Mutex<Option<Refused>>);

struct Refused {
    policy: Policy,
    tokens: LruCache<Box<[u8]>, SystemTime>,
}

impl RefusedTokens {
    pub(super) fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Returns whether `token` was refused under `policy` within the last second.
    pub(super) fn contains(&self, token: &[u8], policy: &Policy, now: SystemTime) -> bool {
        self.with(|refused| match refused {
            Some(refused) if refused.policy == *policy => {
                let age = refused.tokens.get(token).map(|at| now.duration_since(*at));
                age.is_some_and(|age| age.is_ok_and(|age| age < LIFE))
            }
            _ => false,
        })
    }

    /// Remembers that `token` was refused under `policy`. Tokens that were refused under another policy are
    /// forgotten.
    pub(super) fn insert(&self, token: &[u8], policy: Policy, now: SystemTime) {
        self.with(|refused| {
            if refused.as_ref().is_none_or(|it| it.policy != policy) {
                let tokens = LruCache::new(CAPACITY);
                *refused = Some(Refused { policy, tokens });
            }
            if let Some(refused) = refused {
                refused.tokens.put(token.into(), now);
            }
        });
    }

    fn with<T>(&self, work: impl FnOnce(&mut Option<Refused>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
