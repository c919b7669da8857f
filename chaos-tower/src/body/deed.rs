//! What can be done to a body, and who does it.

use chaos_core::{AfterMessages, BytesDeed, Hold};
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

/// One deed on a body. Each keeps its [`Hold`], so that its injection counts as active, until the
/// deed is done, its rule over, or the body at its end or dropped.
pub(crate) enum BodyDeed {
    /// As the rule says.
    Bytes(BytesDeed, Hold),
    /// So many bytes pass, and are flushed; then the body fails.
    CutAfter(u64, BoxError, Hold),
    /// The same, and the connection is reset with it.
    ResetAfter(u64, BoxError, Connection, Hold),
    /// So many whole gRPC messages of this body pass; then it ends with these trailers. For those
    /// of the other side's body, see [`on_request`](super::on_request).
    StatusAfter {
        messages: AfterMessages,
        trailers: HeaderMap,
        hold: Hold,
    },
    /// An answer ends with these trailers when the request has had its number of messages.
    StatusWhen {
        signal: StatusSignal,
        trailers: HeaderMap,
        hold: Hold,
    },
    /// What gives that signal: made with it by [`on_request`](super::on_request), and put on the
    /// body of the request.
    CountMessages(RequestCounter, Hold),
}

impl BodyDeed {
    pub(super) fn into_passage(self) -> (Box<dyn Passage>, Hold) {
        match self {
            Self::Bytes(deed, hold) => (passage(deed), hold),
            Self::CutAfter(bytes, error, hold) => (Box::new(AfterBytes::fail(bytes, error)), hold),
            Self::ResetAfter(bytes, error, connection, hold) => {
                (Box::new(AfterBytes::reset(bytes, error, connection)), hold)
            }
            Self::StatusAfter {
                messages,
                trailers,
                hold,
            } => (Box::new(StatusAfter::new(messages.count, trailers)), hold),
            Self::StatusWhen {
                signal,
                trailers,
                hold,
            } => (Box::new(StatusWhen::new(signal, trailers)), hold),
            Self::CountMessages(counter, hold) => (Box::new(counter), hold),
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
