//! `ReadAhead`: a request's body that is read while its call hangs, so that the server notices when the client disconnects.

use std::{
    collections::VecDeque,
    future::{pending, poll_fn},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{filter::Polled, stage::poll_body};
use crate::error::BoxError;

/// How many bytes of a body are kept: enough for most requests, and bounded for all. With a longer body, a
/// disconnect over HTTP/1 is noticed only when the hang is over.
const LARGEST: u64 = 64 << 10;

/// A body, and the frames that were read of it ahead.
pub(crate) struct ReadAhead<B> {
    body: Pin<Box<B>>,
    frames: VecDeque<Frame<Bytes>>,
    bytes: u64,
    is_over: bool,
}

impl<B> ReadAhead<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    pub(crate) fn new(body: B) -> Self {
        Self {
            body: Box::pin(body),
            frames: VecDeque::new(),
            bytes: 0,
            is_over: false,
        }
    }

    /// Reads the body, and completes when the client has disconnected before the end of it.
    ///
    /// Cancel-safe: the frames that were read are kept.
    pub(crate) async fn disconnected(&mut self) {
        while !self.is_over && self.bytes < LARGEST {
            match poll_fn(|cx| poll_body(self.body.as_mut(), cx)).await {
                None => self.is_over = true,
                Some(Ok(frame)) => {
                    self.bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
                    self.frames.push_back(frame);
                }
                Some(Err(_)) => return,
            }
        }
        pending::<()>().await;
    }

    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Polled> {
        if let Some(frame) = self.frames.pop_front() {
            self.bytes -= frame.data_ref().map_or(0, Bytes::len) as u64;
            return Poll::Ready(Some(Ok(frame)));
        }
        if self.is_over {
            return Poll::Ready(None);
        }
        poll_body(self.body.as_mut(), cx)
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.frames.is_empty() && (self.is_over || self.body.is_end_stream())
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        let mut hint = match self.is_over {
            true => SizeHint::with_exact(0),
            false => self.body.size_hint(),
        };
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + self.bytes);
        }
        hint.set_lower(hint.lower() + self.bytes);
        hint
    }
}
