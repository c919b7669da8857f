//! `ConnectionFaults`: the faults of one connection, when it opens and on its bytes in both directions.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use chaos_core::{Decision, Direction};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::{
    direction_faults::{ConnectionByteFaults, DirectionFaults, PeerWatch, StreamEnd},
    handle::CommandReceiver,
    opening::open,
    socket::PeerClose,
};

/// The faults of one connection.
///
/// To cut the connection, a poll sends the command to the receiver and returns `Pending`; the `FaultIo` that
/// polls it looks there next.
pub(crate) struct ConnectionFaults {
    /// What comes before the next byte, in either direction.
    opening: Option<Pin<Box<dyn Future<Output = ConnectionByteFaults> + Send + Sync>>>,
    /// The direction that this end writes.
    written: Direction,
    byte_faults: ConnectionByteFaults,
    read: ReadBuffer,
}

/// Bytes that were read, and not all of which the owner has got yet.
#[derive(Default)]
struct ReadBuffer {
    bytes: Vec<u8>,
    returned: usize,
    /// Whether the bytes have waited as long as they have to.
    may_pass: bool,
}

impl ReadBuffer {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.returned..]
    }
}

impl ConnectionFaults {
    /// Makes the faults of a connection, those on its bytes so far. `written` is the direction that this end
    /// writes.
    pub(crate) fn new(written: Direction, byte_faults: ConnectionByteFaults) -> Self {
        Self {
            opening: None,
            written,
            byte_faults,
            read: ReadBuffer::default(),
        }
    }

    /// Adds the faults of a decision. No bytes pass until its plans have been executed.
    pub(crate) fn hit(&mut self, decision: Decision, receiver: &CommandReceiver) {
        let opening = open(decision, receiver.handle());
        self.opening = Some(match self.opening.take() {
            None => Box::pin(opening),
            Some(before) => Box::pin(async {
                let mut byte_faults = before.await;
                byte_faults.append(opening.await);
                byte_faults
            }),
        });
    }

    /// Drops the faults whose rules are over, so that they are active no more when others are asked for.
    pub(crate) fn drop_over(&mut self, receiver: &CommandReceiver, cx: &mut Context<'_>) {
        // What waits for a rule that is over is ready.
        let _ = self.poll_open(receiver, cx);
        self.byte_faults.drop_over();
        // The other direction may have waited for one of them.
        receiver.wake();
    }

    /// Whether no fault is left, and no bytes are held back.
    pub(crate) fn is_over(&self) -> bool {
        self.opening.is_none() && self.byte_faults.are_idle() && self.read.rest().is_empty()
    }

    /// Returns the peer for whose bytes a read waits. One that was accepted has gone when it sends no more,
    /// as servers of HTTP take it; one that was asked may well have sent all of its answer.
    fn read_from<'a>(&self, receiver: &'a CommandReceiver) -> PeerWatch<'a> {
        let gone = match self.written {
            Direction::Response => PeerClose::Finished,
            Direction::Request => PeerClose::Reset,
        };
        PeerWatch { receiver, gone }
    }

    fn reading(&mut self) -> &mut DirectionFaults {
        self.byte_faults.of(match self.written {
            Direction::Request => Direction::Response,
            Direction::Response => Direction::Request,
        })
    }

    fn writing(&mut self) -> &mut DirectionFaults {
        self.byte_faults.of(self.written)
    }

    /// Waits until bytes may pass. Both directions poll it.
    fn poll_open(&mut self, receiver: &CommandReceiver, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(opening) = &mut self.opening {
            let byte_faults = ready!(opening.as_mut().poll(cx));
            self.byte_faults.append(byte_faults);
            self.opening = None;
            // The other direction may wait in another task; the future holds the waker of this one alone.
            receiver.wake();
        }
        match receiver.is_cut() {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
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
        let peer = self.read_from(receiver);
        if self.read.rest().is_empty() {
            let admitted = match ready!(self.reading().poll_admit(peer, cx, buf.remaining())) {
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
        let length = self.read.rest().len();
        if !self.read.may_pass {
            ready!(self.reading().poll_pass(peer, cx, length));
            self.read.may_pass = true;
            // If these bytes were the last, the direction ends at the next poll.
            let _ = self.reading().pass(length);
        }
        let length = length.min(buf.remaining());
        buf.put_slice(&self.read.rest()[..length]);
        self.read.returned += length;
        Poll::Ready(Ok(()))
    }

    /// Reads the next chunk into the buffer, and changes it.
    fn poll_fill(
        &mut self,
        io: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
        admitted: usize,
    ) -> Poll<io::Result<usize>> {
        self.read = ReadBuffer {
            bytes: std::mem::take(&mut self.read.bytes),
            ..ReadBuffer::default()
        };
        self.read.bytes.resize(admitted, 0);
        let mut into = ReadBuf::new(&mut self.read.bytes);
        let poll = Pin::new(io).poll_read(cx, &mut into);
        let read = into.filled().len();
        self.read.bytes.truncate(read);
        ready!(poll)?;
        let mut bytes = std::mem::take(&mut self.read.bytes);
        self.reading().change(&mut bytes);
        self.read.bytes = bytes;
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
        if bytes.is_empty() {
            // Nothing passes, so nothing waits for it.
            return Pin::new(io).poll_write(cx, bytes);
        }
        // A peer that sends no more may still receive.
        let gone = PeerClose::Reset;
        let peer = PeerWatch { receiver, gone };
        let direction = self.writing();
        let admitted = match ready!(direction.poll_admit(peer, cx, bytes.len())) {
            Ok(admitted) => admitted,
            Err(end) => {
                receiver.handle().send(end.for_written());
                return Poll::Pending;
            }
        };
        ready!(direction.poll_pass(peer, cx, admitted));
        let bytes = &bytes[..admitted];
        let written = if direction.changes(admitted) {
            let mut changed = bytes.to_vec();
            direction.change(&mut changed);
            ready!(Pin::new(io).poll_write(cx, &changed))?
        } else {
            ready!(Pin::new(io).poll_write(cx, bytes))?
        };
        if let Some(end) = direction.pass(written) {
            // Cuts now, because the owner may have nothing more to write.
            receiver.handle().send(end.for_written());
        }
        Poll::Ready(Ok(written))
    }
}
