//! What a rule does to one connection: at its opening, and to its bytes in either direction.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use chaos_core::{Decision, Direction};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::{
    direction::{End, Lane, Lanes},
    handle::Line,
    opening::open,
};

/// What a rule does to one connection.
///
/// Where it has to cut the connection, it leaves the order on the line and is pending: whoever polls
/// it looks there next.
pub(crate) struct Faults {
    opening: Option<Pin<Box<dyn Future<Output = Lanes> + Send + Sync>>>,
    side: Direction,
    lanes: Lanes,
    held: Held,
}

/// What was read and has not been handed out yet.
#[derive(Default)]
struct Held {
    bytes: Vec<u8>,
    handed_out: usize,
    /// Whether it has waited as long as it has to.
    may_pass: bool,
}

impl Held {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.handed_out..]
    }
}

impl Faults {
    /// A connection that was accepted: this end writes the answers. It opens when what was decided
    /// has been carried out; until then nothing passes.
    pub(crate) fn accepted(decision: Decision, line: &Line) -> Self {
        let opening = open(decision, line.handle());
        Self {
            opening: Some(Box::pin(opening)),
            side: Direction::Response,
            lanes: Lanes::default(),
            held: Held::default(),
        }
    }

    /// A connection that was made: this end writes the requests.
    #[cfg(feature = "client")]
    pub(crate) fn connected(lanes: Lanes) -> Self {
        Self {
            opening: None,
            side: Direction::Request,
            lanes,
            held: Held::default(),
        }
    }

    /// Whether nothing is left to do.
    pub(crate) fn is_over(&self) -> bool {
        self.opening.is_none() && self.lanes.are_idle() && self.held.rest().is_empty()
    }

    fn reading(&mut self) -> &mut Lane {
        self.lanes.of(match self.side {
            Direction::Request => Direction::Response,
            Direction::Response => Direction::Request,
        })
    }

    fn writing(&mut self) -> &mut Lane {
        self.lanes.of(self.side)
    }

    /// Waits until it may open. Either direction may be the one that sees it.
    fn poll_open(&mut self, line: &Line, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(opening) = &mut self.opening {
            self.lanes = ready!(opening.as_mut().poll(cx));
            self.opening = None;
            // The other direction may wait in another task, whose waker the future has forgotten.
            line.wake();
            if line.is_cut() {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn poll_read(
        &mut self,
        io: &mut (impl AsyncRead + Unpin),
        line: &Line,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_open(line, cx));
        if self.held.rest().is_empty() {
            let admitted = match ready!(self.reading().poll_admit(cx, buf.remaining())) {
                Ok(admitted) => admitted,
                Err(End::Truncated) => return Poll::Ready(Ok(())),
                Err(End::Cut(order)) => {
                    line.handle().order(order);
                    return Poll::Pending;
                }
            };
            let read = ready!(self.poll_fill(io, cx, admitted))?;
            if read == 0 {
                return Poll::Ready(Ok(()));
            }
        }
        let length = self.held.rest().len();
        if !self.held.may_pass {
            ready!(self.reading().poll_pass(cx, length));
            self.held.may_pass = true;
            // It ends, if these were the last, when the owner comes for more.
            let _ = self.reading().passed(length);
        }
        let length = length.min(buf.remaining());
        buf.put_slice(&self.held.rest()[..length]);
        self.held.handed_out += length;
        Poll::Ready(Ok(()))
    }

    /// Reads the next chunk, and changes it.
    fn poll_fill(
        &mut self,
        io: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
        admitted: usize,
    ) -> Poll<io::Result<usize>> {
        self.held = Held {
            bytes: std::mem::take(&mut self.held.bytes),
            ..Held::default()
        };
        self.held.bytes.resize(admitted, 0);
        let mut into = ReadBuf::new(&mut self.held.bytes);
        let poll = Pin::new(io).poll_read(cx, &mut into);
        let read = into.filled().len();
        self.held.bytes.truncate(read);
        ready!(poll)?;
        let mut bytes = std::mem::take(&mut self.held.bytes);
        self.reading().change(&mut bytes);
        self.held.bytes = bytes;
        Poll::Ready(Ok(read))
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn poll_write(
        &mut self,
        io: &mut (impl AsyncWrite + Unpin),
        line: &Line,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(line, cx));
        let lane = self.writing();
        let admitted = match ready!(lane.poll_admit(cx, bytes.len())) {
            Ok(admitted) => admitted,
            Err(end) => {
                line.handle().order(end.of_what_is_written());
                return Poll::Pending;
            }
        };
        ready!(lane.poll_pass(cx, admitted));
        let bytes = &bytes[..admitted];
        let written = if lane.changes(admitted) {
            let mut changed = bytes.to_vec();
            lane.change(&mut changed);
            ready!(Pin::new(io).poll_write(cx, &changed))?
        } else {
            ready!(Pin::new(io).poll_write(cx, bytes))?
        };
        if let Some(end) = lane.passed(written) {
            // Now: the owner may have nothing more to write.
            line.handle().order(end.of_what_is_written());
        }
        Poll::Ready(Ok(written))
    }
}
