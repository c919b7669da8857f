//! Which of the matching calls a rule hits: its rate, limits, key and schedule. Nothing here reads a
//! clock or draws a number; `armed` passes in the ordinal of the call, the draw and the time.

pub(crate) mod attempts;
pub(crate) mod budget;
pub(crate) mod key;
pub(crate) mod program;
pub(crate) mod rate;
pub(crate) mod replay;
#[cfg(feature = "window")]
pub(crate) mod window;

#[cfg(feature = "window")]
pub use self::window::Window;
pub use self::{
    attempts::FirstAttempts,
    budget::Budget,
    key::Key,
    program::{Phase, Program, Ramp},
    rate::Rate,
    replay::{Decisions, Replay},
};

use std::{
    num::{NonZeroU32, NonZeroU64},
    time::Duration,
};

/// Which of the matched calls a rule hits. Every condition is exact under any concurrency.
///
/// The conditions are checked in this order: `skip` and `every` by the call's ordinal, `rate` by a
/// draw, then `first_attempts`, `limit` and `max_active`.
///
/// With a key, a draw is a function of the seed, the rule's id and the call's key. Without a key
/// but with a seed, it is a function of the seed, the rule's id and the call's ordinal. With
/// neither, it is random. A higher rate therefore keeps every key that was hit at a lower one.
/// `skip`, `every`, `limit` and `max_active` follow the order of calls in this process, whatever
/// their keys.
///
/// ```
/// use std::num::NonZeroU64;
/// use chaos_core::{Rate, Trigger};
///
/// // Five percent of the calls after the first hundred, twenty at most, the same ones in every run.
/// let trigger = Trigger::new()
///     .rate(Rate::new(0.05)?)
///     .skip(100)
///     .limit(NonZeroU64::new(20).unwrap())
///     .seed(42);
/// # drop(trigger);
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    pub(crate) rate: Rate,
    // Few rules have one of these five, and each is larger than a box.
    pub(crate) key: Option<Box<Key>>,
    pub(crate) first_attempts: Option<Box<FirstAttempts>>,
    pub(crate) replay: Option<Box<Replay>>,
    pub(crate) program: Option<Box<Program>>,
    pub(crate) budget: Option<Box<Budget>>,
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
            key: None,
            first_attempts: None,
            replay: None,
            program: None,
            budget: None,
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
    /// Creates a trigger that hits every matched call.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the fraction of calls to hit. Each call is decided independently.
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rate = rate;
        self.hits_of_2_53 = rate.hits_of_2_53();
        self
    }

    /// Decides by a key of the call: `rate` is then the fraction of keys that are hit, and the same
    /// keys are hit on every replica (LinkedIn's LinkedOut selects members like this, feature flags
    /// their users).
    ///
    /// A [path parameter](Key::PathParameter) is one of the rule's own matcher. If the matcher has
    /// no such parameter, no call is hit.
    #[must_use]
    pub fn key(mut self, key: Key) -> Self {
        self.key = Some(Box::new(key));
        self
    }

    /// Hits only the first attempts of each logical request. Without a [`key`](Self::key), `rate`
    /// is the fraction of logical requests.
    #[must_use]
    pub fn first_attempts(mut self, first: FirstAttempts) -> Self {
        self.first_attempts = Some(Box::new(first));
        self
    }

    /// Hits these calls, whatever `rate`, `skip` and `every` are.
    #[must_use]
    pub fn replay(mut self, calls: Replay) -> Self {
        self.replay = Some(Box::new(calls));
        self
    }

    /// Changes the rate, and the size of delays and bytes, over time. It replaces
    /// [`rate`](Self::rate).
    #[must_use]
    pub fn program(mut self, program: Program) -> Self {
        self.program = Some(Box::new(program));
        self
    }

    /// Makes draws a function of the seed, the rule's id, and the call's key or ordinal, so that
    /// the n-th matched call since the rule was armed is decided the same way in every run.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Skips the first `calls` matched calls (Linux fault injection: `space`).
    #[must_use]
    pub fn skip(mut self, calls: u64) -> Self {
        self.skip = calls;
        self
    }

    /// Considers only every `nth` matched call after those skipped
    /// (Linux fault injection: `interval`; Chaos Monkey for Spring Boot: `deterministic`).
    #[must_use]
    pub fn every(mut self, nth: NonZeroU64) -> Self {
        self.every = nth;
        self
    }

    /// Sets the most injections since the rule was armed (failpoints: `n*`; Linux: `times`).
    #[must_use]
    pub fn limit(mut self, injections: NonZeroU64) -> Self {
        self.limit = Some(injections);
        self
    }

    /// Sets the most injections under way at a time (Envoy: `max_active_faults`, but exact).
    #[must_use]
    pub fn max_active(mut self, injections: NonZeroU32) -> Self {
        self.max_active = Some(injections);
        self
    }

    /// Sets the greatest share of the matched calls since the rule was armed, and the most delay in
    /// any minute, whatever the rate is. Both are exact.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = (budget != Budget::new()).then(|| Box::new(budget));
        self
    }

    /// Returns the key by which calls are decided, if there is one.
    pub(crate) fn deciding_key(&self) -> Option<&Key> {
        let of_tries = self.first_attempts.as_ref().map(|first| &first.key);
        self.key.as_deref().or(of_tries)
    }

    /// Returns whether calls must be numbered, which costs each of them a write to shared memory.
    pub(crate) fn counts_calls(&self) -> bool {
        let by_ordinal = self.seed.is_some() && self.deciding_key().is_none();
        by_ordinal
            || self.skip != 0
            || self.every.get() != 1
            || self.replay.as_deref().is_some_and(Replay::counts_calls)
    }

    /// Returns whether the decision needs more of a call than that it matches.
    pub(crate) fn asks_closely(&self) -> bool {
        self.counts_calls()
            || self.deciding_key().is_some()
            || self.replay.is_some()
            || self.program.is_some()
            || (self.budget.as_deref()).is_some_and(Budget::counts_calls)
    }

    /// Returns whether the decision needs the key of a call or its number, and no more.
    pub(crate) fn is_simple(&self) -> bool {
        let by_one = self.deciding_key().is_some() || self.seed.is_some();
        by_one
            && (self.skip, self.every.get()) == (0, 1)
            && self.replay.is_none()
            && self.program.is_none()
            && !(self.budget.as_deref()).is_some_and(Budget::counts_calls)
    }

    /// Returns whether no draw is needed.
    pub(crate) fn always_hits(&self) -> bool {
        self.rate == Rate::ALWAYS && self.program.is_none()
    }

    /// Returns whether `skip` and `every` accept call number `ordinal`, counted from 0.
    pub(crate) fn takes(&self, ordinal: u64) -> bool {
        ordinal >= self.skip && (ordinal - self.skip + 1).is_multiple_of(self.every.get())
    }

    /// Returns the rate of a rule of this age as a number: a draw hits if its high 53 bits are
    /// below it.
    pub(crate) fn hits_of_2_53_at(&self, age: Duration) -> u64 {
        match &self.program {
            Some(program) => Rate::of_program(program.at(age).rate).hits_of_2_53(),
            None => self.hits_of_2_53,
        }
    }

    /// Returns the fraction of calls that a rule of this age hits; 1 for a replay, which hits all
    /// it names.
    pub(crate) fn share_at(&self, age: Duration) -> f64 {
        match (&self.replay, &self.program) {
            (Some(_), _) => 1.0,
            (None, Some(program)) => program.at(age).rate,
            (None, None) => self.rate.get(),
        }
    }

    /// Returns the greatest fraction of calls that the rule hits at any age.
    pub(crate) fn greatest_share(&self) -> f64 {
        match &self.program {
            Some(program) => program.greatest_rate(),
            None => self.rate.get(),
        }
    }

    /// Returns the factor on delays and sizes for a rule of this age.
    pub(crate) fn scale_at(&self, age: Duration) -> f64 {
        self.program
            .as_ref()
            .map_or(1.0, |program| program.at(age).scale)
    }

    /// Returns the rate as a number, for a trigger without a program: a draw hits if its high 53
    /// bits are below it.
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
