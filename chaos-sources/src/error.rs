//! The error of a source: which source, where in it, and what is wrong.

use std::{error::Error, fmt};

use chaos_core::{OneLine, RuleError, rule::ChangeError};

/// The reason why the rules of a source were refused. The rules that were in force before stay in
/// force.
///
/// `Display` writes one line with the path or the variable, the line and column if the parser
/// provides them, and the cause. [`source`](Error::source) is therefore always `None`. `Debug` writes the same.
#[derive(Clone, PartialEq, Eq)]
pub struct SourceError(Box<Parts>);

#[derive(Clone, PartialEq, Eq)]
struct Parts {
    origin: String,
    place: Option<Place>,
    problem: Problem,
}

/// A position in a text; both numbers count from 1.
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

    /// Returns the path of the file, or the name of the environment variable.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.0.origin
    }

    /// Returns the line and the column of a syntax error, both counted from 1; `None` for other
    /// errors, and if the parser does not provide them.
    #[must_use]
    pub fn line_and_column(&self) -> Option<(u64, u64)> {
        self.0.place.map(|place| (place.line, place.column))
    }

    /// Returns the error about an invalid rule, which names the rule, the field and what is
    /// allowed; `None` if the source could not be read so far.
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
        write!(f, "{}", OneLine(&self.0.origin))?;
        if let Some(Place { line, column }) = self.0.place {
            write!(f, ":{line}:{column}")?;
        }
        match &self.0.problem {
            Problem::Text(problem) => write!(f, ": {}", OneLine(problem)),
            Problem::Rule(error) | Problem::Change(ChangeError::Rule(error)) => {
                write!(f, ": {error}")
            }
            Problem::Change(error) => write!(f, ": {error}"),
        }
    }
}

impl fmt::Debug for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
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
