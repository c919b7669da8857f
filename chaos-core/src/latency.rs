//! How long a delay lasts: the distributions it is drawn from.

use std::time::Duration;

use crate::{dice::Dice, error::RuleError};

/// A delay, or the distribution of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Latency(Distribution);

/// Open: more shapes will come.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Distribution {
    Fixed(Duration),
    Uniform { min: Duration, max: Duration },
}

impl Latency {
    /// A call that takes longer than this is not slow but gone; a `hang` says so.
    const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

    /// Always the same delay.
    ///
    /// # Errors
    /// If it is longer than 24 hours.
    pub fn fixed(delay: Duration) -> Result<Self, RuleError> {
        Self::checked(delay)?;
        Ok(Self(Distribution::Fixed(delay)))
    }

    /// Anything from `min` to `max`, equally likely, in steps of a nanosecond.
    ///
    /// # Errors
    /// If `min` is above `max`, or `max` above 24 hours.
    pub fn uniform(min: Duration, max: Duration) -> Result<Self, RuleError> {
        Self::checked(max)?;
        if min > max {
            let problem = format!("{min:?} is above {max:?}");
            return Err(RuleError::new(
                "latency",
                problem,
                "a range from low to high",
            ));
        }
        Ok(Self(Distribution::Uniform { min, max }))
    }

    #[cfg(feature = "serde")]
    pub(crate) fn distribution(&self) -> &Distribution {
        &self.0
    }

    pub(crate) fn sample(&self, dice: &mut Dice) -> Duration {
        match self.0 {
            Distribution::Fixed(delay) => delay,
            Distribution::Uniform { min, max } => {
                // At most 24 hours: far inside 64 bits of nanoseconds.
                let nanos = |d: Duration| d.as_nanos() as u64;
                Duration::from_nanos(dice.between(nanos(min), nanos(max)))
            }
        }
    }

    fn checked(delay: Duration) -> Result<(), RuleError> {
        if delay > Self::LONGEST {
            let problem = format!("{delay:?} is too long");
            return Err(RuleError::new("latency", problem, "0s to 24h"));
        }
        Ok(())
    }
}
