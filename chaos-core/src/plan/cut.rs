//! How a stream, a connection or the process is ended before its time.

use std::{fmt, io};

use crate::{
    call::direction::Direction,
    error::RuleError,
    name::RuleId,
    plan::{bytes::scaled_size, injected::Injected},
};

/// The kind of an `abort` fault: what it ends, and how.
///
/// ```
/// use chaos_core::{Direction, Fault, fault::Abort, plan::CutKind};
///
/// // The connection is reset after the first 10,000 bytes of the response.
/// let fault = Fault::abort_after(Abort::Cut(CutKind::Reset), 10_000, Direction::Response);
/// assert_eq!(fault.name(), "abort");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Abort {
    /// Cuts off the stream, or the connection where there are no streams.
    Cut(CutKind),
    /// Panics in the call.
    Panic,
    /// Ends the process at once, with exit code 1. A [`Policy`](crate::Policy) has to allow it; the
    /// default policy does not.
    Exit,
}

/// How a call is cut off. The enum is closed, since each integration implements each kind in its own
/// way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutKind {
    /// The connection is closed (FIN), or the HTTP/2 stream reset with `INTERNAL_ERROR`.
    Close,
    /// The connection is reset (RST). At the layer of an HTTP server, this needs the connection or the address
    /// of its peer: axum provides it with `into_make_service_with_connect_info`. Without it, the connection is
    /// closed.
    Reset,
    /// The connection is refused, or the HTTP/2 stream is reset with `REFUSED_STREAM`.
    Refuse,
    /// The HTTP/2 stream is reset for this reason; an HTTP/1 connection is closed.
    Stream(StreamReason),
    /// The HTTP/2 connection announces that it is going away (GOAWAY) and closes after the calls on
    /// it; the call itself is served. An HTTP/1 connection is closed after the call.
    GoAway,
}

impl CutKind {
    /// Returns whether a cut acts on the response: after a number of its bytes, or as it is the last.
    pub(crate) fn acts_on_response(self, after: Option<AfterBytes>) -> bool {
        let direction = after.map(|after| after.direction);
        self == Self::GoAway || direction == Some(Direction::Response)
    }

    /// Returns whether a cut ends the call at once.
    pub(crate) fn ends_call(self, after: Option<AfterBytes>) -> bool {
        self != Self::GoAway && after.is_none()
    }
}

/// How many bytes pass before a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AfterBytes {
    /// How many bytes pass.
    pub count: u64,
    /// The direction in which they are counted.
    pub direction: Direction,
}

/// A cut of the stream or the connection of one call.
#[derive(Clone, Debug)]
pub struct Cut(Box<CutContents>);

/// Boxed, so that the plans of most calls are small.
#[derive(Clone, Debug)]
struct CutContents {
    rule: RuleId,
    site: &'static str,
    kind: CutKind,
    after: Option<AfterBytes>,
}

impl Cut {
    pub(crate) fn new(
        rule: RuleId,
        site: &'static str,
        kind: CutKind,
        after: Option<AfterBytes>,
    ) -> Self {
        Self(Box::new(CutContents {
            rule,
            site,
            kind,
            after,
        }))
    }

    /// Multiplies the number of bytes by `factor`.
    pub(crate) fn scaled(mut self, factor: f64) -> Self {
        if let Some(after) = &mut self.0.after {
            after.count = scaled_size(after.count, factor);
        }
        self
    }

    /// Returns the rule that injects it.
    #[must_use]
    pub fn rule(&self) -> &RuleId {
        &self.0.rule
    }

    /// Returns how the call is cut off.
    #[must_use]
    pub fn kind(&self) -> CutKind {
        self.0.kind
    }

    /// Returns how many bytes of the request or of the response pass before the cut; `None` if the call is
    /// cut at once, before it is served.
    #[must_use]
    pub fn after_bytes(&self) -> Option<AfterBytes> {
        self.0.after
    }

    /// Returns whether the cut acts on the response of the call and does not end the call itself. A cut
    /// after a number of bytes does, and so does GOAWAY.
    #[must_use]
    pub fn acts_on_response(&self) -> bool {
        self.0.kind.acts_on_response(self.0.after)
    }

    /// Returns whether it ends the call at once, before it is served.
    #[must_use]
    pub fn ends_call(&self) -> bool {
        self.0.kind.ends_call(self.0.after)
    }

    /// Converts it into an error, for code that has nothing to cut. The error has the kind that a
    /// client would see.
    #[must_use]
    pub fn into_injected(self) -> Injected {
        let (kind, message) = match self.0.kind {
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
        Injected::new(self.0.rule, self.0.site, kind, message)
    }
}

/// Why an HTTP/2 stream is reset: an error code of RFC 9113, section 7.
///
/// ```
/// use chaos_core::fault::StreamReason;
///
/// let reason = StreamReason::from_name("enhance_your_calm")?;
/// assert_eq!(reason.code(), 11);
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
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
    /// The server has not processed the call, which may be retried.
    pub const REFUSED_STREAM: Self = Self(7);

    /// Creates a reason from its name in lower case, such as `cancel`.
    ///
    /// # Errors
    /// Returns an error if RFC 9113 has no such error code.
    pub fn from_name(name: &str) -> Result<Self, RuleError> {
        match REASONS.iter().position(|known| *known == name) {
            Some(code) => Ok(Self(code as u8)),
            None => {
                let problem = format!("{name:?} is not an error code of HTTP/2");
                Err(RuleError::new("h2", problem, REASONS.join(", ")))
            }
        }
    }

    /// Returns all names, in the order of their codes.
    #[cfg(feature = "serde")]
    pub(crate) fn names() -> &'static [&'static str] {
        REASONS
    }

    /// Returns the error code.
    #[must_use]
    pub fn code(self) -> u32 {
        self.0.into()
    }

    /// Returns the name in lower case.
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
