//! `BodyFilter`: the one interface of all body faults, which does not depend on how bytes are framed.

use std::task::{Context, Poll};

use bytes::Bytes;
use chaos_core::decision::ActiveCall;
use http_body::{Frame, SizeHint};

use crate::error::BoxError;

/// What a body returns when it is polled for a frame.
pub(super) type Polled = Option<Result<Frame<Bytes>, BoxError>>;

/// A fault on a body.
///
/// The [`Stage`](super::stage::Stage) around it handles frames, trailers and sizes, and removes the filter
/// when its rule is over.
pub(super) trait BodyFilter: Send + Sync {
    /// Called before the inner body is polled for its next bytes. `at_end`: it has none, and no trailers.
    ///
    /// While the filter is pending, the inner body is not polled.
    fn poll_before(
        &mut self,
        at_end: bool,
        active_call: &ActiveCall,
        cx: &mut Context<'_>,
    ) -> Poll<Next> {
        let _ = (at_end, active_call, cx);
        Poll::Ready(Next::Continue)
    }

    /// Returns how many of the `bytes` pass now, at least one of one or more. May change those.
    fn poll_pass(
        &mut self,
        bytes: &mut Bytes,
        active_call: &ActiveCall,
        cx: &mut Context<'_>,
    ) -> Poll<usize> {
        let _ = (active_call, cx);
        Poll::Ready(bytes.len())
    }

    /// Returns what the body ends with in place of `last`: trailers, an error or nothing.
    fn end(&mut self, last: Polled) -> Polled {
        last
    }

    /// Whether the body is not over when the inner body is, because the filter still has to end it.
    fn outlasts_body(&self) -> bool {
        false
    }

    /// Converts the size of the inner body into that of what passes.
    fn size_hint(&self, hint: SizeHint) -> SizeHint {
        hint
    }
}

/// How a body continues.
pub(super) enum Next {
    /// With the next frame of the inner body.
    Continue,
    /// Without the filter.
    Remove,
    /// The body ends with this.
    End(Polled),
}
