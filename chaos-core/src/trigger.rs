//! Which of the matched calls are hit. Pure: it reads no clock and draws no number; the ordinal of
//! the call and the draw are elsewhere (`lots`).

pub(crate) mod attempts;
pub(crate) mod budget;
pub(crate) mod key;
pub(crate) mod program;
pub(crate) mod rate;
pub(crate) mod replay;
#[cfg(feature = "window")]
pub(crate) mod window;

use std::{
    num::{NonZeroU32, NonZeroU64},
    time::Duration,
};

use crate::trigger::{
    attempts::FirstAttempts, budget::Budget, key::Key, program::Program, rate::Rate, replay::Replay,
};

/// Which of the matched calls a rule hits. All conditions are exact under any concurrency.
///
/// They are asked in this order: `skip` and `every` by the call's ordinal, `rate` by a draw,
/// then `first_attempts`, `limit` and `max_active`.
///
/// What a draw says is a function of the seed, the rule's id and the call's key, or, where there is
/// none, of the seed, the rule's id and the call's ordinal. With neither key nor seed, it is chance.
/// So raising the rate keeps every key that was hit; `skip`, `every`, `limit` and `max_active` go by
/// the order of the calls in this process, whatever their keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    pub(crate) rate: Rate,
    pub(crate) key: Option<Key>,
    pub(crate) first_attempts: Option<FirstAttempts>,
    pub(crate) replay: Option<Replay>,
    pub(crate) program: Option<Program>,
    pub(crate) seed: Option<u64>,
    pub(crate) skip: u64,
    pub(crate) every: NonZeroU64,
    pub(crate) limit: Option<NonZeroU64>,
    pub(crate) max_active: Option<NonZeroU32>,
    pub(crate) budget: Budget,
    hits_of_2_53: u64,
}

impl Default for Trigger {
    fn default() -> Self {
        Self {
            rate: Rate::ALWAYS,
            key: None,
            first_attempts: None,
            replay: None,
            program: None,
            seed: None,
            skip: 0,
            every: NonZeroU64::MIN,
            limit: None,
            max_active: None,
            budget: Budget::new(),
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

    /// Decides by a key of the call: `rate` is then the share of keys that are hit, the same ones on
    /// every replica (LinkedIn's LinkedOut: by member; feature flags: sticky).
    ///
    /// The key of a [path parameter](Key::PathParameter) is that of the rule's own matcher; without
    /// such a parameter there, no call is hit.
    #[must_use]
    pub fn key(mut self, key: Key) -> Self {
        self.key = Some(key);
        self
    }

    /// Hits only the first tries of each logical request. Without a [`key`](Self::key), `rate` is the
    /// share of logical requests.
    #[must_use]
    pub fn first_attempts(mut self, first: FirstAttempts) -> Self {
        self.first_attempts = Some(first);
        self
    }

    /// Hits these calls, whatever `rate`, `skip` and `every` say.
    #[must_use]
    pub fn replay(mut self, calls: Replay) -> Self {
        self.replay = Some(calls);
        self
    }

    /// Lets the rate, and the size of what is done, change over time. It replaces [`rate`](Self::rate).
    #[must_use]
    pub fn program(mut self, program: Program) -> Self {
        self.program = Some(program);
        self
    }

    /// Makes the draws a function of the seed, the rule's id and the call's key or ordinal, so that
    /// the n-th matched call since the rule was armed decides the same way in every run.
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

    /// At most such a share of the matched calls since the rule was armed, and so much delay in any
    /// minute, whatever the rate says. Both are exact.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// By what key a call is decided, if by any.
    pub(crate) fn deciding_key(&self) -> Option<&Key> {
        let of_tries = self.first_attempts.as_ref().map(|first| &first.key);
        self.key.as_ref().or(of_tries)
    }

    /// Whether calls must be numbered, which costs each of them a write to shared memory.
    pub(crate) fn counts_calls(&self) -> bool {
        let by_ordinal = self.seed.is_some() && self.deciding_key().is_none();
        by_ordinal
            || self.skip != 0
            || self.every.get() != 1
            || self.replay.as_ref().is_some_and(Replay::counts_calls)
    }

    /// Whether more has to be known of a call than that it matches.
    pub(crate) fn asks_closely(&self) -> bool {
        self.counts_calls()
            || self.deciding_key().is_some()
            || self.replay.is_some()
            || self.program.is_some()
            || self.budget.counts_calls()
    }

    /// Whether no draw is needed.
    pub(crate) fn always_hits(&self) -> bool {
        self.rate == Rate::ALWAYS && self.program.is_none()
    }

    /// Whether `skip` and `every` take call number `ordinal`, counted from 0.
    pub(crate) fn takes(&self, ordinal: u64) -> bool {
        ordinal >= self.skip && (ordinal - self.skip + 1).is_multiple_of(self.every.get())
    }

    /// The rate of a rule of that age as a number: a draw hits if its high 53 bits are below it.
    pub(crate) fn hits_of_2_53_at(&self, age: Duration) -> u64 {
        match &self.program {
            Some(program) => Rate::of_program(program.at(age).rate).hits_of_2_53(),
            None => self.hits_of_2_53,
        }
    }

    /// The share of calls that a rule of that age hits by chance; of one that replays, all it names.
    pub(crate) fn share_at(&self, age: Duration) -> f64 {
        match (&self.replay, &self.program) {
            (Some(_), _) => 1.0,
            (None, Some(program)) => program.at(age).rate,
            (None, None) => self.rate.get(),
        }
    }

    /// The most that it ever is.
    pub(crate) fn greatest_share(&self) -> f64 {
        match &self.program {
            Some(program) => program.greatest_rate(),
            None => self.rate.get(),
        }
    }

    /// The factor on delays and sizes.
    pub(crate) fn scale_at(&self, age: Duration) -> f64 {
        self.program
            .as_ref()
            .map_or(1.0, |program| program.at(age).scale)
    }

    /// The same, of a rule whose rate stays.
    pub(crate) fn hits_of_2_53(&self) -> u64 {
        self.hits_of_2_53
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skip_then_every_nth() {
        let every = NonZeroU64::new(3).unwrap();
        let trigger = Trigger::new().skip(2).every(every);
        let taken: Vec<u64> = (0..12).filter(|n| trigger.takes(*n)).collect();
        assert_eq!(taken, [4, 7, 10]);
    }
}
