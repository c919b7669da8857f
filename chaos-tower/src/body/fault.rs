//! `BodyFault`: one fault on a body, as the plans for a request name it.

use chaos_core::{decision::ActiveCall, fault::AfterMessages, plan::BytesPlan};
use http::HeaderMap;

use super::{
    byte_filter::ByteFilter,
    filter::BodyFilter,
    grpc_messages::StatusAfter,
    grpc_signal::{RequestCounter, StatusOnSignal, StatusSignal},
};
use crate::{byte_fault::ByteFault, connection::Connection, error::BoxError};

/// One fault on a body. It holds its [`ActiveCall`], so that the injection counts as active until the
/// fault is done, its rule is over, or the body has ended or was dropped.
pub(crate) enum BodyFault {
    Bytes(BytesPlan, ActiveCall),
    /// The body fails after so many bytes, which are flushed before.
    CutAfter(u64, BoxError, ActiveCall),
    /// The body fails after so many bytes, which are flushed before, and its connection is reset.
    ResetAfter(u64, BoxError, Connection, ActiveCall),
    /// The body ends with these trailers after so many complete gRPC messages of its own. For messages
    /// of the request's body, see [`count_messages`](super::count_messages).
    StatusAfter {
        messages: AfterMessages,
        trailers: HeaderMap,
        active_call: ActiveCall,
    },
    /// A response's body ends with these trailers when the signal fires.
    StatusOnSignal {
        signal: StatusSignal,
        trailers: HeaderMap,
        active_call: ActiveCall,
    },
    /// A request's body that fires the signal made with the counter by
    /// [`count_messages`](super::count_messages).
    CountMessages(RequestCounter, ActiveCall),
}

impl BodyFault {
    /// Returns what the fault holds of its injection.
    pub(crate) fn active_call(&self) -> &ActiveCall {
        match self {
            Self::Bytes(_, active_call)
            | Self::CutAfter(_, _, active_call)
            | Self::ResetAfter(_, _, _, active_call)
            | Self::StatusAfter { active_call, .. }
            | Self::StatusOnSignal { active_call, .. }
            | Self::CountMessages(_, active_call) => active_call,
        }
    }

    /// Returns whether the fault can act on a body of at most so many bytes; `None` if the size is not known.
    ///
    /// `is_stream`: the body is a stream of HTTP/2, which can be cut behind its last byte. That of HTTP/1 is
    /// over there.
    pub(crate) fn acts_on(&self, most_bytes: Option<u64>, is_stream: bool) -> bool {
        let (spared, is_cut) = match self {
            Self::Bytes(BytesPlan::TruncateAfter(bytes) | BytesPlan::StallAfter(bytes, _), _) => {
                (*bytes, false)
            }
            Self::CutAfter(bytes, ..) | Self::ResetAfter(bytes, ..) => (*bytes, true),
            _ => (0, false),
        };
        most_bytes
            .is_none_or(|most| most > spared || most > 0 && most == spared && is_cut && is_stream)
    }

    pub(super) fn into_filter(self) -> (Box<dyn BodyFilter>, ActiveCall) {
        match self {
            Self::Bytes(plan, active_call) => {
                (Box::new(ByteFilter::new(ByteFault::new(plan))), active_call)
            }
            Self::CutAfter(bytes, error, active_call) => {
                (Box::new(ByteFilter::fail_after(bytes, error)), active_call)
            }
            Self::ResetAfter(bytes, error, connection, active_call) => (
                Box::new(ByteFilter::reset_after(bytes, error, connection)),
                active_call,
            ),
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
            } => (Box::new(StatusOnSignal::new(signal, trailers)), active_call),
            Self::CountMessages(counter, active_call) => (Box::new(counter), active_call),
        }
    }
}
