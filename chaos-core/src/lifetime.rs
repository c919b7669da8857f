//! How long a rule lives once it is armed.

use std::time::Duration;

use crate::error::RuleError;

/// A time to live, or the spelt-out wish to have none.
///
/// The default is ten minutes: a rule that nobody remembers is a rule that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime(Option<Duration>);

impl Lifetime {
    /// Until it is stopped by hand.
    pub const NEVER_ENDS: Self = Self(None);

    const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

    /// So long from the moment the rule is armed.
    ///
    /// # Errors
    /// If `ttl` is zero or longer than 365 days.
    pub fn new(ttl: Duration) -> Result<Self, RuleError> {
        if ttl.is_zero() || ttl > Self::LONGEST {
            let problem = format!("{ttl:?} is no time to live");
            let allowed = "more than 0s, at most 365 days, or \"never\"";
            return Err(RuleError::new("ttl", problem, allowed));
        }
        Ok(Self(Some(ttl)))
    }

    /// The time to live, if there is an end.
    #[must_use]
    pub const fn ttl(self) -> Option<Duration> {
        self.0
    }

    /// The deadline of a rule armed at `now`.
    pub(crate) fn deadline(self, now: Duration) -> Option<Duration> {
        self.0.map(|ttl| now.saturating_add(ttl))
    }
}

impl Default for Lifetime {
    fn default() -> Self {
        Self(Some(Duration::from_secs(600)))
    }
}
