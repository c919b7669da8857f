//! What a rule, or all rules together, may spend: a share of the calls, and delay by the minute.

use std::time::Duration;

use crate::{error::RuleError, trigger::rate::Rate};

/// A bound on what happens, whatever rates say. Exact under any concurrency: it is never passed, not
/// for a moment.
///
/// ```
/// use std::time::Duration;
/// use chaos_core::{Budget, Rate, Trigger};
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
    /// Without a bound.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            share: None,
            delay: None,
        }
    }

    /// At most this share of the calls so far. A share of 0.1 lets the tenth call be hit, and no more
    /// before the twentieth.
    #[must_use]
    pub const fn share(mut self, share: Rate) -> Self {
        self.share = Some(share);
        self
    }

    /// At most so much delay in any 60 seconds, over all calls: what was planned for them, a hang and a
    /// pause with their maximum, a stalled body with its time. What a throttle or a wait for each chunk
    /// adds, nobody knows beforehand, so it does not count.
    ///
    /// # Errors
    /// If it is zero, or longer than 24 hours.
    pub fn delay(mut self, in_a_minute: Duration) -> Result<Self, RuleError> {
        if in_a_minute.is_zero() || in_a_minute > crate::plan::bytes::LONGEST {
            let problem = format!("{in_a_minute:?} is no delay to spend in a minute");
            let allowed = "more than 0s, at most 24h";
            return Err(RuleError::new("delay", problem, allowed));
        }
        self.delay = Some(in_a_minute);
        Ok(self)
    }

    /// The share of calls, if it is bounded.
    #[must_use]
    pub const fn greatest_share(&self) -> Option<Rate> {
        self.share
    }

    /// The delay in any 60 seconds, if it is bounded.
    #[must_use]
    pub const fn delay_in_a_minute(&self) -> Option<Duration> {
        self.delay
    }

    /// Whether calls must be counted, which costs each of them a write to shared memory.
    pub(crate) const fn counts_calls(&self) -> bool {
        self.share.is_some()
    }

    /// The stricter of both, in each respect.
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
