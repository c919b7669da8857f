//! `FaultBody`: an unchanged body, one that the layer made, or one with faults.

pub(crate) mod any_body;

mod byte_filter;
mod fault;
mod filter;
mod grpc_messages;
mod grpc_signal;
mod read_ahead;
mod size;
mod stage;
#[cfg(test)]
mod testing;

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use chaos_core::decision::WatchedBody;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use self::stage::Source;
use crate::{connection::Connection, error::BoxError};

pub(crate) use self::{
    fault::{BodyCut, BodyFault, EarlyEnd},
    grpc_signal::{EndSignal, count_messages, end_signal},
    read_ahead::ReadAhead,
    size::most_bytes,
    stage::is_grpc_failure,
};

pin_project! {
    /// A body that a fault may change.
    ///
    /// A body that no rule hits is passed on as it is, without a box or an allocation: its frames, its end
    /// and its size are those of the inner body. A `FaultBody` is at most 24 bytes larger than the body
    /// inside.
    ///
    /// # What a fault keeps of the inner body
    ///
    /// - Trailers pass unchanged, except those of a body that is cut short, which has none.
    /// - A data frame may be split, and empty data frames are dropped.
    /// - `size_hint` stays correct, except for a body that is cut short or fails: it stays what it was, so
    ///   that the receiver can tell that bytes are missing.
    pub struct FaultBody<B> {
        #[pin]
        state: BodyState<B>,
    }
}

pin_project! {
    #[project = BodyStateProjection]
    enum BodyState<B> {
        Pass { #[pin] inner: B },
        // The bytes are never empty.
        Full { bytes: Option<Bytes> },
        Cut { error: Option<BoxError> },
        Active { source: Source<B> },
    }
}

impl<B> FaultBody<B> {
    /// Wraps a body that no fault changes.
    #[inline]
    pub(crate) fn pass(inner: B) -> Self {
        let state = BodyState::Pass { inner };
        Self { state }
    }

    /// Makes a body of these bytes, or an empty one.
    pub(crate) fn full(bytes: Option<Bytes>) -> Self {
        let bytes = bytes.filter(|bytes| !bytes.is_empty());
        let state = BodyState::Full { bytes };
        Self { state }
    }

    /// Makes a body that fails when it is first polled, which is before a server has sent anything. HTTP/1
    /// then closes the connection. HTTP/2 resets the stream, with the reason of the `h2::Error` among the
    /// error's sources, if there is one.
    pub(crate) fn cut(error: BoxError) -> Self {
        let state = BodyState::Cut { error: Some(error) };
        Self { state }
    }

    /// Wraps a body with faults. The first one changes the body itself, each other one what the faults
    /// before it let pass.
    #[cfg(test)]
    pub(crate) fn with(inner: B, faults: Vec<BodyFault>) -> Self {
        if faults.is_empty() {
            return Self::pass(inner);
        }
        Self::behind(Source::body(inner), faults)
    }

    /// Adds faults to the body of a response that has none yet, and looks at the connection while they wait. A
    /// body that fails at once stays as it is.
    pub(crate) fn faulty(
        self,
        faults: Vec<BodyFault>,
        connection: Option<Box<Connection>>,
    ) -> Self {
        let source = match self.state {
            state if faults.is_empty() => return Self { state },
            BodyState::Pass { inner } => Source::body(inner),
            BodyState::Full { bytes } => Source::Made(bytes),
            state @ (BodyState::Cut { .. } | BodyState::Active { .. }) => return Self { state },
        };
        let source = faults.into_iter().fold(source, Source::behind);
        let source = source.looking_at(connection);
        let state = BodyState::Active { source };
        Self { state }
    }

    /// Measures for guard rails whether the body fails, and when it ends. A body that the layer made, or that
    /// fails at once, is not measured: its head has said all. `length` is the most bytes that it has, if known.
    pub(crate) fn watched(self, watched: WatchedBody, length: Option<u64>) -> Self {
        let source = match self.state {
            BodyState::Pass { inner } => Source::body(inner),
            BodyState::Active { source } => source,
            state @ (BodyState::Full { .. } | BodyState::Cut { .. }) => return Self { state },
        };
        let source = source.watched(watched, length);
        let state = BodyState::Active { source };
        Self { state }
    }

    /// Wraps a body of which a part was read ahead, with faults.
    pub(crate) fn read_ahead(ahead: Box<ReadAhead<B>>, faults: Vec<BodyFault>) -> Self {
        Self::behind(Source::Ahead(ahead), faults)
    }

    fn behind(source: Source<B>, faults: Vec<BodyFault>) -> Self {
        let source = faults.into_iter().fold(source, Source::behind);
        let state = BodyState::Active { source };
        Self { state }
    }
}

impl<B> Body for FaultBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    #[inline]
    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = match self.as_mut().project().state.project() {
            BodyStateProjection::Pass { inner } => return inner.poll_frame(cx).map_err(Into::into),
            BodyStateProjection::Full { bytes } => {
                return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes))));
            }
            BodyStateProjection::Cut { error } => error.take().map(Err),
            BodyStateProjection::Active { source } => match source.poll_frame(cx) {
                Poll::Ready(polled) => polled,
                Poll::Pending => Some(Err(ready!(source.poll_gone(false, cx)))),
            },
        };
        if !matches!(polled, Some(Ok(_))) {
            // The inner body is dropped at its end, so that its injections are no longer active.
            self.project().state.set(BodyState::Full { bytes: None });
        }
        Poll::Ready(polled)
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        match &self.state {
            BodyState::Pass { inner } => inner.is_end_stream(),
            BodyState::Full { bytes } => bytes.is_none(),
            BodyState::Cut { .. } => false,
            BodyState::Active { source } => source.is_end_stream(),
        }
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        match &self.state {
            BodyState::Pass { inner } => inner.size_hint(),
            BodyState::Full { bytes } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64)
            }
            BodyState::Cut { .. } => SizeHint::default(),
            BodyState::Active { source } => source.size_hint(),
        }
    }
}

impl<B> Default for FaultBody<B> {
    /// Creates an empty body, as layers that answer in place of the service need: a timeout or CORS, for example.
    fn default() -> Self {
        Self::full(None)
    }
}

impl<B> fmt::Debug for FaultBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            BodyState::Pass { .. } => "pass",
            BodyState::Full { .. } => "full",
            BodyState::Cut { .. } => "cut",
            BodyState::Active { .. } => "active",
        };
        f.debug_tuple("FaultBody").field(&state).finish()
    }
}

#[cfg(test)]
mod tests;
