//! `Stage`: a body filter at work. It splits frames, and keeps the bytes that the filter holds back.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use chaos_core::decision::{ActiveCall, WatchedBody};
use http::{HeaderMap, HeaderName};
use http_body::{Body, Frame, SizeHint};

use super::{
    fault::BodyFault,
    filter::{BodyFilter, Next, Polled},
    read_ahead::ReadAhead,
};
use crate::{
    connection::{Connection, look::Look},
    error::BoxError,
};

/// The source of a stage's frames.
pub(super) enum Source<B> {
    Body(Pin<Box<B>>),
    /// Boxed, so that a body without faults does not become larger.
    Ahead(Box<ReadAhead<B>>),
    /// A body that the layer made. The bytes are never empty. Boxed, so that a body without faults does not become
    /// larger.
    Made(Option<Box<Bytes>>),
    Stage(Box<Stage<B>>),
    /// A body that guard rails measure.
    Watched(Box<Watched<B>>),
}

/// A source that guard rails measure.
pub(super) struct Watched<B> {
    source: Source<B>,
    body: WatchedBody,
    /// How many bytes are still to come, as far as that is known.
    left: Option<u64>,
}

/// A source, and the filter for its bytes.
pub(super) struct Stage<B> {
    /// `None` once the filter has ended the body.
    source: Option<Source<B>>,
    /// Bytes of the source that have not passed yet.
    rest: Bytes,
    /// `None` once the fault is done or its rule is over.
    filter: Option<(Box<dyn BodyFilter>, ActiveCall)>,
    /// The connection of the body of a response, whose server may not notice that the client has gone.
    look: Option<Look>,
}

impl<B> Source<B> {
    pub(super) fn body(inner: B) -> Self {
        Self::Body(Box::pin(inner))
    }

    /// Adds a fault to what this source returns.
    pub(super) fn behind(self, fault: BodyFault) -> Self {
        Self::Stage(Box::new(Stage {
            source: Some(self),
            rest: Bytes::new(),
            filter: Some(fault.into_filter()),
            look: None,
        }))
    }

    /// Measures this source for guard rails. `length` is the most bytes that it has, if that is known.
    pub(super) fn watched(self, body: WatchedBody, length: Option<u64>) -> Self {
        Self::Watched(Box::new(Watched {
            source: self,
            body: body.answered(),
            left: length,
        }))
    }

    /// Looks at a connection while the last fault that was added waits.
    pub(super) fn looking_at(mut self, connection: Option<Box<Connection>>) -> Self {
        if let Self::Stage(stage) = &mut self {
            stage.look = connection.map(Look::at);
        }
        self
    }
}

impl<B> Source<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Polled> {
        match self {
            Self::Body(body) => poll_body(body.as_mut(), cx),
            Self::Ahead(ahead) => ahead.poll_frame(cx),
            Self::Made(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(*bytes)))),
            Self::Stage(stage) => stage.poll_frame(cx),
            Self::Watched(watched) => watched.poll_frame(cx),
        }
    }

    /// Ready when the client has gone whose request or response this is. `is_held`: whether a fault further out
    /// may hold it back.
    pub(super) fn poll_gone(&mut self, is_held: bool, cx: &mut Context<'_>) -> Poll<BoxError> {
        match self {
            Self::Stage(stage) => stage.poll_gone(is_held, cx),
            Self::Ahead(ahead) if is_held => ahead.poll_gone(cx),
            Self::Watched(watched) => watched.source.poll_gone(is_held, cx),
            _ => Poll::Pending,
        }
    }

    /// Whether there is a fault that may hold the body back.
    fn may_hold(&self) -> bool {
        match self {
            Self::Stage(stage) => stage.may_hold(),
            Self::Watched(watched) => watched.source.may_hold(),
            Self::Body(_) | Self::Ahead(_) | Self::Made(_) => false,
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        match self {
            Self::Body(body) => body.is_end_stream(),
            Self::Ahead(ahead) => ahead.is_end_stream(),
            Self::Made(bytes) => bytes.is_none(),
            Self::Stage(stage) => stage.is_end_stream(),
            Self::Watched(watched) => watched.source.is_end_stream(),
        }
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Body(body) => body.size_hint(),
            Self::Ahead(ahead) => ahead.size_hint(),
            Self::Made(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len()) as u64)
            }
            Self::Stage(stage) => stage.size_hint(),
            Self::Watched(watched) => watched.source.size_hint(),
        }
    }
}

impl<B> Watched<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Polled> {
        let source = &mut self.source;
        let polled = ready!(self.body.poll(cx, |cx| source.poll_frame(cx)));
        if is_failure(&polled) {
            self.body.fail();
            return Poll::Ready(polled);
        }
        match polled
            .as_ref()
            .and_then(|frame| frame.as_ref().ok()?.data_ref())
        {
            Some(data) if !self.source.is_end_stream() => {
                self.left = (self.left).map(|left| left.saturating_sub(data.len() as u64));
                // A server needs no more, and may drop the body.
                if self.left == Some(0) {
                    self.body.all_passed();
                }
            }
            _ => self.body.end(),
        }
        Poll::Ready(polled)
    }
}

impl<B> Stage<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Polled> {
        let Some(source) = &mut self.source else {
            return Poll::Ready(None);
        };
        while let Some((filter, active_call)) = &mut self.filter {
            if active_call.is_over() {
                self.filter = None;
                break;
            }
            let at_end = self.rest.is_empty() && source.is_end_stream();
            let next = ready!(filter.poll_before(at_end, active_call, cx));
            // The rule may have ended during the wait.
            let next = if active_call.is_over() {
                Next::Remove
            } else {
                next
            };
            match next {
                Next::Continue => {}
                Next::Remove => {
                    self.filter = None;
                    break;
                }
                Next::End(last) => {
                    self.source = None;
                    return Poll::Ready(last);
                }
            }
            if self.rest.is_empty() {
                match into_data(ready!(source.poll_frame(cx))) {
                    Ok(bytes) => self.rest = bytes,
                    Err(last) => return Poll::Ready(filter.end(last)),
                }
            }
            let passing = ready!(filter.poll_pass(&mut self.rest, active_call, cx));
            if !active_call.is_over() {
                return data(self.rest.split_to(passing));
            }
        }
        if self.rest.is_empty() {
            return source.poll_frame(cx);
        }
        data(std::mem::take(&mut self.rest))
    }

    fn poll_gone(&mut self, is_held: bool, cx: &mut Context<'_>) -> Poll<BoxError> {
        let Some(source) = &mut self.source else {
            return Poll::Pending;
        };
        let is_held = is_held || self.filter.is_some();
        match &mut self.look {
            Some(look) if is_held || source.may_hold() => look.poll_gone(cx),
            _ => source.poll_gone(is_held, cx),
        }
    }

    fn may_hold(&self) -> bool {
        self.filter.is_some() || self.source.as_ref().is_some_and(Source::may_hold)
    }

    fn is_end_stream(&self) -> bool {
        let Some(source) = &self.source else {
            return true;
        };
        let outlasts_body = || {
            self.filter.as_ref().is_some_and(|(filter, active_call)| {
                filter.outlasts_body() && !active_call.is_over()
            })
        };
        self.rest.is_empty() && source.is_end_stream() && !outlasts_body()
    }

    fn size_hint(&self) -> SizeHint {
        let Some(source) = &self.source else {
            return SizeHint::with_exact(0);
        };
        let hint = source.size_hint();
        let held_back = self.rest.len() as u64;
        let mut whole = SizeHint::new();
        whole.set_lower(hint.lower().saturating_add(held_back));
        if let Some(upper) = hint.upper() {
            whole.set_upper(upper.saturating_add(held_back));
        }
        match &self.filter {
            Some((filter, _)) => filter.size_hint(whole),
            None => whole,
        }
    }
}

/// Polls the next frame, and skips empty ones: some HTTP/2 peers take a hundred of those for an attack.
pub(super) fn poll_body<B>(mut body: Pin<&mut B>, cx: &mut Context<'_>) -> Poll<Polled>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    loop {
        let polled = ready!(body.as_mut().poll_frame(cx));
        let is_empty = |frame: &Frame<Bytes>| frame.data_ref().is_some_and(Bytes::is_empty);
        if !matches!(&polled, Some(Ok(frame)) if is_empty(frame)) {
            return Poll::Ready(polled.map(|frame| frame.map_err(Into::into)));
        }
    }
}

/// Whether a body fails: with an error, or with a gRPC status in its trailers that is one.
fn is_failure(polled: &Polled) -> bool {
    match polled {
        Some(Ok(frame)) => frame.trailers_ref().is_some_and(is_grpc_failure),
        Some(Err(_)) => true,
        None => false,
    }
}

/// Whether headers or trailers have a gRPC status other than OK.
pub(crate) fn is_grpc_failure(headers: &HeaderMap) -> bool {
    static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
    headers.get(&GRPC_STATUS).is_some_and(|code| code != "0")
}

fn data(bytes: Bytes) -> Poll<Polled> {
    Poll::Ready(Some(Ok(Frame::data(bytes))))
}

fn into_data(polled: Polled) -> Result<Bytes, Polled> {
    match polled {
        Some(Ok(frame)) => frame.into_data().map_err(|frame| Some(Ok(frame))),
        other => Err(other),
    }
}
