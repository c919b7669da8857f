//! What the rules of an injector, or of an overlay, may take together.

use super::Policy;
use crate::{error::RuleError, rule::weight::Weight};

/// The bounds on a rule set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SetBounds {
    pub(crate) rules: u64,
    pub(crate) bytes: u64,
    pub(crate) guards: u64,
    pub(crate) expressions: u64,
}

impl SetBounds {
    /// The bounds of the default policy.
    pub(crate) const DEFAULT: Self = Self {
        rules: 10_000,
        bytes: 16 * 1024 * 1024,
        guards: 64,
        expressions: 64 * 1024,
    };
    pub(crate) const NONE: Self = Self {
        rules: u64::MAX,
        bytes: u64::MAX,
        guards: u64::MAX,
        expressions: u64::MAX,
    };

    /// Returns the stricter of each bound.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            rules: self.rules.min(other.rules),
            bytes: self.bytes.min(other.bytes),
            guards: self.guards.min(other.guards),
            expressions: self.expressions.min(other.expressions),
        }
    }
}

impl Policy {
    /// Sets how many rules there may be at a time. The default is 10,000. An overlay may have as many of
    /// its own.
    #[must_use]
    pub fn max_rules(mut self, rules: u64) -> Self {
        self.set.rules = rules;
        self
    }

    /// Sets how long all rules may be together, in bytes of the JSON in which they were written; a rule made
    /// in code counts as 512. The default is 16 MiB.
    #[must_use]
    pub fn max_rule_bytes(mut self, bytes: u64) -> Self {
        self.set.bytes = bytes;
        self
    }

    /// Sets how many guard rails all rules may have together. Each measures every call at its site. The
    /// default is 64.
    #[must_use]
    pub fn max_guards(mut self, guards: u64) -> Self {
        self.set.guards = guards;
        self
    }

    /// Sets how large the compiled regular expressions of all rules may be together, in bytes, each rounded
    /// up to a power of two. It bounds the time that the expressions take on one call: with the default of
    /// 64 KiB, which is about a hundred usual expressions, a fraction of a second for the worst text.
    #[must_use]
    pub fn max_expressions(mut self, bytes: u64) -> Self {
        self.set.expressions = bytes;
        self
    }

    /// Checks that an edit keeps within the bounds. One that takes less than before is always permitted.
    ///
    /// # Errors
    /// Returns an error that names the bound.
    pub(crate) fn permits_set(&self, before: Weight, after: Weight) -> Result<(), RuleError> {
        let SetBounds {
            rules,
            bytes,
            guards,
            expressions,
        } = self.set;
        let bounds = [
            ("rules", before.rules, after.rules, rules, "rules in all"),
            (
                "rules",
                before.bytes,
                after.bytes,
                bytes,
                "bytes of rules in all",
            ),
            (
                "guards",
                before.guards,
                after.guards,
                guards,
                "guard rails of all rules",
            ),
            (
                "match",
                before.expressions,
                after.expressions,
                expressions,
                "bytes of compiled regular expressions in all",
            ),
        ];
        for (field, before, after, most, of) in bounds {
            if after > most && after > before {
                let problem =
                    format!("{after} {of} are more than the policy of this process allows");
                return Err(RuleError::new(
                    field,
                    problem,
                    format!("at most {most} {of}"),
                ));
            }
        }
        Ok(())
    }
}
