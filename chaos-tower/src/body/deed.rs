//! What can be done to a body, and who does it.

use chaos_core::{ActiveCall, AfterMessages, BytesDeed};
use http::HeaderMap;

use super::{
    after_bytes::AfterBytes,
    corrupt::Corrupt,
    delay::Delay,
    messages::StatusAfter,
    passage::Passage,
    signal::{RequestCounter, StatusSignal, StatusWhen},
    throttle::Throttle,
};
use crate::{connection::Connection, error::BoxError};

/// One deed on a body. Each keeps its [`ActiveCall`], so that its injection counts as active, until the
/// deed is done, its rule over, or the body at its end or dropped.
pub(crate) enum BodyDeed {
    /// As the rule says.
    Bytes(BytesDeed, ActiveCall),
    /// So many bytes pass, and are flushed; then the body fails.
    CutAfter(u64, BoxError, ActiveCall),
    /// The same, and the connection is reset with it.
    ResetAfter(u64, BoxError, Connection, ActiveCall),
    /// So many whole gRPC messages of this body pass; then it ends with these trailers. For those
    /// of the other side's body, see [`on_request`](super::on_request).
    StatusAfter {
        messages: AfterMessages,
        trailers: HeaderMap,
        active_call: ActiveCall,
    },
    /// An answer ends with these trailers when the request has had its number of messages.
    StatusWhen {
        signal: StatusSignal,
        trailers: HeaderMap,
        active_call: ActiveCall,
    },
    /// What gives that signal: made with it by [`on_request`](super::on_request), and put on the
    /// body of the request.
    CountMessages(RequestCounter, ActiveCall),
}

impl BodyDeed {
    pub(super) fn into_passage(self) -> (Box<dyn Passage>, ActiveCall) {
        match self {
            Self::Bytes(deed, active_call) => (passage(deed), active_call),
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
            Self::StatusWhen {
                signal,
                trailers,
                active_call,
            } => (Box::new(StatusWhen::new(signal, trailers)), active_call),
            Self::CountMessages(counter, active_call) => (Box::new(counter), active_call),
        }
    }
}

fn passage(deed: BytesDeed) -> Box<dyn Passage> {
    match deed {
        BytesDeed::Throttle(rate) => Box::new(Throttle::new(rate)),
        BytesDeed::TruncateAfter(bytes) => Box::new(AfterBytes::end(bytes)),
        BytesDeed::StallAfter(bytes, time) => Box::new(AfterBytes::stall(bytes, time)),
        BytesDeed::Corrupt(corruption) => Box::new(Corrupt(corruption)),
        BytesDeed::FirstByte(time) => Box::new(Delay::first(time)),
        BytesDeed::EachChunk(time) => Box::new(Delay::each(time)),
    }
}
