//! The timeout of a request, which the client measures from when it is called, and a caller from when the layer
//! is.

use std::{
    error::Error,
    fmt, io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use reqwest::{Body, Request};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// When the timeout of a request ends.
#[derive(Clone, Copy)]
pub(super) struct Deadline(Instant);

impl Deadline {
    /// Returns the deadline of a request that is made now, if it has a timeout of its own.
    pub(super) fn of(request: &Request) -> Option<Self> {
        request.timeout().map(|time| Self(sleep(*time).deadline()))
    }

    /// Returns what is left of the timeout.
    #[expect(
        clippy::disallowed_methods,
        reason = "the client measures its timeout by the clock of tokio"
    )]
    pub(super) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Returns the result of a call, unless the deadline passes first.
    pub(super) async fn bound<T, E: From<DeadlinePassed>>(
        deadline: Option<Self>,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        match deadline {
            None => call.await,
            Some(Self(at)) => match tokio::time::timeout_at(at, call).await {
                Ok(result) => result,
                Err(_) => Err(DeadlinePassed.into()),
            },
        }
    }

    /// Makes a body that fails once the deadline has passed, as the client's own does.
    pub(super) fn bound_body(self, body: Body) -> Body {
        let until = Box::pin(sleep_until(self.0));
        Body::wrap(BoundBody { body, until })
    }
}

/// That the deadline has passed. It does not leave this module.
#[derive(Debug)]
pub(super) struct DeadlinePassed;

impl Error for DeadlinePassed {}

impl fmt::Display for DeadlinePassed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the timeout of the request has passed")
    }
}

/// A body with the deadline of its request. The client bounds the body that it receives, and not one that a fault
/// has put around it.
struct BoundBody {
    body: Body,
    until: Pin<Box<Sleep>>,
}

impl http_body::Body for BoundBody {
    type Data = Bytes;
    type Error = crate::error::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.until.as_mut().poll(cx).is_ready() {
            let error = io::Error::new(io::ErrorKind::TimedOut, DeadlinePassed);
            return Poll::Ready(Some(Err(error.into())));
        }
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        frame.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
