//! `FaultIo`: a connection that a handle can cut, and whose bytes rules delay, throttle and change.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use chaos_core::{Decision, Direction};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[cfg(feature = "client")]
use crate::connection::direction_faults::ConnectionByteFaults;
use crate::connection::{
    connection_faults::ConnectionFaults,
    goaway::GoAwayWriter,
    handle::{Command, CommandReceiver, ConnectionHandle, ConnectionState, IoDirection},
    site_watch::SiteWatch,
    socket::Socket,
};
use crate::site_ref::SiteRef;

/// A connection that its [`ConnectionHandle`] can cut, and on whose bytes rules can have faults.
///
/// Without faults, it passes all reads and writes on, vectored writes too, at the cost of two relaxed loads and
/// branches per poll. Once the connection is cut, every poll fails, so that its owner drops it.
pub struct FaultIo<T: Socket> {
    inner: T,
    receiver: CommandReceiver,
    goaway: GoAwayWriter,
    /// Whether the socket has been closed by a command.
    is_cut: bool,
    /// The direction that this end writes.
    written: Direction,
    /// The faults of the connection, if it has any.
    faults: Option<Box<ConnectionFaults>>,
    /// Whose rules are asked about the connection, if it passes a site.
    site_watch: Option<SiteWatch>,
}

impl<T: Socket> FaultIo<T> {
    /// Wraps a connection without faults, which its [`handle`](Self::handle) can cut.
    pub fn new(inner: T) -> Self {
        Self {
            inner,
            receiver: CommandReceiver::new(),
            goaway: GoAwayWriter::Unread,
            is_cut: false,
            written: Direction::Response,
            faults: None,
            site_watch: None,
        }
    }

    /// Returns the handle that cuts the connection.
    #[must_use]
    pub fn handle(&self) -> ConnectionHandle {
        self.receiver.handle()
    }

    /// Returns a reference to the connection inside.
    #[must_use]
    pub fn get_ref(&self) -> &T {
        &self.inner
    }

    /// Returns a mutable reference to the connection inside. Bytes that are read or written through it are not
    /// subject to faults.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.inner
    }

    /// Wraps a connection that was accepted, and asks the rules of its site about it.
    pub(crate) fn accepted(inner: T, site_ref: SiteRef) -> Self {
        let mut io = Self::new(inner);
        let watch = io.site_watch.insert(SiteWatch::new(site_ref, None));
        if watch.is_armed()
            && let Some(decision) = watch.decide(|| io.inner.peer())
        {
            io.hit(decision);
        }
        io
    }

    /// Wraps a connection that was made, and whose bytes may have faults already.
    #[cfg(feature = "client")]
    pub(crate) fn connected(
        inner: T,
        byte_faults: ConnectionByteFaults,
        site_watch: Option<SiteWatch>,
    ) -> Self {
        let mut io = Self::new(inner);
        io.site_watch = site_watch;
        io.written = Direction::Request;
        if !byte_faults.are_idle() {
            let faults = ConnectionFaults::new(io.written, byte_faults);
            io.faults = Some(Box::new(faults));
        }
        io
    }

    /// Asks the rules that were armed since the connection was last asked about.
    #[inline]
    fn ask(&mut self, cx: &mut Context<'_>) {
        if self.site_watch.as_ref().is_some_and(SiteWatch::is_armed) {
            self.ask_armed(cx);
        }
    }

    #[cold]
    #[inline(never)]
    fn ask_armed(&mut self, cx: &mut Context<'_>) {
        let Some(watch) = self.site_watch.as_mut().filter(|watch| watch.has_news()) else {
            return;
        };
        if let Some(faults) = &mut self.faults {
            faults.drop_over(&self.receiver, cx);
        }
        if let Some(decision) = watch.decide(|| self.inner.peer()) {
            self.hit(decision);
        }
    }

    /// Adds the faults of a decision.
    fn hit(&mut self, decision: Decision) {
        let new = || Box::new(ConnectionFaults::new(self.written, Default::default()));
        let faults = self.faults.get_or_insert_with(new);
        faults.hit(decision, &self.receiver);
    }
}

/// Returns the faults, unless they are over.
#[inline]
fn live(faults: &mut Option<Box<ConnectionFaults>>) -> Option<&mut ConnectionFaults> {
    if faults.as_ref().is_some_and(|faults| faults.is_over()) {
        *faults = None;
    }
    faults.as_deref_mut()
}

impl<T: Socket + AsyncRead + Unpin> FaultIo<T> {
    /// Executes a command to cut, the first time it is seen, and returns the error of this poll and all later
    /// ones.
    #[cold]
    fn cut(&mut self, command: Command, cx: &mut Context<'_>) -> io::Error {
        // The results do not matter: a socket that refuses is closed already.
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

    /// Reads the bytes that the peer has sent: Linux resets a connection that is closed with unread bytes,
    /// and this one has to end with FIN.
    fn drain(&mut self, cx: &mut Context<'_>) {
        let mut sink = [0; 4096];
        // Bounded, in case the peer sends faster than this reads.
        for _ in 0..1024 {
            let mut sink = ReadBuf::new(&mut sink);
            match Pin::new(&mut self.inner).poll_read(cx, &mut sink) {
                Poll::Ready(Ok(())) if !sink.filled().is_empty() => {}
                _ => return,
            }
        }
    }

    /// Fails if the connection has been cut.
    #[inline]
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.receiver.command() {
            Command::None | Command::GoAway => Ok(()),
            command => Err(self.cut(command, cx)),
        }
    }

    /// Returns a pending poll, whose task the next command wakes.
    #[inline]
    fn pending<R>(&mut self, direction: IoDirection, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        let state = self.receiver.watch(direction, cx);
        if state.is_quiet() {
            return Poll::Pending;
        }
        match self.attend(state) {
            Command::None | Command::GoAway => Poll::Pending,
            command => Poll::Ready(Err(self.cut(command, cx))),
        }
    }

    /// Looks how the peer has closed the connection, if somebody asks. Returns the last command.
    #[cold]
    fn attend(&self, state: ConnectionState) -> Command {
        if state.is_to_look() {
            self.receiver.answer(self.inner.closed_by_peer());
        }
        state.command()
    }

    /// Returns `poll`. If it is pending, the next command wakes its task.
    #[inline]
    fn settle<R>(
        &mut self,
        direction: IoDirection,
        cx: &mut Context<'_>,
        poll: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        match poll {
            Poll::Pending => self.pending(direction, cx),
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
        self.ask(cx);
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
    /// Executes a write of the owner.
    #[inline]
    fn write<'a>(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut T>, &mut Context<'_>) -> Poll<io::Result<usize>>,
        first: impl FnOnce() -> &'a [u8],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        self.ask(cx);
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

    /// Flushes, and has the task woken by the next command: hyper flushes when it has nothing else to do, and
    /// a connection that neither reads nor writes is woken by nothing else.
    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        let this = &mut *self;
        let state = this.receiver.watch(IoDirection::Write, cx);
        if !state.is_quiet() {
            match this.attend(state) {
                Command::None => {}
                Command::GoAway => ready!(this.goaway.poll_send(&mut this.inner, cx))?,
                command => return Poll::Ready(Err(this.cut(command, cx))),
            }
        }
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A connection that is cut needs no shutdown, and a FIN would hide the RST.
        if self.check(cx).is_err() {
            return Poll::Ready(Ok(()));
        }
        let poll = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.settle(IoDirection::Write, cx, poll)
    }
}

impl<T: Socket> Drop for FaultIo<T> {
    /// Executes a command that no poll has seen: an owner that drops the connection for another reason, such
    /// as a body that failed, does not poll it again.
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
    /// The handle, which holds the connect info of the connection inside:
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
