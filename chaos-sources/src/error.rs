//! Why the rules of a source were not taken: which source, where in it, and what is wrong.

use std::{error::Error, fmt};

use chaos_core::{ChangeError, RuleError};

/// Rules that were not taken. Those that were in force before still are.
///
/// `Display` is one line: the file or the variable, the line and column if the format's parser gives
/// them, and all there is to say, so there is no `source`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceError(Box<Parts>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    origin: String,
    place: Option<Place>,
    problem: Problem,
}

/// Where in a text, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    Text(String),
    Rule(RuleError),
    Change(ChangeError),
}

impl SourceError {
    pub(crate) fn new(origin: &str, problem: impl Into<Problem>) -> Self {
        Self(Box::new(Parts {
            origin: origin.to_owned(),
            place: None,
            problem: problem.into(),
        }))
    }

    pub(crate) fn at(mut self, place: Option<Place>) -> Self {
        self.0.place = place;
        self
    }

    /// The path of the file, or the name of the variable.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.0.origin
    }

    /// The line and the column, both from 1, where the text cannot be read.
    #[must_use]
    pub fn line_and_column(&self) -> Option<(u64, u64)> {
        self.0.place.map(|place| (place.line, place.column))
    }

    /// The rule that is not allowed, and what is, if it could be read that far.
    #[must_use]
    pub fn rule_error(&self) -> Option<&RuleError> {
        match &self.0.problem {
            Problem::Rule(error) | Problem::Change(ChangeError::Rule(error)) => Some(error),
            Problem::Text(_) | Problem::Change(_) => None,
        }
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.origin)?;
        if let Some(Place { line, column }) = self.0.place {
            write!(f, ":{line}:{column}")?;
        }
        match &self.0.problem {
            Problem::Text(problem) => write!(f, ": {problem}"),
            Problem::Rule(error) | Problem::Change(ChangeError::Rule(error)) => {
                write!(f, ": {error}")
            }
            Problem::Change(error) => write!(f, ": {error}"),
        }
    }
}

impl Error for SourceError {}

impl From<String> for Problem {
    fn from(problem: String) -> Self {
        Self::Text(problem)
    }
}

impl From<&str> for Problem {
    fn from(problem: &str) -> Self {
        Self::Text(problem.to_owned())
    }
}

impl From<RuleError> for Problem {
    fn from(error: RuleError) -> Self {
        Self::Rule(error)
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        Self::Change(error)
    }
}
