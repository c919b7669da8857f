//! A fraction of calls.

use crate::{
    dice::{DRAWS, Dice},
    error::RuleError,
};

/// A fraction of calls, from 0 (none) to 1 (all).
///
/// Whether a call is hit is decided with 53 bits, so the rate is exact to about 10^-16. A rate above
/// 0 is never rounded down to 0.
///
/// ```
/// use chaos_core::Rate;
///
/// assert_eq!(Rate::new(0.05)?.get(), 0.05);
/// assert!(Rate::new(5.0).is_err()); // five percent is 0.05
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate(f64);

impl Rate {
    /// The rate of every call.
    pub const ALWAYS: Self = Self(1.0);

    /// Creates a rate.
    ///
    /// # Errors
    /// Returns an error if `rate` is outside `0.0..=1.0` or not a number.
    pub fn new(rate: f64) -> Result<Self, RuleError> {
        if (0.0..=1.0).contains(&rate) {
            return Ok(Self(rate));
        }
        let problem = format!("{rate} is out of range");
        Err(RuleError::new("rate", problem, "a number from 0 to 1"))
    }

    /// Returns the rate as a number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// Returns how many of 2^53 equally likely draws hit.
    pub(crate) fn hits_of_2_53(self) -> u64 {
        let hits = (self.0 * DRAWS as f64).round() as u64;
        if self.0 > 0.0 { hits.max(1) } else { 0 }
    }

    /// Returns whether a call that was hit at the rate `own` may be hit under a cap of this rate.
    pub(crate) fn keeps(self, own: f64, dice: &mut Dice) -> bool {
        // Nothing is drawn where nothing is capped, so that later draws are the same as without a
        // cap.
        own <= self.0 || dice.draw() >> 11 < Self(self.0 / own).hits_of_2_53()
    }

    /// Creates a rate from that of a program, which was checked.
    pub(crate) const fn of_program(rate: f64) -> Self {
        Self(rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_exact_at_its_ends_and_between() {
        let hits = |rate, draw: u64| draw >> 11 < Rate::new(rate).unwrap().hits_of_2_53();
        assert!(!hits(0.0, 0));
        assert!(hits(1.0, u64::MAX));
        assert!(hits(0.5, (1 << 63) - 1));
        assert!(!hits(0.5, 1 << 63));
        // The smallest rate is not rounded to never.
        assert!(hits(f64::MIN_POSITIVE, 0));
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
}
