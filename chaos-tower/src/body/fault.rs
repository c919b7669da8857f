//! What can be done to a body, and who does it.

use chaos_core::{ActiveCall, AfterMessages, BytesDeed};
use http::HeaderMap;

use super::{
    after_bytes::AfterBytes,
    corrupt::Corrupt,
    delay::Delay,
    filter::BodyFilter,
    grpc_messages::StatusAfter,
    grpc_signal::{RequestCounter, StatusOnSignal, StatusSignal},
    throttle::Throttle,
};
use crate::{connection::Connection, error::BoxError};

/// One fault on a body. Each keeps its [`ActiveCall`], so that its injection counts as active, until the
/// fault is done, its rule over, or the body at its end or dropped.
pub(crate) enum BodyFault {
    /// As the rule says.
    Bytes(BytesDeed, ActiveCall),
    /// So many bytes pass, and are flushed; then the body fails.
    CutAfter(u64, BoxError, ActiveCall),
    /// The same, and the connection is reset with it.
    ResetAfter(u64, BoxError, Connection, ActiveCall),
    /// So many whole gRPC messages of this body pass; then it ends with these trailers. For those
    /// of the other side's body, see [`count_messages`](super::count_messages).
    StatusAfter {
        messages: AfterMessages,
        trailers: HeaderMap,
        active_call: ActiveCall,
    },
    /// An answer ends with these trailers when the request has had its number of messages.
    StatusOnSignal {
        signal: StatusSignal,
        trailers: HeaderMap,
        active_call: ActiveCall,
    },
    /// What gives that signal: made with it by [`count_messages`](super::count_messages), and put on the
    /// body of the request.
    CountMessages(RequestCounter, ActiveCall),
}

impl BodyFault {
    pub(super) fn into_filter(self) -> (Box<dyn BodyFilter>, ActiveCall) {
        match self {
            Self::Bytes(fault, active_call) => (filter(fault), active_call),
            Self::CutAfter(bytes, error, active_call) => {
                (Box::new(AfterBytes::fail(bytes, error)), active_call)
            }
            Self::ResetAfter(bytes, error, connection, active_call) => (
                Box::new(AfterBytes::reset(bytes, error, connection)),
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

fn filter(fault: BytesDeed) -> Box<dyn BodyFilter> {
    match fault {
        BytesDeed::Throttle(rate) => Box::new(Throttle::new(rate)),
        BytesDeed::TruncateAfter(bytes) => Box::new(AfterBytes::end(bytes)),
        BytesDeed::StallAfter(bytes, time) => Box::new(AfterBytes::stall(bytes, time)),
        BytesDeed::Corrupt(corruption) => Box::new(Corrupt(corruption)),
        BytesDeed::FirstByte(time) => Box::new(Delay::first(time)),
        BytesDeed::EachChunk(time) => Box::new(Delay::each(time)),
    }
}
