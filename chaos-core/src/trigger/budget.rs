//! The budget of a rule, or of all rules together: a share of the calls, and delay per minute.

use std::time::Duration;

use crate::{error::RuleError, trigger::rate::Rate};

/// A bound on what is injected, whatever the rates are. It is exact under any concurrency: it is
/// not exceeded at any moment.
///
/// ```
/// use std::time::Duration;
/// use chaos_core::{Rate, Trigger, trigger::Budget};
///
/// let budget = Budget::new()
///     .share(Rate::new(0.1)?)
///     .delay(Duration::from_secs(30))?;
/// let trigger = Trigger::new().budget(budget);
/// # drop(trigger);
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Budget {
    share: Option<Rate>,
    delay: Option<Duration>,
}

impl Budget {
    /// Creates a budget without a bound.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            share: None,
            delay: None,
        }
    }

    /// Sets the greatest share of the calls so far. With a share of 0.1, the tenth call can be hit,
    /// and no other before the twentieth.
    #[must_use]
    pub const fn share(mut self, share: Rate) -> Self {
        self.share = Some(share);
        self
    }

    /// Sets the most delay in any 60 seconds, summed over all calls.
    ///
    /// Delays count as planned: a hang and a pause with their maximum, a stall with its time. What
    /// a throttle or a delay of each chunk adds is not known in advance and does not count.
    ///
    /// # Errors
    /// Returns an error if `in_a_minute` is zero or longer than 24 hours.
    pub fn delay(mut self, in_a_minute: Duration) -> Result<Self, RuleError> {
        if in_a_minute.is_zero() || in_a_minute > crate::plan::bytes::LONGEST {
            let problem = format!("{in_a_minute:?} is out of range");
            let allowed = "more than 0s, at most 24h";
            return Err(RuleError::new("delay", problem, allowed));
        }
        self.delay = Some(in_a_minute);
        Ok(self)
    }

    /// Returns the greatest share of calls, if it is bounded.
    #[must_use]
    pub const fn greatest_share(&self) -> Option<Rate> {
        self.share
    }

    /// Returns the most delay in any 60 seconds, if it is bounded.
    #[must_use]
    pub const fn delay_in_a_minute(&self) -> Option<Duration> {
        self.delay
    }

    /// Returns whether calls must be counted, which costs each of them a write to shared memory.
    pub(crate) const fn counts_calls(&self) -> bool {
        self.share.is_some()
    }

    /// Returns half of the budget: what rules of tokens may have of it.
    pub(crate) fn half(self) -> Self {
        Self {
            share: self
                .share
                .map(|share| Rate::new(share.get() / 2.0).unwrap_or(share)),
            delay: self.delay.map(|delay| delay / 2),
        }
    }

    /// Combines two budgets: of each bound, the stricter one applies.
    pub(crate) fn and(self, other: Self) -> Self {
        let share = match (self.share, other.share) {
            (Some(one), Some(two)) if two.get() < one.get() => Some(two),
            (one, two) => one.or(two),
        };
        let delays = [self.delay, other.delay].into_iter().flatten();
        Self {
            share,
            delay: delays.min(),
        }
    }
}
