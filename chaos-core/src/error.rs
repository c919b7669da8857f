//! The error of an invalid rule: which rule, which field, and what the field accepts.

use std::{error::Error, fmt};

/// The reason why a rule is not accepted.
///
/// `Display` writes one line: the rule's id if it is known, the field, the problem, and what the
/// field accepts. Control characters in what it quotes are escaped.
///
/// ```
/// use chaos_core::Rate;
///
/// let error = Rate::new(5.0).unwrap_err();
/// assert_eq!((error.field(), error.allowed()), ("rate", "a number from 0 to 1"));
/// assert!(error.to_string().starts_with("rate: "));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError(Box<Details>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Details {
    rule: Option<String>,
    field: String,
    problem: String,
    allowed: String,
}

impl RuleError {
    /// Creates an error at `field`, a path such as `faults[0].latency`.
    pub(crate) fn new(
        field: impl Into<String>,
        problem: impl fmt::Display,
        allowed: impl Into<String>,
    ) -> Self {
        Self(Box::new(Details {
            rule: None,
            field: field.into(),
            problem: problem.to_string(),
            allowed: allowed.into(),
        }))
    }

    /// Adds the rule's id, unless the error has one.
    #[must_use]
    pub(crate) fn in_rule(mut self, rule: impl Into<String>) -> Self {
        self.0.rule.get_or_insert_with(|| rule.into());
        self
    }

    /// Replaces the path of the field.
    #[must_use]
    pub(crate) fn at(mut self, field: &str) -> Self {
        field.clone_into(&mut self.0.field);
        self
    }

    /// Prefixes the path of the field: `latency` under `faults[0]` is `faults[0].latency`.
    #[must_use]
    pub(crate) fn under(mut self, parent: &str) -> Self {
        self.0.field = match self.0.field.as_str() {
            "" => parent.to_owned(),
            field if parent.is_empty() || field.starts_with('[') => format!("{parent}{field}"),
            field => format!("{parent}.{field}"),
        };
        self
    }

    /// Returns the id of the rule as it was written, if it is known.
    #[must_use]
    pub fn rule(&self) -> Option<&str> {
        self.0.rule.as_deref()
    }

    /// Returns the path of the field, such as `faults[0].latency`; empty if the error concerns the
    /// rule as a whole.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.0.field
    }

    /// Returns what is wrong with the value.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.0.problem
    }

    /// Returns what the field accepts.
    #[must_use]
    pub fn allowed(&self) -> &str {
        &self.0.allowed
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details {
            rule,
            field,
            problem,
            allowed,
        } = &*self.0;
        if let Some(rule) = rule {
            write!(f, "rule `{}`: ", OneLine(rule))?;
        }
        if !field.is_empty() {
            write!(f, "{}: ", OneLine(field))?;
        }
        write!(f, "{}; allowed: {}", OneLine(problem), OneLine(allowed))
    }
}

/// Writes a text that may come from outside on one line, its control characters escaped: in a log, a line
/// feed would begin a line that looks like one of the program's own.
pub(crate) struct OneLine<'t>(pub(crate) &'t str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in self.0.split_inclusive(char::is_control) {
            let mut characters = part.chars();
            match characters.next_back() {
                Some(last) if last.is_control() => {
                    write!(f, "{}{}", characters.as_str(), last.escape_default())?;
                }
                _ => f.write_str(part)?,
            }
        }
        Ok(())
    }
}

impl Error for RuleError {}
