//! What is to be done to a call: the closed list of deeds that every adapter carries out.

pub(crate) mod answer;
pub(crate) mod bytes;
pub(crate) mod cut;
pub(crate) mod grpc;
pub(crate) mod headers;
pub(crate) mod injected;

use std::time::Duration;

use crate::{
    call::direction::Direction,
    plan::{
        answer::Answer,
        bytes::{BytesDeed, scaled_size, scaled_time},
        cut::Cut,
        headers::HeaderEdit,
        injected::Injected,
    },
};

/// One deed.
///
/// Closed on purpose, and not `#[non_exhaustive]`: a new deed must make the compiler list every
/// adapter that does not carry it out yet. A new kind of fault that an existing deed expresses
/// touches no adapter.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Wait before going on; [`Decision::wait`](crate::Decision::wait) does.
    Wait(Wait),
    /// Wait when the answer is there; [`ActiveCall::wait`](crate::Hold::wait) does.
    WaitAfter(WaitAfter),
    /// Change headers, and go on.
    Headers(HeaderEdit, Direction),
    /// Do this to the bytes as they pass, and go on.
    Bytes(BytesDeed, Direction),
    /// Answer the call without asking whoever would have answered it. Ends the call.
    Answer(Answer),
    /// Fail the call. Ends it.
    Fail(Injected),
    /// Cut the stream or the connection that the call came on. Ends it.
    Cut(Cut),
}

impl Plan {
    /// Whether nothing can come after it.
    #[must_use]
    pub const fn ends_call(&self) -> bool {
        match self {
            Self::Wait(_) | Self::WaitAfter(_) | Self::Headers(..) | Self::Bytes(..) => false,
            Self::Answer(_) | Self::Fail(_) | Self::Cut(_) => true,
        }
    }

    /// With no single wait longer than this.
    pub(crate) fn no_longer(self, longest: Duration) -> Self {
        match self {
            Self::Wait(wait) => Self::Wait(Wait {
                time: wait.time.min(longest),
                ..wait
            }),
            Self::WaitAfter(WaitAfter::For(time)) => {
                Self::WaitAfter(WaitAfter::For(time.min(longest)))
            }
            Self::WaitAfter(WaitAfter::AtLeast(time)) => {
                Self::WaitAfter(WaitAfter::AtLeast(time.min(longest)))
            }
            Self::Bytes(deed, side) => Self::Bytes(deed.no_longer(longest), side),
            plan @ (Self::Headers(..) | Self::Answer(_) | Self::Fail(_) | Self::Cut(_)) => plan,
        }
    }

    /// The delay that it plans: of a wait that may be released, the longest; of bytes, what is known.
    pub(crate) fn planned_delay(&self) -> Duration {
        match self {
            Self::Wait(wait) => wait.time,
            Self::WaitAfter(WaitAfter::For(time) | WaitAfter::AtLeast(time)) => *time,
            Self::Bytes(BytesDeed::StallAfter(_, time) | BytesDeed::FirstByte(time), _) => *time,
            _ => Duration::ZERO,
        }
    }

    /// With times and sizes that are so many times as great. What has none stays.
    pub(crate) fn scaled(self, factor: f64) -> Self {
        match self {
            Self::Wait(wait) => Self::Wait(wait.scaled(factor)),
            Self::WaitAfter(wait) => Self::WaitAfter(wait.scaled(factor)),
            Self::Bytes(deed, side) => Self::Bytes(deed.scaled(factor), side),
            Self::Cut(cut) => Self::Cut(Cut {
                after: cut.after.map(|bytes| scaled_size(bytes, factor)),
                ..cut
            }),
            plan @ (Self::Headers(..) | Self::Answer(_) | Self::Fail(_)) => plan,
        }
    }
}

/// A wait before the call goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    pub(crate) time: Duration,
    pub(crate) kind: WaitKind,
}

/// Why it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitKind {
    Delay,
    Hang,
    Pause,
    Block,
}

impl Wait {
    /// How long, at most: it ends sooner when its rule is over.
    #[must_use]
    pub fn time(self) -> Duration {
        self.time
    }

    /// Whether the caller is not meant to be answered at all: then an adapter that can notice that
    /// the caller has gone should look.
    #[must_use]
    pub fn is_hang(self) -> bool {
        self.kind == WaitKind::Hang
    }

    pub(crate) fn is_pause(self) -> bool {
        self.kind == WaitKind::Pause
    }

    fn scaled(self, factor: f64) -> Self {
        let time = match self.kind {
            WaitKind::Delay | WaitKind::Hang | WaitKind::Block => scaled_time(self.time, factor),
            // It waits for somebody; its time is only for the case that nobody comes.
            WaitKind::Pause => self.time,
        };
        Self { time, ..self }
    }
}

/// A wait between the answer and its way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitAfter {
    /// For so long after the answer is there.
    For(Duration),
    /// Until so long after the deed began: pads the call up to it.
    AtLeast(Duration),
}

impl WaitAfter {
    fn scaled(self, factor: f64) -> Self {
        match self {
            Self::For(time) => Self::For(scaled_time(time, factor)),
            Self::AtLeast(time) => Self::AtLeast(scaled_time(time, factor)),
        }
    }
}

impl From<WaitAfter> for Wait {
    /// The same where there is no before and after: a point in code.
    fn from(wait: WaitAfter) -> Self {
        let (WaitAfter::For(time) | WaitAfter::AtLeast(time)) = wait;
        let kind = WaitKind::Delay;
        Self { time, kind }
    }
}
