//! The timeout of a request, which the client measures from when it is called, and a caller from when the layer
//! is.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use reqwest::{Body, Request};
use tokio::time::{Sleep, sleep_until};

use crate::execute::deadline::{Deadline, DeadlinePassed};

/// Returns the deadline of a request that is made now, if it has a timeout of its own.
pub(super) fn deadline(request: &Request) -> Option<Deadline> {
    request.timeout().copied().map(Deadline::after)
}

/// Makes a body that fails once the deadline has passed, as the client's own does.
pub(super) fn bound_body(deadline: Deadline, body: Body) -> Body {
    let until = Box::pin(sleep_until(deadline.at()));
    Body::wrap(BoundBody { body, until })
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
