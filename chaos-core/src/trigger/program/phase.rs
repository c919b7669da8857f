//! A phase of a program: a rate and a scale, each constant or a ramp.

use std::{fmt, ops::RangeInclusive, time::Duration};

use crate::error::RuleError;

pub(crate) const TIME_ALLOWED: &str = "a duration such as \"2m\", more than 0s and at most 365 days; \
                                       only the last phase may lack one, and then it is no ramp";
pub(crate) const RATE_ALLOWED: &str = "a number from 0 to 1, or a ramp such as \"0.01..0.2\"";
pub(crate) const SCALE_ALLOWED: &str = "a number from 0 to 100, or a ramp such as \"0..1\"";

/// The longest time of a phase, and of all phases of a program together.
pub(super) const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A part of a [`Program`](crate::trigger::Program): a rate and a scale, for a time.
///
/// ```
/// use std::time::Duration;
/// use chaos_core::trigger::{Phase, Program, Ramp};
///
/// // Over two minutes, delays grow from nothing to three times what the rule's faults say.
/// let slower = Phase::new(Ramp::constant(1.0))
///     .scale(Ramp::between(0.0, 3.0))
///     .lasting(Duration::from_secs(120));
/// let program = Program::new([slower])?;
/// # drop(program);
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    pub(crate) time: Option<Duration>,
    pub(crate) rate: Ramp,
    pub(crate) scale: Ramp,
}

/// A number over the time of a [`Phase`]: constant, or changing linearly.
///
/// A number that is out of range is refused by [`Program::new`](crate::trigger::Program::new).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ramp {
    pub(crate) from: f64,
    pub(crate) to: f64,
}

/// The rate and the scale that a program has at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Intensity {
    /// The fraction of calls to hit, from 0 to 1.
    pub(crate) rate: f64,
    /// The factor on delays and sizes, from 0 to 100.
    pub(crate) scale: f64,
}

impl Phase {
    /// Creates a phase with this rate, from 0 to 1, and a scale of 1. It lasts unless it is given a
    /// time.
    #[must_use]
    pub const fn new(rate: Ramp) -> Self {
        Self {
            time: None,
            rate,
            scale: Ramp::constant(1.0),
        }
    }

    /// Sets how long the phase takes: above zero, at most 365 days.
    #[must_use]
    pub const fn lasting(mut self, time: Duration) -> Self {
        self.time = Some(time);
        self
    }

    /// Sets the factor on delays and sizes of the rule's faults, from 0 to 100.
    #[must_use]
    pub const fn scale(mut self, scale: Ramp) -> Self {
        self.scale = scale;
        self
    }

    /// Checks the bounds of the phase.
    pub(super) fn check(&self, is_last: bool) -> Result<(), RuleError> {
        self.rate.check("rate", 0.0..=1.0, RATE_ALLOWED)?;
        self.scale.check("scale", 0.0..=100.0, SCALE_ALLOWED)?;
        let refuse =
            |problem: fmt::Arguments<'_>| Err(RuleError::new("for", problem, TIME_ALLOWED));
        match self.time {
            Some(time) if time.is_zero() || time > LONGEST => {
                refuse(format_args!("{time:?} is out of range"))
            }
            None if !is_last => refuse(format_args!("missing, before another phase")),
            None if self.rate.changes() => refuse(format_args!("missing, beside a ramp of rate")),
            None if self.scale.changes() => refuse(format_args!("missing, beside a ramp of scale")),
            Some(_) | None => Ok(()),
        }
    }

    /// Returns the rate and the scale when the fraction `share` of its time has passed.
    #[inline]
    pub(super) fn at(&self, share: f64) -> Intensity {
        Intensity {
            rate: self.rate.at(share),
            scale: self.scale.at(share),
        }
    }
}

impl Ramp {
    /// Creates a number that does not change.
    #[must_use]
    pub const fn constant(value: f64) -> Self {
        Self {
            from: value,
            to: value,
        }
    }

    /// Creates a number that changes linearly from `from` to `to`, up or down.
    #[must_use]
    pub const fn between(from: f64, to: f64) -> Self {
        Self { from, to }
    }

    /// Returns whether the number changes.
    pub(crate) fn changes(self) -> bool {
        self.from != self.to
    }

    /// Checks that both ends are within `allowed`.
    fn check(
        self,
        field: &str,
        allowed: RangeInclusive<f64>,
        text: &'static str,
    ) -> Result<(), RuleError> {
        // NaN is not within any range.
        match [self.from, self.to].iter().find(|n| !allowed.contains(n)) {
            None => Ok(()),
            Some(number) => {
                let problem = format!("{number} is out of bounds");
                Err(RuleError::new(field, problem, text))
            }
        }
    }

    /// Returns the number when the fraction `share` of the time has passed.
    #[inline]
    fn at(self, share: f64) -> f64 {
        let low = self.from.min(self.to);
        // Rounding must not take it out of its bounds.
        (self.from + (self.to - self.from) * share).clamp(low, self.from.max(self.to))
    }
}
