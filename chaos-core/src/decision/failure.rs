//! `Failure`: the error of a rule for an integration that returns a response in its place.

use std::io;

use bytes::Bytes;
use http::HeaderValue;

use crate::{armed::Armed, fault::ErrorFault};

/// The error of an `error` fault that a call fails with, for an integration that cannot return errors. Most of what
/// it knows was made when the rule first failed a call, so that it takes no allocation.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'d> {
    pub(super) rule: &'d Armed,
    pub(super) error: &'d ErrorFault,
    pub(super) site: &'static str,
}

impl Failure<'_> {
    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.error.kind()
    }

    /// Returns the message of the rule.
    #[must_use]
    pub fn message(&self) -> &str {
        self.error.message()
    }

    /// Returns the line of text that [`Injected::to_line`](crate::Injected::to_line) returns for the error.
    #[must_use]
    pub fn line(&self) -> Bytes {
        let id = &self.rule.rule.id;
        let make = || self.error.injected(id, self.site).to_line().into();
        self.rule.line(self.site, make)
    }

    /// Returns the id of the rule as the value of a header.
    #[must_use]
    pub fn mark(&self) -> &HeaderValue {
        self.rule.mark()
    }
}
