//! Why a file of picks is not accepted: which pick, which field, and what the field accepts.

use std::{error::Error, fmt};

use chaos_core::{OneLine, RuleError};

/// The reason why a file of picks is not accepted. No pick of it is in force.
///
/// `Display` writes one line: the pick, the field, the problem, and what the field accepts. `Debug` writes the same.
#[derive(Clone, PartialEq, Eq)]
pub struct PickError(Box<Details>);

#[derive(Clone, PartialEq, Eq)]
struct Details {
    pick: Option<String>,
    field: String,
    problem: String,
    allowed: String,
}

impl PickError {
    pub(super) fn new(
        field: impl Into<String>,
        problem: impl fmt::Display,
        allowed: impl Into<String>,
    ) -> Self {
        Self(Box::new(Details {
            pick: None,
            field: field.into(),
            problem: problem.to_string(),
            allowed: allowed.into(),
        }))
    }

    /// Adds which pick it is, unless the error says so.
    pub(super) fn in_pick(mut self, pick: impl Into<String>) -> Self {
        self.0.pick.get_or_insert_with(|| pick.into());
        self
    }

    /// Moves the error to a field. The path that it had becomes a part of the problem.
    pub(super) fn within(mut self, field: &str) -> Self {
        let inner = std::mem::replace(&mut self.0.field, field.to_owned());
        if !inner.is_empty() {
            self.0.problem = format!("{inner}: {}", self.0.problem);
        }
        self
    }

    /// Returns the name of the pick, or `pick 2` for the second of the file if it has none; `None` if the error
    /// concerns the file as a whole.
    #[must_use]
    pub fn pick(&self) -> Option<&str> {
        self.0.pick.as_deref()
    }

    /// Returns the path of the field, such as `window.zone` or `rules[0].rate`; empty if the error concerns the file
    /// as a whole.
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

impl From<RuleError> for PickError {
    fn from(error: RuleError) -> Self {
        Self::new(error.field(), error.problem(), error.allowed())
    }
}

impl fmt::Display for PickError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details {
            pick,
            field,
            problem,
            allowed,
        } = &*self.0;
        if let Some(pick) = pick {
            write!(f, "`{}`: ", OneLine(pick))?;
        }
        if !field.is_empty() {
            write!(f, "{}: ", OneLine(field))?;
        }
        write!(f, "{}; allowed: {}", OneLine(problem), OneLine(allowed))
    }
}

impl fmt::Debug for PickError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for PickError {}
