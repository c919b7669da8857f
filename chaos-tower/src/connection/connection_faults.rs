//! What a rule does to one connection: at its opening, and to its bytes in either direction.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use chaos_core::{Decision, Direction};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::{
    direction_faults::{ConnectionByteFaults, DirectionFaults, StreamEnd},
    handle::CommandReceiver,
    opening::open,
};

/// What a rule does to one connection.
///
/// Where it has to cut the connection, it leaves the command on the receiver and is pending: whoever polls
/// it looks there next.
pub(crate) struct ConnectionFaults {
    opening: Option<Pin<Box<dyn Future<Output = ConnectionByteFaults> + Send + Sync>>>,
    side: Direction,
    byte_faults: ConnectionByteFaults,
    held: ReadBuffer,
}

/// What was read and has not been handed out yet.
#[derive(Default)]
struct ReadBuffer {
    bytes: Vec<u8>,
    handed_out: usize,
    /// Whether it has waited as long as it has to.
    may_pass: bool,
}

impl ReadBuffer {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.handed_out..]
    }
}

impl ConnectionFaults {
    /// A connection that was accepted: this end writes the answers. It opens when what was decided
    /// has been carried out; until then nothing passes.
    pub(crate) fn accepted(decision: Decision, receiver: &CommandReceiver) -> Self {
        let opening = open(decision, receiver.handle());
        Self {
            opening: Some(Box::pin(opening)),
            side: Direction::Response,
            byte_faults: ConnectionByteFaults::default(),
            held: ReadBuffer::default(),
        }
    }

    /// A connection that was made: this end writes the requests.
    #[cfg(feature = "client")]
    pub(crate) fn connected(byte_faults: ConnectionByteFaults) -> Self {
        Self {
            opening: None,
            side: Direction::Request,
            byte_faults,
            held: ReadBuffer::default(),
        }
    }

    /// Whether nothing is left to do.
    pub(crate) fn is_over(&self) -> bool {
        self.opening.is_none() && self.byte_faults.are_idle() && self.held.rest().is_empty()
    }

    fn reading(&mut self) -> &mut DirectionFaults {
        self.byte_faults.of(match self.side {
            Direction::Request => Direction::Response,
            Direction::Response => Direction::Request,
        })
    }

    fn writing(&mut self) -> &mut DirectionFaults {
        self.byte_faults.of(self.side)
    }

    /// Waits until it may open. Either direction may be the one that sees it.
    fn poll_open(&mut self, receiver: &CommandReceiver, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(opening) = &mut self.opening {
            self.byte_faults = ready!(opening.as_mut().poll(cx));
            self.opening = None;
            // The other direction may wait in another task, whose waker the future has forgotten.
            receiver.wake();
            if receiver.is_cut() {
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
        receiver: &CommandReceiver,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_open(receiver, cx));
        if self.held.rest().is_empty() {
            let admitted = match ready!(self.reading().poll_admit(cx, buf.remaining())) {
                Ok(admitted) => admitted,
                Err(StreamEnd::Truncated) => return Poll::Ready(Ok(())),
                Err(StreamEnd::Cut(command)) => {
                    receiver.handle().send(command);
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
            let _ = self.reading().pass(length);
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
        self.held = ReadBuffer {
            bytes: std::mem::take(&mut self.held.bytes),
            ..ReadBuffer::default()
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
        receiver: &CommandReceiver,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(receiver, cx));
        let direction = self.writing();
        let admitted = match ready!(direction.poll_admit(cx, bytes.len())) {
            Ok(admitted) => admitted,
            Err(end) => {
                receiver.handle().send(end.for_written());
                return Poll::Pending;
            }
        };
        ready!(direction.poll_pass(cx, admitted));
        let bytes = &bytes[..admitted];
        let written = if direction.changes(admitted) {
            let mut changed = bytes.to_vec();
            direction.change(&mut changed);
            ready!(Pin::new(io).poll_write(cx, &changed))?
        } else {
            ready!(Pin::new(io).poll_write(cx, bytes))?
        };
        if let Some(end) = direction.pass(written) {
            // Now: the owner may have nothing more to write.
            receiver.handle().send(end.for_written());
        }
        Poll::Ready(Ok(written))
    }
}
