//! `ObserveError`: why a rule cannot be observed.

use std::{error, fmt};

/// The most sites at which one rule is observed.
pub(super) const MOST_SITES: usize = 16;

/// The most rules that are observed at a time.
pub(super) const MOST_RULES: usize = 16;

/// Why a rule cannot be [observed](crate::Injector::observe_outcomes).
///
/// `Debug` writes the sentence of the error.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ObserveError {
    /// There is no rule of this id.
    UnknownRule,
    /// No site is named.
    NoSites,
    /// More than 16 sites are named.
    TooManySites,
    /// There is no site of this name.
    #[non_exhaustive]
    UnknownSite {
        /// The name.
        name: String,
    },
    /// The site of this name is one of connections, which are no calls.
    #[non_exhaustive]
    Connection {
        /// The name.
        name: String,
    },
    /// 16 other rules are observed.
    TooManyRules,
}

impl fmt::Display for ObserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownRule => f.write_str("there is no such rule"),
            Self::NoSites => f.write_str("no site is named"),
            Self::TooManySites => write!(f, "more than {MOST_SITES} sites are named"),
            Self::UnknownSite { name } => write!(f, "no site is named {name:?}"),
            Self::Connection { name } => {
                write!(
                    f,
                    "the site {name:?} is one of connections, which are no calls"
                )
            }
            Self::TooManyRules => write!(f, "{MOST_RULES} other rules are observed"),
        }
    }
}

impl fmt::Debug for ObserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl error::Error for ObserveError {}
