//! Why a command, or one endpoint of it, has failed: an exit code, and words that name the field and what it
//! accepts.

use chaos_core::{OneLine, RuleError};
use serde_json::{Map, Value};

/// The result of a command as a process tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done,
    /// The service refused, or the command failed.
    Refused,
    /// The command line or a file of the operator's is wrong.
    Usage,
    /// No answer: the command may be tried again.
    NoAnswer,
    /// The token is missing, wrong, or of too low a role.
    MayNot,
    /// The rules were changed meanwhile.
    Changed,
    /// Some endpoints did it, and some did not.
    NotEverywhere,
    /// A guard rail, or the bound of `try --until`, has stopped it.
    Stopped,
    /// `status --exit-code`: armed.
    Armed,
    /// `status --exit-code`: halted.
    Halted,
    /// The code of a command that was run, or of a signal.
    Other(u8),
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::Usage => 2,
            Self::NoAnswer => 3,
            Self::MayNot => 4,
            Self::Changed => 5,
            Self::NotEverywhere => 6,
            Self::Stopped => 7,
            Self::Armed => 10,
            Self::Halted => 20,
            Self::Other(code) => code,
        }
    }

    /// Returns the word for a failure in JSON.
    fn as_str(self) -> &'static str {
        match self {
            Self::Done | Self::Armed | Self::Halted | Self::Other(_) => "done",
            Self::Refused => "refused",
            Self::Usage => "usage",
            Self::NoAnswer => "no_answer",
            Self::MayNot => "may_not",
            Self::Changed => "changed",
            Self::NotEverywhere => "not_everywhere",
            Self::Stopped => "stopped",
        }
    }
}

/// A failure. `Display` writes one line, whatever the service has put into its texts.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) detail: String,
    pub(crate) field: Option<Box<str>>,
    pub(crate) allowed: Option<Box<str>>,
    pub(crate) rule: Option<Box<str>>,
    /// The status of the answer, if there was one.
    pub(crate) status: Option<u16>,
    /// Lines that show where in the operator's text the slip is.
    pub(crate) mark: Option<Box<str>>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, detail: impl Into<String>) -> Self {
        Self {
            exit,
            detail: detail.into(),
            field: None,
            allowed: None,
            rule: None,
            status: None,
            mark: None,
        }
    }

    pub(crate) fn usage(detail: impl Into<String>) -> Self {
        Self::new(Exit::Usage, detail)
    }

    /// Names the field, argument or file that is wrong, and what it accepts.
    pub(crate) fn at(self, field: impl Into<Box<str>>, allowed: impl Into<Box<str>>) -> Self {
        Self {
            field: Some(field.into()),
            allowed: Some(allowed.into()),
            ..self
        }
    }

    /// Returns the failure for an invalid rule on the command line or in a file.
    pub(crate) fn of_rule(error: &RuleError) -> Self {
        Self {
            rule: error.rule().map(Into::into),
            ..Self::usage(error.problem()).at(error.field(), error.allowed())
        }
    }

    /// Returns the failure for a document or a setting that is not acceptable to a fleet.
    #[cfg(feature = "fleet")]
    pub(crate) fn of_refusal(refusal: &chaos_fleet::Refusal) -> Self {
        Self::usage(refusal.problem()).at(refusal.field(), refusal.allowed())
    }

    /// Returns the failure for what cannot be done with a fleet.
    #[cfg(feature = "fleet")]
    pub(crate) fn of_fleet(error: &chaos_fleet::FleetError) -> Self {
        use chaos_fleet::{FleetError, StoreError};
        let exit = match error {
            FleetError::Refused(refusal) => return Self::of_refusal(refusal),
            FleetError::Store(StoreError::Denied { .. }) => Exit::MayNot,
            FleetError::Store(_) => Exit::NoAnswer,
            FleetError::Held(_) | FleetError::Gone(_) => Exit::Changed,
            _ => Exit::Refused,
        };
        let error: &dyn std::error::Error = error;
        let causes = std::iter::successors(Some(error), |&error| error.source());
        let causes: Vec<_> = causes.map(ToString::to_string).collect();
        Self::new(exit, causes.join(": "))
    }

    /// Returns the object that `--json` prints.
    pub(crate) fn to_json(&self) -> Value {
        let texts = [
            ("kind", Some(self.exit.as_str())),
            ("detail", Some(self.detail.as_str())),
            ("rule", self.rule.as_deref()),
            ("field", self.field.as_deref()),
            ("allowed", self.allowed.as_deref()),
        ];
        let mut fields: Map<_, _> = texts
            .into_iter()
            .filter_map(|(name, text)| Some((name.to_owned(), text?.into())))
            .collect();
        if let Some(status) = self.status {
            fields.insert("status".to_owned(), status.into());
        }
        fields.into()
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(rule) = &self.rule {
            write!(f, "rule {}: ", OneLine(rule))?;
        }
        match self.field.as_deref() {
            Some(field) if !field.is_empty() => write!(f, "{}: ", OneLine(field))?,
            _ => {}
        }
        write!(f, "{}", OneLine(&self.detail))?;
        match &self.allowed {
            Some(allowed) => write!(f, "; allowed: {}", OneLine(allowed)),
            None => Ok(()),
        }
    }
}
