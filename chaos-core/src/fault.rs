//! The kinds of fault that a rule can hold, and the deed that each comes down to.

use std::{fmt, io, sync::Arc};

use http::StatusCode;

use crate::{
    dice::Dice,
    error::RuleError,
    injected::Injected,
    latency::Latency,
    name::RuleId,
    plan::{Answer, Plan},
};

/// What goes wrong. Open: more kinds will come, and none of them touches an adapter.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// The call takes longer.
    Latency(Latency),
    /// The call is answered with this status, and nobody else is asked.
    Status(StatusFault),
    /// The call fails with [`Injected`].
    Error(ErrorFault),
}

impl Fault {
    /// A delay; the same as `Fault::Latency(latency)`.
    #[must_use]
    pub fn latency(latency: Latency) -> Self {
        Self::Latency(latency)
    }

    /// An HTTP status.
    ///
    /// # Errors
    /// Outside 200 to 599, which is what an answer can have (Envoy draws the same line).
    pub fn status(code: u16) -> Result<Self, RuleError> {
        let status = StatusCode::from_u16(code).ok();
        match status.filter(|_| (200..600).contains(&code)) {
            Some(status) => Ok(Self::Status(StatusFault(status))),
            None => Err(RuleError::new(
                "status",
                format_args!("{code} is no status of an answer"),
                "200 to 599",
            )),
        }
    }

    /// An error with kind `Other`.
    #[must_use]
    pub fn error(message: &str) -> Self {
        Self::io_error(io::ErrorKind::Other, message)
    }

    /// An error with a kind of [`std::io::Error`], which it converts into.
    #[must_use]
    pub fn io_error(kind: io::ErrorKind, message: &str) -> Self {
        let message = message.into();
        Self::Error(ErrorFault { kind, message })
    }

    /// Its name in rules, events and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Latency(_) => "latency",
            Self::Status(_) => "status",
            Self::Error(_) => "error",
        }
    }

    /// Whether nothing can come after it.
    #[must_use]
    pub const fn ends_call(&self) -> bool {
        match self {
            Self::Latency(_) => false,
            Self::Status(_) | Self::Error(_) => true,
        }
    }

    /// The deed for one call. Draws what has to be drawn.
    pub(crate) fn plan(&self, rule: &RuleId, site: &'static str, dice: &mut Dice) -> Plan {
        let rule = rule.clone();
        match self {
            Self::Latency(latency) => Plan::Wait(latency.sample(dice)),
            Self::Status(StatusFault(status)) => Plan::Answer(Answer {
                rule,
                site,
                status: *status,
            }),
            Self::Error(ErrorFault { kind, message }) => {
                Plan::Fail(Injected::new(rule, site, *kind, message.clone(), None))
            }
        }
    }
}

/// The status of an answer, 200 to 599.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusFault(StatusCode);

impl StatusFault {
    /// The code.
    #[must_use]
    pub fn code(self) -> u16 {
        self.0.as_u16()
    }
}

/// The error that a call fails with.
#[derive(Clone, PartialEq, Eq)]
pub struct ErrorFault {
    kind: io::ErrorKind,
    message: Arc<str>,
}

impl ErrorFault {
    /// The kind that it has as a [`std::io::Error`].
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.kind
    }

    /// What it says.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Debug for ErrorFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({:?})", self.kind, self.message)
    }
}
