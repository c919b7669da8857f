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
    fmt, mem,
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
    /// inside, and 16 bytes larger than one of axum or tonic.
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
    // Two enums, because `Bytes` leaves room for one other variant and no more. With a tag beside the bytes, a
    // request would have more than 256 bytes, and moving it would cost twice as much.
    #[project = BodyStateProjection]
    enum BodyState<B> {
        // The bytes are never empty.
        Made { bytes: Bytes },
        Stream { #[pin] stream: Stream<B> },
    }
}

pin_project! {
    #[project = StreamProjection]
    enum Stream<B> {
        Pass { #[pin] inner: B },
        Rare { rare: Rare<B> },
    }
}

/// What few bodies are; `None` when the body is over.
///
/// It is dropped out of line, so that a body that passes is dropped by code as short as its own.
struct Rare<B>(Option<RareState<B>>);

enum RareState<B> {
    Cut(BoxError),
    Active(Source<B>),
}

impl<B> Drop for Rare<B> {
    #[inline(always)]
    fn drop(&mut self) {
        #[cold]
        #[inline(never)]
        fn drop<B>(state: &mut Option<RareState<B>>) {
            *state = None;
        }
        if self.0.is_some() {
            drop(&mut self.0);
        }
    }
}

impl<B> RareState<B> {
    /// Returns the error of a body that fails at once.
    fn into_error(self) -> Option<BoxError> {
        match self {
            Self::Cut(error) => Some(error),
            Self::Active(_) => None,
        }
    }
}

impl<B> FaultBody<B> {
    /// Wraps a body that no fault changes.
    #[inline]
    pub(crate) fn pass(inner: B) -> Self {
        let stream = Stream::Pass { inner };
        let state = BodyState::Stream { stream };
        Self { state }
    }

    /// Makes a body of these bytes, or an empty one.
    pub(crate) fn full(bytes: Option<Bytes>) -> Self {
        match bytes.filter(|bytes| !bytes.is_empty()) {
            Some(bytes) => Self {
                state: BodyState::Made { bytes },
            },
            None => Self::rare(None),
        }
    }

    /// Makes a body that fails when it is first polled, which is before a server has sent anything. HTTP/1
    /// then closes the connection. HTTP/2 resets the stream, with the reason of the `h2::Error` among the
    /// error's sources, if there is one.
    pub(crate) fn cut(error: BoxError) -> Self {
        Self::rare(Some(RareState::Cut(error)))
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
            BodyState::Made { bytes } => Source::Made(Some(Box::new(bytes))),
            BodyState::Stream { stream } => match stream {
                Stream::Pass { inner } => Source::body(inner),
                Stream::Rare { mut rare } => match rare.0.take() {
                    None => Source::Made(None),
                    state => return Self::rare(state),
                },
            },
        };
        let source = faults.into_iter().fold(source, Source::behind);
        let source = source.looking_at(connection);
        Self::rare(Some(RareState::Active(source)))
    }

    /// Measures for guard rails whether the body fails, and when it ends. A body that the layer made, or that
    /// fails at once, is not measured: its head has said all. `length` is the most bytes that it has, if known.
    pub(crate) fn watched(self, watched: WatchedBody, length: Option<u64>) -> Self {
        let source = match self.state {
            state @ BodyState::Made { .. } => return Self { state },
            BodyState::Stream { stream } => match stream {
                Stream::Pass { inner } => Source::body(inner),
                Stream::Rare { mut rare } => match rare.0.take() {
                    Some(RareState::Active(source)) => source,
                    state => return Self::rare(state),
                },
            },
        };
        let source = source.watched(watched, length);
        Self::rare(Some(RareState::Active(source)))
    }

    /// Wraps a body of which a part was read ahead, with faults.
    pub(crate) fn read_ahead(ahead: Box<ReadAhead<B>>, faults: Vec<BodyFault>) -> Self {
        Self::behind(Source::Ahead(ahead), faults)
    }

    /// Drops what is inside: the body is over.
    fn end(mut self: Pin<&mut Self>) {
        self.set(Self::rare(None));
    }

    fn rare(state: Option<RareState<B>>) -> Self {
        let rare = Rare(state);
        let stream = Stream::Rare { rare };
        let state = BodyState::Stream { stream };
        Self { state }
    }

    fn behind(source: Source<B>, faults: Vec<BodyFault>) -> Self {
        let source = faults.into_iter().fold(source, Source::behind);
        Self::rare(Some(RareState::Active(source)))
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
        let stream = match self.as_mut().project().state.project() {
            BodyStateProjection::Stream { stream } => stream.project(),
            BodyStateProjection::Made { bytes } => {
                let frame = Frame::data(mem::take(bytes));
                self.end();
                return Poll::Ready(Some(Ok(frame)));
            }
        };
        let polled = match stream {
            StreamProjection::Pass { inner } => return inner.poll_frame(cx).map_err(Into::into),
            StreamProjection::Rare { rare } => match &mut rare.0 {
                Some(RareState::Active(source)) => match source.poll_frame(cx) {
                    Poll::Ready(polled) => polled,
                    Poll::Pending => Some(Err(ready!(source.poll_gone(false, cx)))),
                },
                other => return Poll::Ready(other.take().and_then(RareState::into_error).map(Err)),
            },
        };
        if !matches!(polled, Some(Ok(_))) {
            // The inner body is dropped at its end, so that its injections are no longer active.
            self.end();
        }
        Poll::Ready(polled)
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        match &self.state {
            BodyState::Made { .. } => false,
            BodyState::Stream { stream } => match stream {
                Stream::Pass { inner } => inner.is_end_stream(),
                Stream::Rare { rare } => match &rare.0 {
                    None => true,
                    Some(RareState::Cut(_)) => false,
                    Some(RareState::Active(source)) => source.is_end_stream(),
                },
            },
        }
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        match &self.state {
            BodyState::Made { bytes } => SizeHint::with_exact(bytes.len() as u64),
            BodyState::Stream { stream } => match stream {
                Stream::Pass { inner } => inner.size_hint(),
                Stream::Rare { rare } => match &rare.0 {
                    None => SizeHint::with_exact(0),
                    Some(RareState::Cut(_)) => SizeHint::default(),
                    Some(RareState::Active(source)) => source.size_hint(),
                },
            },
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
            BodyState::Made { .. } => "made",
            BodyState::Stream { stream } => match stream {
                Stream::Pass { .. } => "pass",
                Stream::Rare { rare } => match &rare.0 {
                    None => "over",
                    Some(RareState::Cut(_)) => "cut",
                    Some(RareState::Active(_)) => "active",
                },
            },
        };
        f.debug_tuple("FaultBody").field(&state).finish()
    }
}

#[cfg(test)]
mod tests;
