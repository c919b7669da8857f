//! Why the deadline of a rule was not moved.

use std::{fmt, time::Duration};

use crate::error::WithCauses;

/// Why [`Injector::extend`](crate::Injector::extend) has not moved the deadline of a rule. The deadline stays as it was.
///
/// `Debug` writes the sentence of the error.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtendError {
    /// The rules have changed since the generation that the caller has seen.
    #[non_exhaustive]
    Stale {
        /// The current generation.
        current: u64,
    },
    /// There is no rule with this id.
    Unknown,
    /// The rule is disabled, so it has no deadline. It gets one when it is enabled.
    Disabled,
    /// The rule never ends.
    NoDeadline,
    /// The deadline has passed. A put of the rule arms it anew.
    Ended,
    /// The extension is no time at all.
    NoTime,
    /// The rule would live longer than the [policy](crate::Policy::max_ttl) allows or, without such a bound, longer than
    /// 365 days.
    #[non_exhaustive]
    TooLong {
        /// How far the deadline could be moved.
        most: Duration,
        /// How long the rule may live in all, counted from the moment when it was armed.
        max_ttl: Duration,
    },
}

impl fmt::Display for ExtendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale { current } => {
                write!(f, "the rules have changed; the generation is now {current}")
            }
            Self::Unknown => f.write_str("there is no such rule"),
            Self::Disabled => f.write_str("the rule is disabled, so it has no deadline"),
            Self::NoDeadline => f.write_str("the rule has no deadline, because it never ends"),
            Self::Ended => f.write_str("the rule has ended already"),
            Self::NoTime => f.write_str("an extension of no time moves nothing"),
            Self::TooLong { most, max_ttl } => write!(
                f,
                "the rule may live for {max_ttl:?} in all, and so {most:?} longer than now"
            ),
        }
    }
}

impl fmt::Debug for ExtendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", WithCauses(self))
    }
}

impl std::error::Error for ExtendError {}
