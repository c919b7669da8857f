//! The parameters of an `error` fault.

use std::{fmt, io, sync::Arc};

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
}

impl fmt::Debug for ErrorFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({:?})", self.kind, self.message)
    }
}
