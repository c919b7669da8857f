//! Why an experiment is not acceptable: where, what is wrong, and what is allowed.

use std::{error::Error, fmt};

use chaos_core::{OneLine, RuleError};

/// The reason why an experiment is not acceptable. Nothing of it has been done.
///
/// `Display` writes one line: the line and column of the file if its parser knows them, the field, what is wrong with it,
/// and what is allowed. [`source`](Error::source) is always `None`. `Debug` writes the same.
#[derive(Clone, Eq, PartialEq)]
pub struct ExperimentError {
    place: Option<(u64, u64)>,
    field: String,
    problem: String,
    allowed: String,
}

impl ExperimentError {
    pub(crate) fn new(
        field: impl Into<String>,
        problem: impl fmt::Display,
        allowed: impl Into<String>,
    ) -> Self {
        Self {
            place: None,
            field: field.into(),
            problem: problem.to_string(),
            allowed: allowed.into(),
        }
    }

    /// Creates the error of a parser.
    pub(crate) fn unreadable(problem: String, place: Option<(u64, u64)>) -> Self {
        Self {
            place,
            ..Self::new("", problem, "")
        }
    }

    pub(crate) fn at(self, place: Option<(u64, u64)>) -> Self {
        Self { place, ..self }
    }

    pub(crate) fn rule(field: &str, error: &RuleError) -> Self {
        let problem = match error.rule() {
            Some(rule) => format!("rule `{}`: {}", OneLine(rule), error.problem()),
            None => error.problem().to_owned(),
        };
        let inner = error.field();
        let dot = if inner.is_empty() { "" } else { "." };
        Self::new(format!("{field}{dot}{inner}"), problem, error.allowed())
    }

    /// Returns the line and the column at which the text cannot be read, or at which the field stands, both counted from 1. For
    /// a field that is missing, it is the place of what it should be in. `None` if the error concerns the whole text.
    #[must_use]
    pub fn line_and_column(&self) -> Option<(u64, u64)> {
        self.place
    }

    /// Returns the path of the field, such as `phases[0].rules[1].rate`; empty if the error concerns the whole text.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Returns what is wrong.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// Returns what is allowed; empty if the problem says it, as those of parsers do.
    #[must_use]
    pub fn allowed(&self) -> &str {
        &self.allowed
    }
}

impl fmt::Display for ExperimentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.place {
            write!(f, "line {line}, column {column}: ")?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", OneLine(&self.field))?;
        }
        write!(f, "{}", OneLine(&self.problem))?;
        if !self.allowed.is_empty() {
            write!(f, "; allowed: {}", OneLine(&self.allowed))?;
        }
        Ok(())
    }
}

impl fmt::Debug for ExperimentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for ExperimentError {}
