//! The closed list of actions on a call. Layers, macros and connections execute them.

pub(crate) mod answer;
pub(crate) mod bytes;
pub(crate) mod cut;
pub(crate) mod grpc;
pub(crate) mod headers;
pub(crate) mod injected;

pub use self::{
    answer::Answer,
    bytes::BytesPlan,
    cut::{AfterBytes, Cut, CutKind},
    injected::Injected,
};

use std::time::Duration;

use crate::{
    call::direction::Direction,
    plan::{bytes::scaled_time, headers::HeaderEdit},
};

/// One action on a call, which an integration executes: a macro, a layer or a connection.
///
/// The enum is closed on purpose and not `#[non_exhaustive]`: with a new action, the compiler lists
/// every integration that does not execute it yet. A new kind of [`Fault`](crate::Fault) that an
/// existing action expresses changes no integration.
///
/// An integration takes plans from [`Decision::next_plan`](crate::Decision::next_plan), in order. After
/// a plan that ends the call, only plans that act on its response are left.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Wait before going on, with [`Decision::wait`](crate::Decision::wait).
    Wait(Wait),
    /// Wait after the response has arrived, with [`ActiveCall::wait`](crate::decision::ActiveCall::wait).
    WaitAfter(WaitAfter),
    /// Change the headers of the request or the response, and go on.
    Headers(HeaderEdit, Direction),
    /// Do this to the bytes of the request or the response as they pass, and go on.
    Bytes(BytesPlan, Direction),
    /// Answer the call without calling the service behind the site. This ends the call.
    Answer(Answer),
    /// Fail the call with this error. This ends it.
    Fail(Injected),
    /// Cut the stream or the connection of the call. This ends it.
    Cut(Cut),
}

impl Plan {
    /// Returns whether the plan ends the call. Only plans that
    /// [act on the response](Self::acts_on_response) follow it.
    #[must_use]
    pub const fn ends_call(&self) -> bool {
        match self {
            Self::Wait(_) | Self::WaitAfter(_) | Self::Headers(..) | Self::Bytes(..) => false,
            Self::Answer(_) | Self::Fail(_) | Self::Cut(_) => true,
        }
    }

    /// Returns whether the plan acts on the response of the call, which the service behind the site
    /// makes, or a plan that ends the call. A plan that ends the call may therefore come before it.
    #[must_use]
    pub fn acts_on_response(&self) -> bool {
        match self {
            Self::WaitAfter(_) => true,
            Self::Headers(_, direction) | Self::Bytes(_, direction) => {
                *direction == Direction::Response
            }
            Self::Cut(cut) => cut.acts_on_response(),
            Self::Wait(_) | Self::Answer(_) | Self::Fail(_) => false,
        }
    }

    /// Limits each single wait to `longest`.
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
            Self::Bytes(bytes, direction) => Self::Bytes(bytes.no_longer(longest), direction),
            plan @ (Self::Headers(..) | Self::Answer(_) | Self::Fail(_) | Self::Cut(_)) => plan,
        }
    }

    /// Returns the delay that the plan adds: for a wait that may be released, the longest; for
    /// bytes, what is known in advance.
    pub(crate) fn planned_delay(&self) -> Duration {
        match self {
            Self::Wait(wait) => wait.time,
            Self::WaitAfter(WaitAfter::For(time) | WaitAfter::AtLeast(time)) => *time,
            Self::Bytes(BytesPlan::StallAfter(_, time) | BytesPlan::FirstByte(time), _) => *time,
            _ => Duration::ZERO,
        }
    }

    /// Multiplies times and sizes by `factor`. A plan without any is unchanged.
    pub(crate) fn scaled(self, factor: f64) -> Self {
        match self {
            Self::Wait(wait) => Self::Wait(wait.scaled(factor)),
            Self::WaitAfter(wait) => Self::WaitAfter(wait.scaled(factor)),
            Self::Bytes(bytes, direction) => Self::Bytes(bytes.scaled(factor), direction),
            Self::Cut(cut) => Self::Cut(cut.scaled(factor)),
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

/// What a wait is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitKind {
    Delay,
    Hang,
    Pause,
    Block,
}

impl Wait {
    /// Returns how long to wait, at most. The wait ends earlier if its rule does.
    #[must_use]
    pub fn time(self) -> Duration {
        self.time
    }

    /// Returns whether the caller is not meant to get a response. An integration that can notice that
    /// the caller has gone should then watch for it.
    #[must_use]
    pub fn is_hang(self) -> bool {
        self.kind == WaitKind::Hang
    }

    /// Returns the delay that is known in advance. For a hang or a pause it is zero, since how long they last is not
    /// known yet.
    #[inline]
    pub(crate) fn delay(self) -> Duration {
        match self.kind {
            WaitKind::Delay | WaitKind::Block => self.time,
            WaitKind::Hang | WaitKind::Pause => Duration::ZERO,
        }
    }

    /// Returns whether the wait ends when the call is released.
    pub(crate) fn is_pause(self) -> bool {
        self.kind == WaitKind::Pause
    }

    fn scaled(self, factor: f64) -> Self {
        let time = match self.kind {
            WaitKind::Delay | WaitKind::Hang | WaitKind::Block => scaled_time(self.time, factor),
            // A pause ends by its release; its time only bounds it if no release comes.
            WaitKind::Pause => self.time,
        };
        Self { time, ..self }
    }
}

/// A wait between the response and its return to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitAfter {
    /// Wait for this time after the response has arrived.
    For(Duration),
    /// Wait until this time has passed since the integration took the plan. Pads a short call, and adds
    /// nothing to a longer one.
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
    /// Turns it into a plain delay, for a site in code, where there is no response to wait for.
    fn from(wait: WaitAfter) -> Self {
        let (WaitAfter::For(time) | WaitAfter::AtLeast(time)) = wait;
        let kind = WaitKind::Delay;
        Self { time, kind }
    }
}
