//! How long a rule lives once it is armed.

use std::time::Duration;

use crate::error::RuleError;

/// A time to live, the spelt-out wish to have none, or nothing said.
///
/// Where nothing is said, the [policy](crate::Policy::default_ttl) does: ten minutes, unless it was told
/// otherwise. A rule that nobody remembers is a rule that has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifetime(Said);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Said {
    #[default]
    Nothing,
    For(Duration),
    Never,
}

impl Lifetime {
    /// Until it is stopped by hand.
    pub const NEVER_ENDS: Self = Self(Said::Never);
    /// Where neither the rule nor the policy says anything.
    pub(crate) const DEFAULT: Duration = Duration::from_secs(600);

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
        Ok(Self(Said::For(ttl)))
    }

    /// The time to live, if there is an end: ten minutes where nothing is said, which a policy may
    /// change.
    #[must_use]
    pub const fn ttl(self) -> Option<Duration> {
        self.ttl_or(Self::DEFAULT)
    }

    /// The same, with another default.
    pub(crate) const fn ttl_or(self, default: Duration) -> Option<Duration> {
        match self.0 {
            Said::Nothing => Some(default),
            Said::For(ttl) => Some(ttl),
            Said::Never => None,
        }
    }

    /// Whether anything was said.
    pub(crate) const fn is_said(self) -> bool {
        !matches!(self.0, Said::Nothing)
    }
}
