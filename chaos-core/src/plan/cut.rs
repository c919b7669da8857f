//! How a stream, a connection or the process ends that should not have.

use std::{fmt, io};

use crate::{error::RuleError, name::RuleId, plan::injected::Injected};

/// What an `abort` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Abort {
    /// Cuts off the stream, or the connection where there are no streams.
    Cut(CutKind),
    /// Panics.
    Panic,
    /// Ends the process at once, with exit code 1; only where the
    /// [`Policy`](crate::Policy) allows it.
    Exit,
}

/// How a call is cut off: closed, because each adapter has its own way for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutKind {
    /// The connection is closed (FIN), or the HTTP/2 stream reset with `INTERNAL_ERROR`.
    Close,
    /// The connection is reset (RST).
    Reset,
    /// Nobody is there: the connection is refused, or the HTTP/2 stream with `REFUSED_STREAM`.
    Refuse,
    /// The HTTP/2 stream is reset for this reason; an HTTP/1 connection is closed.
    Stream(StreamReason),
    /// The HTTP/2 connection is told to go away (GOAWAY) when the calls on it are done; the call
    /// itself is answered. An HTTP/1 connection is closed after it.
    GoAway,
}

/// A call to be cut off.
#[derive(Clone, Debug)]
pub struct Cut {
    pub(crate) rule: RuleId,
    pub(crate) site: &'static str,
    pub(crate) kind: CutKind,
    pub(crate) after: Option<u64>,
}

impl Cut {
    /// The rule that does it.
    #[must_use]
    pub fn rule(&self) -> &RuleId {
        &self.rule
    }

    /// How.
    #[must_use]
    pub fn kind(&self) -> CutKind {
        self.kind
    }

    /// How many bytes of the answer pass before; `None`: at once, before the call is served.
    #[must_use]
    pub fn after_bytes(&self) -> Option<u64> {
        self.after
    }

    /// The same as an error, for code that has nothing to cut: the kind that a client would see.
    #[must_use]
    pub fn into_injected(self) -> Injected {
        let (kind, message) = match self.kind {
            CutKind::Close | CutKind::GoAway => {
                (io::ErrorKind::ConnectionAborted, "connection closed".into())
            }
            CutKind::Reset => (io::ErrorKind::ConnectionReset, "connection reset".into()),
            CutKind::Refuse => (
                io::ErrorKind::ConnectionRefused,
                "connection refused".into(),
            ),
            CutKind::Stream(reason) => {
                let message = format!("stream reset: {reason}").into();
                (io::ErrorKind::ConnectionReset, message)
            }
        };
        Injected::new(self.rule, self.site, kind, message)
    }
}

/// Why an HTTP/2 stream is reset: the error codes of RFC 9113, section 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamReason(u8);

const REASONS: &[&str] = &[
    "no_error",
    "protocol_error",
    "internal_error",
    "flow_control_error",
    "settings_timeout",
    "stream_closed",
    "frame_size_error",
    "refused_stream",
    "cancel",
    "compression_error",
    "connect_error",
    "enhance_your_calm",
    "inadequate_security",
    "http_1_1_required",
];

impl StreamReason {
    /// The server has not looked at the call: it may be tried again.
    pub const REFUSED_STREAM: Self = Self(7);

    /// A reason by name, in lower case.
    ///
    /// # Errors
    /// If there is no such name.
    pub fn from_name(name: &str) -> Result<Self, RuleError> {
        match REASONS.iter().position(|known| *known == name) {
            Some(code) => Ok(Self(code as u8)),
            None => {
                let problem = format!("{name:?} is no error code of HTTP/2");
                Err(RuleError::new("h2", problem, REASONS.join(", ")))
            }
        }
    }

    #[cfg(feature = "serde")]
    pub(crate) fn names() -> &'static [&'static str] {
        REASONS
    }

    /// The code.
    #[must_use]
    pub fn code(self) -> u32 {
        self.0.into()
    }

    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        REASONS[usize::from(self.0)]
    }
}

impl fmt::Display for StreamReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
