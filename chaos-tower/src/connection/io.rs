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
use crate::connection::direction::Lanes;
use crate::connection::{
    faults::Faults,
    goaway::Farewell,
    handle::{ConnectionHandle, Line, Order, Way},
    socket::Socket,
};

/// A connection that its [`ConnectionHandle`] can cut, and whose bytes a rule can aim at.
///
/// It passes everything on as it is, vectored writes too, and costs a relaxed load and a branch a
/// poll. Once it is cut, every poll fails, so that its owner lets go of it whatever it was waiting
/// for.
pub struct FaultIo<T: Socket> {
    inner: T,
    line: Line,
    farewell: Farewell,
    /// Whether an order to cut has been carried out on the socket.
    is_cut: bool,
    /// What a rule does to it, if one does.
    faults: Option<Box<Faults>>,
}

impl<T: Socket> FaultIo<T> {
    /// Wraps a connection that no rule aims at.
    pub fn new(inner: T) -> Self {
        Self {
            inner,
            line: Line::new(),
            farewell: Farewell::NotYet,
            is_cut: false,
            faults: None,
        }
    }

    /// What cuts it.
    #[must_use]
    pub fn handle(&self) -> ConnectionHandle {
        self.line.handle()
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
        self.faults = Some(Box::new(Faults::accepted(decision, &self.line)));
        self
    }

    /// Does this to its bytes; this end writes the requests.
    #[cfg(feature = "client")]
    pub(crate) fn connected(mut self, lanes: Lanes) -> Self {
        self.faults = Some(Box::new(Faults::connected(lanes)));
        self
    }
}

/// What a rule does to it, as long as there is something to do.
#[inline]
fn live(faults: &mut Option<Box<Faults>>) -> Option<&mut Faults> {
    if faults.as_ref().is_some_and(|faults| faults.is_over()) {
        *faults = None;
    }
    faults.as_deref_mut()
}

impl<T: Socket + AsyncRead + Unpin> FaultIo<T> {
    /// Carries out an order to cut, the first time it is seen, and gives the error that everyone
    /// gets from now on.
    #[cold]
    fn cut(&mut self, order: Order, cx: &mut Context<'_>) -> io::Error {
        // The results do not matter: a socket that refuses is one that is gone.
        if order == Order::Reset {
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
        match self.line.order() {
            Order::Carry | Order::GoAway => Ok(()),
            order => Err(self.cut(order, cx)),
        }
    }

    /// What to return where there is nothing to do now: an order must wake whoever is told so.
    #[inline]
    fn pending<R>(&mut self, way: Way, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        match self.line.watch(way, cx) {
            Order::Carry | Order::GoAway => Poll::Pending,
            order => Poll::Ready(Err(self.cut(order, cx))),
        }
    }

    /// Takes a poll to where it ends: what is pending is watched.
    #[inline]
    fn settle<R>(
        &mut self,
        way: Way,
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
            Some(faults) => faults.poll_read(&mut this.inner, &this.line, cx, buf),
        };
        this.farewell.see_read(&buf.filled()[before..]);
        this.settle(Way::Read, cx, poll)
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
        let farewell = self.farewell.poll_finish(&mut self.inner, cx)?;
        let poll = match (farewell, live(&mut self.faults)) {
            (Poll::Pending, _) => Poll::Pending,
            (_, None) => write(Pin::new(&mut self.inner), cx),
            (_, Some(faults)) => faults.poll_write(&mut self.inner, &self.line, cx, first()),
        };
        if poll.is_ready() {
            self.farewell.see_written();
        }
        self.settle(Way::Write, cx, poll)
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

    /// Watches for an order too: hyper flushes when it has nothing else to do, and a connection that
    /// neither reads nor writes has nobody else to wake it.
    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        let this = &mut *self;
        match this.line.watch(Way::Write, cx) {
            Order::Carry => {}
            Order::GoAway => ready!(this.farewell.poll_say(&mut this.inner, cx))?,
            order => return Poll::Ready(Err(this.cut(order, cx))),
        }
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Once cut, there is nothing to shut; a FIN would hide the RST.
        if self.check(cx).is_err() {
            return Poll::Ready(Ok(()));
        }
        let poll = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.settle(Way::Write, cx, poll)
    }
}

impl<T: Socket> Drop for FaultIo<T> {
    /// An owner that lets go of it for reasons of its own, such as a body that failed, does not poll
    /// it again, and so has not seen the order.
    fn drop(&mut self) {
        match self.line.order() {
            Order::Carry | Order::GoAway => {}
            Order::Close => drop(self.inner.finish()),
            Order::Reset => drop(self.inner.reset_on_drop()),
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
            .field("order", &self.line.order())
            .finish_non_exhaustive()
    }
}
