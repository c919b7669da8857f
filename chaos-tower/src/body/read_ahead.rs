//! `ReadAhead`: a request's body that is read while a fault holds it back, so that the server notices when the client disconnects.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{header::EXPECT, request::Parts};
use http_body::{Body, Frame, SizeHint};

use super::{filter::Polled, stage::poll_body};
use crate::{
    connection::{Connection, look::Look},
    error::BoxError,
};

/// How many bytes of each body may be kept, and how many of one. A client that goes is not noticed behind what it
/// has sent, so this is more than it could send without being read.
const OWN: u64 = 64 << 10;
const LARGEST: u64 = 1 << 20;

/// How many bytes of all bodies together may be kept, beyond what each has of its own.
const SHARED: u64 = 64 << 20;

/// How many of the shared bytes are kept now. It orders nothing: relaxed.
static LENT: AtomicU64 = AtomicU64::new(0);

/// What a frame costs besides its bytes: it may have a single one.
const FRAME: u64 = size_of::<Frame<Bytes>>() as u64;

/// A body, and the frames that were read of it ahead.
pub(crate) struct ReadAhead<B> {
    body: Pin<Box<B>>,
    frames: VecDeque<Frame<Bytes>>,
    bytes: u64,
    memory: Memory,
    is_over: bool,
    /// Whether the call is one of a client: then the body is the application's, and its error no sign that
    /// somebody has gone.
    is_client: bool,
    /// The error of the application's body, for whoever reads so far.
    error: Option<BoxError>,
    /// Whether the body may be read before somebody asks for it.
    may_read: bool,
    /// Where to look while the body is not read: its server does not read either, and notices nothing.
    look: Option<Look>,
}

impl<B> ReadAhead<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    /// Wraps the body of the request with this head. Boxed, because few requests have one.
    pub(crate) fn new(body: B, head: &Parts, is_client: bool) -> Box<Self> {
        Box::new(Self {
            body: Box::pin(body),
            frames: VecDeque::new(),
            bytes: 0,
            memory: Memory::default(),
            is_over: false,
            is_client,
            error: None,
            // A server that reads the body tells the client to send it.
            may_read: !head.headers.contains_key(EXPECT),
            look: Connection::to_look_at(head).map(Look::at),
        })
    }

    /// Reads the body ahead, and is ready when the client has gone before the end of it. To be polled while
    /// a fault waits.
    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<BoxError> {
        let had_nothing = !self.has_some();
        let mut is_heard = self.is_over || self.error.is_some();
        while !is_heard && self.may_read && self.memory.has_room() {
            match poll_body(self.body.as_mut(), cx) {
                Poll::Pending => is_heard = true,
                Poll::Ready(None) => (self.is_over, is_heard) = (true, true),
                Poll::Ready(Some(Ok(frame))) => {
                    self.bytes += length(&frame);
                    self.memory.keep(length(&frame) + FRAME);
                    self.frames.push_back(frame);
                }
                Poll::Ready(Some(Err(error))) if self.is_client => {
                    (self.error, is_heard) = (Some(error), true);
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(error),
            }
        }
        if had_nothing && self.has_some() {
            // Whoever reads the body has found it pending.
            cx.waker().wake_by_ref();
        }
        // A body that is pending says itself when its client goes. Behind a complete one the server reads no
        // further than the first byte of the next request.
        match &mut self.look {
            Some(look) if !is_heard || self.is_over => look.poll_gone(cx),
            _ => Poll::Pending,
        }
    }

    /// Whether the body has something for its reader now.
    fn has_some(&self) -> bool {
        self.is_over || self.error.is_some() || !self.frames.is_empty()
    }

    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Polled> {
        if let Some(frame) = self.frames.pop_front() {
            self.bytes -= length(&frame);
            self.memory.release(length(&frame) + FRAME);
            return Poll::Ready(Some(Ok(frame)));
        }
        if let Some(error) = self.error.take() {
            self.is_over = true;
            return Poll::Ready(Some(Err(error)));
        }
        if self.is_over {
            return Poll::Ready(None);
        }
        self.may_read = true;
        poll_body(self.body.as_mut(), cx)
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.frames.is_empty()
            && self.error.is_none()
            && (self.is_over || self.body.is_end_stream())
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

fn length(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, Bytes::len) as u64
}

/// The memory that one body takes.
#[derive(Default)]
struct Memory {
    kept: u64,
    /// How much of it counts as shared.
    lent: u64,
}

impl Memory {
    /// Whether another frame may be kept, however long it is.
    fn has_room(&self) -> bool {
        self.kept < OWN || self.kept < LARGEST && LENT.load(Relaxed) < SHARED
    }

    fn keep(&mut self, bytes: u64) {
        self.kept += bytes;
        self.account();
    }

    fn release(&mut self, bytes: u64) {
        self.kept -= bytes;
        self.account();
    }

    fn account(&mut self) {
        let lent = self.kept.saturating_sub(OWN);
        // Wrapping, as the two may be in any order: the sum of all is right.
        LENT.fetch_add(lent.wrapping_sub(self.lent), Relaxed);
        self.lent = lent;
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.kept = 0;
        self.account();
    }
}
