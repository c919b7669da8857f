//! What is to be done to a call: the closed list of deeds that every adapter carries out.

use std::{io, time::Duration};

use http::StatusCode;

use crate::{injected::Injected, name::RuleId};

/// One deed.
///
/// Closed on purpose, and not `#[non_exhaustive]`: a new deed must make the compiler list every
/// adapter that does not carry it out yet. A new kind of fault that an existing deed expresses
/// touches no adapter.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Wait before going on; [`Decision::wait`](crate::Decision::wait) does.
    Wait(Duration),
    /// Answer the call without asking whoever would have answered it. Ends the call.
    Answer(Answer),
    /// Fail the call. Ends it.
    Fail(Injected),
}

impl Plan {
    /// Whether nothing can come after it.
    #[must_use]
    pub const fn ends_call(&self) -> bool {
        match self {
            Self::Wait(_) => false,
            Self::Answer(_) | Self::Fail(_) => true,
        }
    }
}

/// An answer in place of the real one.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(crate) rule: RuleId,
    pub(crate) site: &'static str,
    pub(crate) status: StatusCode,
}

impl Answer {
    /// The rule that answers: the value of `x-chaos-fault`.
    #[must_use]
    pub fn rule(&self) -> &RuleId {
        &self.rule
    }

    /// The site where it answers.
    #[must_use]
    pub fn site(&self) -> &'static str {
        self.site
    }

    /// The status to answer with, from 200 to 599.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The same as an error, for code that gives no answers: kind `Other`, with the status in it.
    #[must_use]
    pub fn into_injected(self) -> Injected {
        let message = format!("status {}", self.status.as_u16()).into();
        let (kind, status) = (io::ErrorKind::Other, Some(self.status));
        Injected::new(self.rule, self.site, kind, message, status)
    }
}
