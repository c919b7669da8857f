//! The narrow waist of the body faults: how a fault lets bytes pass, whatever frames they come in.

use std::task::{Context, Poll};

use bytes::Bytes;
use chaos_core::ActiveCall;
use http_body::{Frame, SizeHint};

use crate::error::BoxError;

/// What a body says when it is asked for a frame.
pub(super) type Polled = Option<Result<Frame<Bytes>, BoxError>>;

/// A fault at work on a body.
///
/// The [`Stage`](super::stage::Stage) that it is at work in takes care of the rest: of frames,
/// trailers and sizes, and of rules that are over, for which it asks no fault any more.
pub(super) trait BodyFilter: Send + Sync {
    /// Asked before the next bytes are. `at_end`: there are none, and no trailers either.
    ///
    /// If it is pending, the body waits for it and not for the bytes.
    fn poll_before(
        &mut self,
        at_end: bool,
        active_call: &ActiveCall,
        cx: &mut Context<'_>,
    ) -> Poll<Next> {
        let _ = (at_end, active_call, cx);
        Poll::Ready(Next::Continue)
    }

    /// Asked when there are bytes, at least one: how many of them pass now, at least one. It may
    /// change those.
    fn poll_pass(
        &mut self,
        bytes: &mut Bytes,
        active_call: &ActiveCall,
        cx: &mut Context<'_>,
    ) -> Poll<usize> {
        let _ = (active_call, cx);
        Poll::Ready(bytes.len())
    }

    /// Whether a body that seems to be at its end is not, because this fault has yet to do something.
    fn outlasts_body(&self) -> bool {
        false
    }

    /// How much will pass, if without it it were so much.
    fn size_hint(&self, hint: SizeHint) -> SizeHint {
        hint
    }
}

/// How a body goes on.
pub(super) enum Next {
    /// With its next frame.
    Continue,
    /// As if there were no fault.
    Remove,
    /// It does not: this is the last that comes of it.
    End(Polled),
}
