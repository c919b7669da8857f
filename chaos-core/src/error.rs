//! The error of an invalid rule: which rule, which field, and what the field accepts.

use std::{
    error::Error,
    fmt::{self, Write},
};

/// The reason why a rule is not accepted.
///
/// `Display` writes one line: the rule's id if it is known, the field, the problem, and what the
/// field accepts. Control characters in what it quotes are escaped, and each of these parts is cut after
/// 1,000 characters. `Debug` writes the same, since that is what a `main` that returns the error prints.
///
/// ```
/// use chaos_core::Rate;
///
/// let error = Rate::new(5.0).unwrap_err();
/// assert_eq!((error.field(), error.allowed()), ("rate", "a number from 0 to 1"));
/// assert!(error.to_string().starts_with("rate: "));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RuleError(Box<Details>);

#[derive(Clone, PartialEq, Eq)]
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

/// Displays a text that may come from outside on one line: characters that would end or reorder a line are
/// escaped, and a text of more than 1,000 characters is cut. In a log, a line feed would begin a line that looks
/// like one of the program's own.
///
/// ```
/// use chaos_core::OneLine;
///
/// let forged = "a.yaml\nWARN chaos: resumed";
/// assert_eq!(OneLine(forged).to_string(), r"a.yaml\nWARN chaos: resumed");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct OneLine<'t>(pub &'t str);

impl OneLine<'_> {
    /// The number of characters that are written.
    const LONGEST: usize = 1000;
}

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.0.chars();
        for character in characters.by_ref().take(Self::LONGEST) {
            match breaks_lines(character) {
                true => write!(f, "{}", character.escape_default())?,
                false => f.write_char(character)?,
            }
        }
        match characters.next() {
            Some(_) => f.write_char('…'),
            None => Ok(()),
        }
    }
}

/// Returns whether a character ends a line, moves the cursor, or changes the direction of a text.
fn breaks_lines(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

impl fmt::Debug for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for RuleError {}

/// Displays an error and its causes, separated by colons. The errors of these crates write this as `Debug`, since that
/// is what a `main` that returns an error prints.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct WithCauses<'e>(pub &'e (dyn Error + 'static));

impl fmt::Display for WithCauses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}
