//! The parameters of an `error` fault.

use std::{fmt, io, sync::Arc};

use crate::{name::RuleId, plan::injected::Injected};

/// The error that an `error` fault fails a call with.
#[derive(Clone, PartialEq, Eq)]
pub struct ErrorFault {
    pub(super) kind: io::ErrorKind,
    pub(super) message: Arc<str>,
}

impl ErrorFault {
    /// Returns the kind that it has as a [`std::io::Error`].
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.kind
    }

    /// Returns the message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the error that a rule fails a call with.
    #[inline]
    pub(super) fn injected(&self, rule: &RuleId, site: &'static str) -> Injected {
        Injected::new(rule.clone(), site, self.kind, Arc::clone(&self.message))
    }
}

impl fmt::Debug for ErrorFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({:?})", self.kind, self.message)
    }
}
