//! How long a rule lives after it is armed.

use std::time::Duration;

use crate::error::RuleError;

/// How long a rule lives after it is armed: a time to live, no end, or the default.
///
/// The default is what the [policy](crate::Policy::default_ttl) sets, or else ten minutes, so that
/// a forgotten rule ends by itself.
///
/// ```
/// use std::time::Duration;
/// use chaos_core::Lifetime;
///
/// let hour = Lifetime::new(Duration::from_secs(3600))?;
/// assert_eq!(hour.ttl(), Some(Duration::from_secs(3600)));
/// assert_eq!(Lifetime::default().ttl(), Some(Duration::from_secs(600)));
/// assert_eq!(Lifetime::NEVER_ENDS.ttl(), None);
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifetime(Ttl);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ttl {
    #[default]
    Unset,
    For(Duration),
    Never,
}

impl Lifetime {
    /// No end: the rule lives until it is removed, disabled or halted.
    pub const NEVER_ENDS: Self = Self(Ttl::Never);
    /// The time to live where neither the rule nor the policy sets one.
    pub(crate) const DEFAULT: Duration = Duration::from_secs(600);

    /// The longest time to live that a rule may have.
    pub(crate) const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

    /// Creates a lifetime of `ttl`, from the moment the rule is armed.
    ///
    /// # Errors
    /// Returns an error if `ttl` is zero or longer than 365 days.
    pub fn new(ttl: Duration) -> Result<Self, RuleError> {
        if ttl.is_zero() || ttl > Self::LONGEST {
            let problem = format!("{ttl:?} is out of range");
            let allowed = "more than 0s, at most 365 days, or \"never\"";
            return Err(RuleError::new("ttl", problem, allowed));
        }
        Ok(Self(Ttl::For(ttl)))
    }

    /// Returns the time to live, or `None` if there is no end. For the default it is ten minutes,
    /// whatever a policy sets.
    #[must_use]
    pub const fn ttl(self) -> Option<Duration> {
        self.ttl_or(Self::DEFAULT)
    }

    /// Returns the time to live, with `default` for a lifetime that is not set.
    pub(crate) const fn ttl_or(self, default: Duration) -> Option<Duration> {
        match self.0 {
            Ttl::Unset => Some(default),
            Ttl::For(ttl) => Some(ttl),
            Ttl::Never => None,
        }
    }

    /// Returns whether the rule sets its lifetime.
    pub(crate) const fn is_said(self) -> bool {
        !matches!(self.0, Ttl::Unset)
    }
}
