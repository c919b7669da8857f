//! `Weight`: what a rule takes of what a rule set may hold.

use std::ops::{Add, Sub};

use crate::rule::Rule;

/// What rules take, by the bounds of a [`Policy`](crate::Policy).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weight {
    pub(crate) rules: u64,
    /// The bytes of the rules as they were written.
    pub(crate) bytes: u64,
    pub(crate) guards: u64,
    /// The bytes of the compiled regular expressions.
    pub(crate) expressions: u64,
}

impl Weight {
    /// The most memory that a usual rule takes besides its own texts. A test counts it.
    const OF_A_RULE: u64 = 1024;

    /// Returns about how much memory the rules take, in bytes.
    pub(crate) fn memory(self) -> u64 {
        self.bytes + self.rules * Self::OF_A_RULE
    }
}

impl Add for Weight {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            rules: self.rules + other.rules,
            bytes: self.bytes + other.bytes,
            guards: self.guards + other.guards,
            expressions: self.expressions + other.expressions,
        }
    }
}

impl Sub for Weight {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            rules: self.rules - other.rules,
            bytes: self.bytes - other.bytes,
            guards: self.guards - other.guards,
            expressions: self.expressions - other.expressions,
        }
    }
}

/// The length of a rule as it was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WrittenLength(u32);

/// The length of a usual rule, for one that was made in code.
impl Default for WrittenLength {
    fn default() -> Self {
        Self(512)
    }
}

impl Rule {
    /// Sets the length of the rule as it was written, in bytes.
    #[cfg(feature = "serde")]
    pub(crate) fn written_in(mut self, bytes: usize) -> Self {
        self.written = WrittenLength(u32::try_from(bytes).unwrap_or(u32::MAX));
        self
    }

    /// Returns what the rule takes.
    pub(crate) fn weight(&self) -> Weight {
        Weight {
            rules: 1,
            bytes: self.written.0.into(),
            guards: self.guards.len() as u64,
            expressions: self.matcher.expressions(),
        }
    }
}
