//! `FaultBody`: a body as it is, a made one, or one whose bytes are interfered with on their way.

pub(crate) mod any_body;

mod byte_filter;
mod fault;
mod filter;
mod grpc_messages;
mod grpc_signal;
mod read_ahead;
mod stage;
#[cfg(test)]
mod testing;

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use self::stage::Source;
use crate::error::BoxError;

pub(crate) use self::{
    fault::BodyFault,
    grpc_signal::{StatusSignal, count_messages},
    read_ahead::ReadAhead,
};

pin_project! {
    /// A body that a fault may damage on its way.
    ///
    /// One that no rule hits is the inner body: no box, no allocation, and its frames, its end and
    /// its size are passed on as they are. It takes at most 24 bytes more.
    ///
    /// # What it keeps of the inner body
    ///
    /// Trailers pass untouched, except that a body that is cut short has none. A data frame may come
    /// in parts, and an empty one does not come at all. `size_hint` stays right, except that of a body
    /// that is cut short or cut off, which stays what it was, so that the receiver can tell that
    /// something is missing.
    pub struct FaultBody<B> {
        #[pin]
        state: State<B>,
    }
}

pin_project! {
    #[project = Projected]
    enum State<B> {
        Pass { #[pin] inner: B },
        // Never empty bytes.
        Full { bytes: Option<Bytes> },
        Cut { error: Option<BoxError> },
        Active { source: Source<B> },
    }
}

impl<B> FaultBody<B> {
    /// The inner body as it is.
    #[inline]
    pub(crate) fn pass(inner: B) -> Self {
        let state = State::Pass { inner };
        Self { state }
    }

    /// These bytes, or an empty body.
    pub(crate) fn full(bytes: Option<Bytes>) -> Self {
        let bytes = bytes.filter(|bytes| !bytes.is_empty());
        let state = State::Full { bytes };
        Self { state }
    }

    /// Fails when it is first asked for a frame, which is before a server has sent anything: HTTP/1
    /// closes the connection. HTTP/2 resets the stream, for the reason of an `h2::Error` among the
    /// error's sources, if there is one.
    pub(crate) fn cut(error: BoxError) -> Self {
        let state = State::Cut { error: Some(error) };
        Self { state }
    }

    /// The inner body, and what is to be done to it: the first fault is next to it, and the others
    /// are done to what comes out of the ones before.
    pub(crate) fn with(inner: B, faults: Vec<BodyFault>) -> Self {
        if faults.is_empty() {
            return Self::pass(inner);
        }
        Self::behind(Source::body(inner), faults)
    }

    /// The same for a body of which some was read already.
    pub(crate) fn read_ahead(ahead: ReadAhead<B>, faults: Vec<BodyFault>) -> Self {
        Self::behind(Source::Ahead(Box::new(ahead)), faults)
    }

    fn behind(source: Source<B>, faults: Vec<BodyFault>) -> Self {
        let source = faults.into_iter().fold(source, Source::behind);
        let state = State::Active { source };
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
            Projected::Pass { inner } => return inner.poll_frame(cx).map_err(Into::into),
            Projected::Full { bytes } => {
                return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes))));
            }
            Projected::Cut { error } => error.take().map(Err),
            Projected::Active { source } => ready!(source.poll_frame(cx)),
        };
        if !matches!(polled, Some(Ok(_))) {
            // At its end, the inner body is dropped, and its injections are no longer active.
            self.project().state.set(State::Full { bytes: None });
        }
        Poll::Ready(polled)
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Pass { inner } => inner.is_end_stream(),
            State::Full { bytes } => bytes.is_none(),
            State::Cut { .. } => false,
            State::Active { source } => source.is_end_stream(),
        }
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Pass { inner } => inner.size_hint(),
            State::Full { bytes } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64)
            }
            State::Cut { .. } => SizeHint::default(),
            State::Active { source } => source.size_hint(),
        }
    }
}

impl<B> fmt::Debug for FaultBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Pass { .. } => "pass",
            State::Full { .. } => "full",
            State::Cut { .. } => "cut",
            State::Active { .. } => "active",
        };
        f.debug_tuple("FaultBody").field(&state).finish()
    }
}

#[cfg(test)]
mod tests;
