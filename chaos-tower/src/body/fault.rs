//! `BodyFault`: one fault on a body, as the plans for a request name it.

use chaos_core::{decision::ActiveCall, fault::AfterMessages, plan::BytesPlan};
use http::HeaderMap;
use http_body::Frame;

use super::{
    byte_filter::ByteFilter,
    filter::BodyFilter,
    grpc_messages::StatusAfter,
    grpc_signal::{EndOnSignal, EndSignal, EndTrigger, RequestCounter},
};
use crate::{byte_fault::ByteFault, connection::Connection, error::BoxError};

/// One fault on a body. It holds its [`ActiveCall`], so that the injection counts as active until the
/// fault is done, its rule is over, or the body has ended or was dropped.
pub(crate) enum BodyFault {
    Bytes(BytesPlan, ActiveCall),
    /// The body fails after so many bytes, which are flushed before, if there are more; without an error, it
    /// ends.
    Truncate(u64, Option<BoxError>, ActiveCall),
    /// The body fails after so many bytes, which are flushed before.
    CutAfter(u64, BodyCut, ActiveCall),
    /// The body ends with these trailers after so many complete gRPC messages of its own. For messages
    /// of the request's body, see [`count_messages`](super::count_messages).
    StatusAfter {
        messages: AfterMessages,
        trailers: HeaderMap,
        active_call: ActiveCall,
    },
    /// A response's body ends with these trailers when the signal fires.
    StatusOnSignal {
        signal: EndSignal,
        trailers: HeaderMap,
        active_call: ActiveCall,
    },
    /// A response's body fails when the signal fires.
    CutOnSignal {
        signal: EndSignal,
        error: BoxError,
        active_call: ActiveCall,
    },
    /// A request's body that fires the signal made with the counter by
    /// [`count_messages`](super::count_messages).
    CountMessages(RequestCounter, ActiveCall),
}

/// The fault that ends a body before all others do: its position, and how many bytes pass.
///
/// Of several that end it there, the last one does, because it is asked first.
#[derive(Clone, Copy)]
pub(crate) struct EarlyEnd(Option<(usize, u64)>);

impl EarlyEnd {
    /// Returns that of the faults that would act alone, each with its position.
    pub(crate) fn of<'f>(faults: impl Iterator<Item = (usize, &'f BodyFault)>) -> Self {
        let mut first = None;
        for (at, fault) in faults.filter(|(_, fault)| fault.ends_body()) {
            let bytes = fault.spared();
            if first.is_none_or(|(_, least)| bytes <= least) {
                first = Some((at, bytes));
            }
        }
        Self(first)
    }

    /// Returns whether the fault at a position still acts on the body.
    pub(crate) fn leaves(self, at: usize, fault: &BodyFault) -> bool {
        let Some((end, bytes)) = self.0 else {
            return true;
        };
        let spared = fault.spared();
        at == end
            || spared < bytes
            || match fault {
                // It holds back the end.
                BodyFault::Bytes(BytesPlan::StallAfter(..), _) => spared == bytes && at > end,
                fault => fault.signal().is_some(),
            }
    }
}

/// What happens when a body is cut off.
pub(crate) struct BodyCut {
    /// The error that the body fails with.
    pub(crate) error: BoxError,
    /// The connection, if it is reset.
    pub(crate) reset: Option<Connection>,
    /// What tells the response that the body of the request was cut off.
    pub(crate) trigger: Option<EndTrigger>,
}

impl BodyFault {
    /// Returns what the fault holds of its injection.
    pub(crate) fn active_call(&self) -> &ActiveCall {
        match self {
            Self::Bytes(_, active_call)
            | Self::Truncate(_, _, active_call)
            | Self::CutAfter(_, _, active_call)
            | Self::StatusAfter { active_call, .. }
            | Self::StatusOnSignal { active_call, .. }
            | Self::CutOnSignal { active_call, .. }
            | Self::CountMessages(_, active_call) => active_call,
        }
    }

    /// Returns whether the fault can act on a body of at most so many bytes; `None` if the size is not known.
    ///
    /// `is_stream`: the body is a stream of HTTP/2, which can be cut behind its last byte. That of HTTP/1 is
    /// over there.
    pub(crate) fn acts_on(&self, most_bytes: Option<u64>, is_stream: bool) -> bool {
        let (spared, is_cut) = (self.spared(), matches!(self, Self::CutAfter(..)));
        most_bytes
            .is_none_or(|most| most > spared || most > 0 && most == spared && is_cut && is_stream)
    }

    /// Returns whether the fault may hold bytes back.
    pub(crate) fn may_hold(&self) -> bool {
        match self {
            Self::Bytes(plan, _) => match plan {
                BytesPlan::Throttle(_) | BytesPlan::StallAfter(..) => true,
                BytesPlan::FirstByte(_) | BytesPlan::EachChunk(_) => true,
                BytesPlan::TruncateAfter(_) | BytesPlan::Corrupt(_) => false,
            },
            Self::CountMessages(..) => true,
            Self::Truncate(..) | Self::CutAfter(..) | Self::StatusAfter { .. } => false,
            Self::StatusOnSignal { .. } | Self::CutOnSignal { .. } => false,
        }
    }

    /// Returns the signal that it waits for.
    pub(crate) fn signal(&self) -> Option<&EndSignal> {
        match self {
            Self::StatusOnSignal { signal, .. } | Self::CutOnSignal { signal, .. } => Some(signal),
            _ => None,
        }
    }

    /// Returns how many bytes pass before the fault does anything.
    fn spared(&self) -> u64 {
        match self {
            Self::Bytes(BytesPlan::TruncateAfter(bytes) | BytesPlan::StallAfter(bytes, _), _)
            | Self::Truncate(bytes, ..)
            | Self::CutAfter(bytes, ..) => *bytes,
            _ => 0,
        }
    }

    fn ends_body(&self) -> bool {
        matches!(self, Self::Truncate(..) | Self::CutAfter(..))
    }

    /// Returns the fault for a body that ends where its connection does: one that is cut short ends too soon,
    /// and nobody can tell.
    pub(crate) fn without_framing(self) -> Self {
        match self {
            Self::Truncate(bytes, _, active_call) => Self::Truncate(bytes, None, active_call),
            fault => fault,
        }
    }

    pub(super) fn into_filter(self) -> (Box<dyn BodyFilter>, ActiveCall) {
        match self {
            Self::Bytes(plan, active_call) => {
                (Box::new(ByteFilter::new(ByteFault::new(plan))), active_call)
            }
            Self::Truncate(bytes, error, active_call) => (
                Box::new(ByteFilter::truncate_after(bytes, error)),
                active_call,
            ),
            Self::CutAfter(bytes, cut, active_call) => {
                (Box::new(ByteFilter::cut_after(bytes, cut)), active_call)
            }
            Self::StatusAfter {
                messages,
                trailers,
                active_call,
            } => (
                Box::new(StatusAfter::new(messages.count, trailers)),
                active_call,
            ),
            Self::StatusOnSignal {
                signal,
                trailers,
                active_call,
            } => (
                Box::new(EndOnSignal::new(signal, Ok(Frame::trailers(trailers)))),
                active_call,
            ),
            Self::CutOnSignal {
                signal,
                error,
                active_call,
            } => (Box::new(EndOnSignal::new(signal, Err(error))), active_call),
            Self::CountMessages(counter, active_call) => (Box::new(counter), active_call),
        }
    }
}
