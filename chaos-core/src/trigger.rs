//! Which of the matched calls are hit. Pure: it reads no clock and draws no number; the ordinal of
//! the call and the draw are arguments.

use std::num::{NonZeroU32, NonZeroU64};

use crate::error::RuleError;

/// A share of calls, from 0 (none) to 1 (all).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate(f64);

impl Rate {
    /// Every call.
    pub const ALWAYS: Self = Self(1.0);

    /// A rate.
    ///
    /// # Errors
    /// Outside `0.0..=1.0`, or not a number.
    pub fn new(rate: f64) -> Result<Self, RuleError> {
        if (0.0..=1.0).contains(&rate) {
            return Ok(Self(rate));
        }
        let problem = format!("{rate} is no share");
        Err(RuleError::new("rate", problem, "a number from 0 to 1"))
    }

    /// As a number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// How many of 2^53 equally likely draws hit.
    fn hits_of_2_53(self) -> u64 {
        let hits = (self.0 * (1_u64 << 53) as f64).round() as u64;
        if self.0 > 0.0 { hits.max(1) } else { 0 }
    }
}

/// Which of the matched calls a rule hits. All conditions are exact under any concurrency.
///
/// They are asked in this order: `skip` and `every` by the call's ordinal, `rate` by a draw,
/// then `limit` and `max_active`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trigger {
    pub(crate) rate: Rate,
    pub(crate) seed: Option<u64>,
    pub(crate) skip: u64,
    pub(crate) every: NonZeroU64,
    pub(crate) limit: Option<NonZeroU64>,
    pub(crate) max_active: Option<NonZeroU32>,
    hits_of_2_53: u64,
}

impl Default for Trigger {
    fn default() -> Self {
        Self {
            rate: Rate::ALWAYS,
            seed: None,
            skip: 0,
            every: NonZeroU64::MIN,
            limit: None,
            max_active: None,
            hits_of_2_53: Rate::ALWAYS.hits_of_2_53(),
        }
    }
}

impl Trigger {
    /// Hits every matched call.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The share of calls to hit; each call draws for itself.
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rate = rate;
        self.hits_of_2_53 = rate.hits_of_2_53();
        self
    }

    /// Makes the draws a function of the seed, the rule's id and the call's ordinal, so that the
    /// n-th matched call since the rule was armed decides the same way in every run.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Leaves the first `calls` matched calls alone (Linux fault injection: `space`).
    #[must_use]
    pub fn skip(mut self, calls: u64) -> Self {
        self.skip = calls;
        self
    }

    /// Takes the n-th matched call after those skipped, the 2n-th and so on
    /// (Linux fault injection: `interval`; Chaos Monkey for Spring Boot: `deterministic`).
    #[must_use]
    pub fn every(mut self, nth: NonZeroU64) -> Self {
        self.every = nth;
        self
    }

    /// At most so many injections since the rule was armed (failpoints: `n*`; Linux: `times`).
    #[must_use]
    pub fn limit(mut self, injections: NonZeroU64) -> Self {
        self.limit = Some(injections);
        self
    }

    /// At most so many injections at the same time (Envoy: `max_active_faults`, but exact).
    #[must_use]
    pub fn max_active(mut self, injections: NonZeroU32) -> Self {
        self.max_active = Some(injections);
        self
    }

    /// Whether calls must be numbered, which costs each of them a write to shared memory.
    #[inline]
    pub(crate) fn counts_calls(&self) -> bool {
        self.seed.is_some() || self.skip != 0 || self.every.get() != 1
    }

    /// Whether `skip` and `every` take call number `ordinal`, counted from 0.
    pub(crate) fn takes(&self, ordinal: u64) -> bool {
        ordinal >= self.skip && (ordinal - self.skip + 1).is_multiple_of(self.every.get())
    }

    /// The same as a number: a draw hits if its high 53 bits are below it.
    pub(crate) fn hits_of_2_53(&self) -> u64 {
        self.hits_of_2_53
    }

    /// Whether `rate` hits, given 64 uniform bits; they are drawn only where the rate leaves doubt.
    #[inline]
    pub(crate) fn hits(&self, draw: impl FnOnce() -> u64) -> bool {
        self.rate.0 >= 1.0 || draw() >> 11 < self.hits_of_2_53
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_exact_at_its_ends_and_between() {
        let trigger = |rate| Trigger::new().rate(Rate::new(rate).unwrap());
        assert!(!trigger(0.0).hits(|| 0));
        assert!(trigger(1.0).hits(|| u64::MAX));
        assert!(trigger(0.5).hits(|| (1 << 63) - 1));
        assert!(!trigger(0.5).hits(|| 1 << 63));
        // The smallest rate is not rounded to never.
        assert!(trigger(f64::MIN_POSITIVE).hits(|| 0));
    }

    #[test]
    fn a_rate_that_is_no_share_is_refused() {
        for rate in [-0.1, 1.1, f64::NAN, f64::INFINITY, 5.0] {
            let error = Rate::new(rate).unwrap_err();
            assert_eq!(
                (error.field(), error.allowed()),
                ("rate", "a number from 0 to 1")
            );
        }
    }

    #[test]
    fn skip_then_every_nth() {
        let every = NonZeroU64::new(3).unwrap();
        let trigger = Trigger::new().skip(2).every(every);
        let taken: Vec<u64> = (0..12).filter(|n| trigger.takes(*n)).collect();
        assert_eq!(taken, [4, 7, 10]);
    }
}
