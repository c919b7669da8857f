//! `FaultIo`: a connection that can be cut from elsewhere, and whose bytes can be delayed, limited
//! and changed.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use chaos_core::Decision;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[cfg(feature = "client")]
use crate::connection::direction_faults::ConnectionByteFaults;
use crate::connection::{
    connection_faults::ConnectionFaults,
    goaway::GoAwayWriter,
    handle::{Command, CommandReceiver, ConnectionHandle, IoDirection},
    socket::Socket,
};

/// A connection that its [`ConnectionHandle`] can cut, and whose bytes a rule can aim at.
///
/// It passes everything on as it is, vectored writes too, and costs a relaxed load and a branch a
/// poll. Once it is cut, every poll fails, so that its owner lets go of it whatever it was waiting
/// for.
pub struct FaultIo<T: Socket> {
    inner: T,
    receiver: CommandReceiver,
    goaway: GoAwayWriter,
    /// Whether an command to cut has been carried out on the socket.
    is_cut: bool,
    /// What a rule does to it, if one does.
    faults: Option<Box<ConnectionFaults>>,
}

impl<T: Socket> FaultIo<T> {
    /// Wraps a connection that no rule aims at.
    pub fn new(inner: T) -> Self {
        Self {
            inner,
            receiver: CommandReceiver::new(),
            goaway: GoAwayWriter::NotYet,
            is_cut: false,
            faults: None,
        }
    }

    /// What cuts it.
    #[must_use]
    pub fn handle(&self) -> ConnectionHandle {
        self.receiver.handle()
    }

    /// The connection inside.
    #[must_use]
    pub fn get_ref(&self) -> &T {
        &self.inner
    }

    /// The connection inside, to change. Reading and writing behind its back is a bad idea.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.inner
    }

    /// Carries out on it what was decided; this end writes the answers.
    pub(crate) fn accepted(mut self, decision: Decision) -> Self {
        self.faults = Some(Box::new(ConnectionFaults::accepted(
            decision,
            &self.receiver,
        )));
        self
    }

    /// Does this to its bytes; this end writes the requests.
    #[cfg(feature = "client")]
    pub(crate) fn connected(mut self, byte_faults: ConnectionByteFaults) -> Self {
        self.faults = Some(Box::new(ConnectionFaults::connected(byte_faults)));
        self
    }
}

/// What a rule does to it, as long as there is something to do.
#[inline]
fn live(faults: &mut Option<Box<ConnectionFaults>>) -> Option<&mut ConnectionFaults> {
    if faults.as_ref().is_some_and(|faults| faults.is_over()) {
        *faults = None;
    }
    faults.as_deref_mut()
}

impl<T: Socket + AsyncRead + Unpin> FaultIo<T> {
    /// Carries out an command to cut, the first time it is seen, and gives the error that everyone
    /// gets from now on.
    #[cold]
    fn cut(&mut self, command: Command, cx: &mut Context<'_>) -> io::Error {
        // The results do not matter: a socket that refuses is one that is gone.
        if command == Command::Reset {
            let _ = self.inner.reset_on_drop();
            return io::ErrorKind::ConnectionReset.into();
        }
        if !std::mem::replace(&mut self.is_cut, true) {
            let _ = self.inner.finish();
            self.drain(cx);
        }
        io::ErrorKind::ConnectionAborted.into()
    }

    /// Reads what the peer has sent: Linux resets a connection that is closed with unread bytes, and
    /// this one is to end with FIN.
    fn drain(&mut self, cx: &mut Context<'_>) {
        let mut sink = [0; 4096];
        // Not for ever, if the peer is faster.
        for _ in 0..1024 {
            let mut sink = ReadBuf::new(&mut sink);
            match Pin::new(&mut self.inner).poll_read(cx, &mut sink) {
                Poll::Ready(Ok(())) if !sink.filled().is_empty() => {}
                _ => return,
            }
        }
    }

    /// Fails if it has been cut.
    #[inline]
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.receiver.command() {
            Command::None | Command::GoAway => Ok(()),
            command => Err(self.cut(command, cx)),
        }
    }

    /// What to return where there is nothing to do now: an command must wake whoever is told so.
    #[inline]
    fn pending<R>(&mut self, way: IoDirection, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        match self.receiver.watch(way, cx) {
            Command::None | Command::GoAway => Poll::Pending,
            command => Poll::Ready(Err(self.cut(command, cx))),
        }
    }

    /// Takes a poll to where it ends: what is pending is watched.
    #[inline]
    fn settle<R>(
        &mut self,
        way: IoDirection,
        cx: &mut Context<'_>,
        poll: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        match poll {
            Poll::Pending => self.pending(way, cx),
            ready => ready,
        }
    }
}

impl<T: Socket + AsyncRead + Unpin> AsyncRead for FaultIo<T> {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        let this = &mut *self;
        let before = buf.filled().len();
        let poll = match live(&mut this.faults) {
            None => Pin::new(&mut this.inner).poll_read(cx, buf),
            Some(faults) => faults.poll_read(&mut this.inner, &this.receiver, cx, buf),
        };
        this.goaway.see_read(&buf.filled()[before..]);
        this.settle(IoDirection::Read, cx, poll)
    }
}

impl<T: Socket + AsyncRead + AsyncWrite + Unpin> FaultIo<T> {
    /// Writes what is written on behalf of the owner.
    #[inline]
    fn write<'a>(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut T>, &mut Context<'_>) -> Poll<io::Result<usize>>,
        first: impl FnOnce() -> &'a [u8],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        let goaway = self.goaway.poll_finish(&mut self.inner, cx)?;
        let poll = match (goaway, live(&mut self.faults)) {
            (Poll::Pending, _) => Poll::Pending,
            (_, None) => write(Pin::new(&mut self.inner), cx),
            (_, Some(faults)) => faults.poll_write(&mut self.inner, &self.receiver, cx, first()),
        };
        if poll.is_ready() {
            self.goaway.see_written();
        }
        self.settle(IoDirection::Write, cx, poll)
    }
}

impl<T: Socket + AsyncRead + AsyncWrite + Unpin> AsyncWrite for FaultIo<T> {
    #[inline]
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, |inner, cx| inner.poll_write(cx, buf), || buf)
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = || {
            bufs.iter()
                .find(|buf| !buf.is_empty())
                .map_or(&[][..], |buf| buf)
        };
        self.write(cx, |inner, cx| inner.poll_write_vectored(cx, bufs), first)
    }

    #[inline]
    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    /// Watches for an command too: hyper flushes when it has nothing else to do, and a connection that
    /// neither reads nor writes has nobody else to wake it.
    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        let this = &mut *self;
        match this.receiver.watch(IoDirection::Write, cx) {
            Command::None => {}
            Command::GoAway => ready!(this.goaway.poll_send(&mut this.inner, cx))?,
            command => return Poll::Ready(Err(this.cut(command, cx))),
        }
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Once cut, there is nothing to shut; a FIN would hide the RST.
        if self.check(cx).is_err() {
            return Poll::Ready(Ok(()));
        }
        let poll = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.settle(IoDirection::Write, cx, poll)
    }
}

impl<T: Socket> Drop for FaultIo<T> {
    /// An owner that lets go of it for reasons of its own, such as a body that failed, does not poll
    /// it again, and so has not seen the command.
    fn drop(&mut self) {
        match self.receiver.command() {
            Command::None | Command::GoAway => {}
            Command::Close => drop(self.inner.finish()),
            Command::Reset => drop(self.inner.reset_on_drop()),
        }
    }
}

#[cfg(feature = "tonic")]
impl<T: Socket + tonic::transport::server::Connected> tonic::transport::server::Connected
    for FaultIo<T>
{
    /// The handle, which keeps what the connection inside says of itself; see
    /// [`ConnectionHandle::connect_info`].
    type ConnectInfo = ConnectionHandle;

    fn connect_info(&self) -> ConnectionHandle {
        self.handle().with_connect_info(self.inner.connect_info())
    }
}

#[cfg(feature = "client")]
impl<T: Socket + hyper_util::client::legacy::connect::Connection>
    hyper_util::client::legacy::connect::Connection for FaultIo<T>
{
    fn connected(&self) -> hyper_util::client::legacy::connect::Connected {
        self.inner.connected()
    }
}

impl<T: Socket + fmt::Debug> fmt::Debug for FaultIo<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultIo")
            .field("inner", &self.inner)
            .field("command", &self.receiver.command())
            .finish_non_exhaustive()
    }
}
