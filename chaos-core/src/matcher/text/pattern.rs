//! A regular expression that is bounded in length and in size.

use std::fmt;

use crate::error::RuleError;

/// A compiled regular expression. It keeps the text it was compiled from.
#[derive(Clone)]
pub struct Pattern(pub(super) regex_lite::Regex);

impl Pattern {
    /// The size that a compiled expression may have: `(a{1000}){1000}` is refused before it is
    /// built.
    const SIZE_LIMIT: usize = 32 * 1024;
    const MAX_LENGTH: usize = 1024;

    /// Compiles a pattern, within the bounds.
    pub(super) fn new(pattern: &str) -> Result<Self, RuleError> {
        let refuse = |problem: String| {
            let allowed = "a regular expression of at most 1024 characters, without look-around \
                           or back references, that compiles to at most 32 KiB";
            RuleError::new("regex", problem, allowed)
        };
        if pattern.len() > Self::MAX_LENGTH {
            return Err(refuse(format!("{} characters are too many", pattern.len())));
        }
        regex_lite::RegexBuilder::new(pattern)
            .size_limit(Self::SIZE_LIMIT)
            .build()
            .map(Self)
            .map_err(|error| refuse(error.to_string()))
    }

    /// Returns the expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
