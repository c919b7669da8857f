//! The program of a rule: how its rate, and the size of what it injects, change over time. Pure: it
//! reads no clock, and is given the time since the rule was armed.

mod phase;
#[cfg(test)]
mod tests;

use std::time::Duration;

use self::phase::{Intensity, LONGEST};
use crate::error::RuleError;

pub use self::phase::{Phase, Ramp};
#[cfg(any(test, feature = "serde"))]
pub(crate) use self::phase::{RATE_ALLOWED, SCALE_ALLOWED, TIME_ALLOWED};

pub(crate) const PHASES_ALLOWED: &str =
    "a list of 1 to 100 phases with rate or scale, 365 days together at most";

/// A sequence of phases, which begins when the rule is armed and repeats until the rule's deadline.
/// If the last phase has no time, it lasts until the deadline, and nothing repeats.
///
/// Two constant phases make a dependency flap:
///
/// ```
/// use std::time::Duration;
/// use chaos_core::trigger::{Phase, Program, Ramp};
///
/// let down = Phase::new(Ramp::constant(1.0)).lasting(Duration::from_secs(10));
/// let up = Phase::new(Ramp::constant(0.0)).lasting(Duration::from_secs(50));
/// let flapping = Program::new([down, up])?;
/// assert_eq!(flapping.length(), Some(Duration::from_secs(60)));
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    pub(crate) phases: Box<[Phase]>,
    /// The sum of the phases' times: at most 365 days, so it fits into 64 bits of nanoseconds.
    time: Duration,
}

impl Program {
    const MOST: usize = 100;

    /// Creates a program of these phases, one after the other.
    ///
    /// # Errors
    /// Returns an error if there are no phases or more than 100; if a rate is not within 0 to 1, or
    /// a scale not within 0 to 100; if a time is zero, or the times together are longer than 365
    /// days; or if a phase without a time is not the last one, or is a ramp.
    pub fn new(phases: impl IntoIterator<Item = Phase>) -> Result<Self, RuleError> {
        // The iterator may be endless: one more than allowed shows that there are too many.
        let phases: Box<[Phase]> = phases.into_iter().take(Self::MOST + 1).collect();
        let refuse = |problem| Err(RuleError::new("program", problem, PHASES_ALLOWED));
        if phases.is_empty() {
            return refuse("no phase");
        }
        if phases.len() > Self::MOST {
            return refuse("too many phases");
        }
        let mut time = Duration::ZERO;
        for (at, phase) in phases.iter().enumerate() {
            let is_last = at + 1 == phases.len();
            let here = |error: RuleError| error.under(&format!("program[{at}]"));
            phase.check(is_last).map_err(here)?;
            time += phase.time.unwrap_or_default();
        }
        if time > LONGEST {
            return refuse("too long");
        }
        Ok(Self { phases, time })
    }

    /// Returns the time after which the program repeats; `None` if its last phase lasts.
    #[must_use]
    pub fn length(&self) -> Option<Duration> {
        (!self.lasts()).then_some(self.time)
    }

    /// Returns whether a rule that lives for `ttl` ends before every phase has begun and ended.
    pub(crate) fn outlasts(&self, ttl: Duration) -> bool {
        // A last phase without a time needs some time after the others.
        self.time > ttl || self.lasts() && self.time == ttl
    }

    /// Returns the rate and the scale at this time after the rule was armed. A phase begins at the
    /// very nanosecond at which the one before it ends.
    pub(crate) fn at(&self, since_armed: Duration) -> Intensity {
        let since_armed = nanos(since_armed);
        let mut since = match self.length() {
            Some(length) => since_armed % nanos(length),
            None => since_armed,
        };
        for phase in &self.phases {
            match phase.time.map(nanos) {
                Some(time) if since >= time => since -= time,
                Some(time) => return phase.at(since as f64 / time as f64),
                None => return phase.at(0.0),
            }
        }
        unreachable!("less than the length of all phases is within one of them")
    }

    /// Returns the greatest rate of all phases.
    pub(crate) fn greatest_rate(&self) -> f64 {
        let rates = self.phases.iter().map(|phase| phase.rate);
        rates.map(|rate| rate.from.max(rate.to)).fold(0.0, f64::max)
    }

    /// Returns whether the last phase lasts until the deadline.
    fn lasts(&self) -> bool {
        self.phases.last().is_some_and(|phase| phase.time.is_none())
    }
}

/// Returns nanoseconds, up to 584 years.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
