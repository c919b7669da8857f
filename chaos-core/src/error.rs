//! What is wrong with a rule: which rule, which field, and what would have been allowed.

use std::{error::Error, fmt};

/// A rule that cannot be accepted.
///
/// `Display` is one line: the rule if it is known, the field, the problem, what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError(Box<Parts>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    rule: Option<String>,
    field: String,
    problem: String,
    allowed: String,
}

impl RuleError {
    /// An error at `field` (a path such as `faults[0].latency`), with what is allowed there.
    pub(crate) fn new(
        field: impl Into<String>,
        problem: impl fmt::Display,
        allowed: impl Into<String>,
    ) -> Self {
        Self(Box::new(Parts {
            rule: None,
            field: field.into(),
            problem: problem.to_string(),
            allowed: allowed.into(),
        }))
    }

    /// Says which rule it was, unless that is known already.
    #[must_use]
    pub(crate) fn in_rule(mut self, rule: impl Into<String>) -> Self {
        self.0.rule.get_or_insert_with(|| rule.into());
        self
    }

    /// Puts it at another field.
    #[must_use]
    pub(crate) fn at(mut self, field: &str) -> Self {
        field.clone_into(&mut self.0.field);
        self
    }

    /// Puts the field under a parent: `latency` under `faults[0]` is `faults[0].latency`.
    #[must_use]
    pub(crate) fn under(mut self, parent: &str) -> Self {
        self.0.field = match self.0.field.as_str() {
            "" => parent.to_owned(),
            field if parent.is_empty() || field.starts_with('[') => format!("{parent}{field}"),
            field => format!("{parent}.{field}"),
        };
        self
    }

    /// The id of the rule, as it was written, if there was one.
    #[must_use]
    pub fn rule(&self) -> Option<&str> {
        self.0.rule.as_deref()
    }

    /// The path of the field.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.0.field
    }

    /// What is wrong with the value.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.0.problem
    }

    /// What the field accepts.
    #[must_use]
    pub fn allowed(&self) -> &str {
        &self.0.allowed
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(rule) = &self.0.rule {
            write!(f, "rule `{rule}`: ")?;
        }
        if !self.0.field.is_empty() {
            write!(f, "{}: ", self.0.field)?;
        }
        write!(f, "{}; allowed: {}", self.0.problem, self.0.allowed)
    }
}

impl Error for RuleError {}
