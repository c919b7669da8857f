//! `ConnectionHandle`: cuts a connection, from the request that came on it or from elsewhere.
//!
//! The handle owns no socket. It stores a command, and wakes the task that polls the connection; the
//! [`FaultIo`](crate::FaultIo) of the connection reads the command at its next poll, and executes it on the
//! socket that it owns. No file descriptor is shared, so none can be used after it was closed.

use std::{
    any::Any,
    fmt,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Waker},
};

use http::Extensions;
use tokio::sync::Notify;

use crate::connection::socket::PeerClose;

/// A handle that cuts one connection. It can be cloned, sent between threads, and kept.
///
/// A request that came through a [`FaultIo`](crate::FaultIo) has the handle among its extensions, and
/// [`of`](Self::of) returns it. Once the connection is closed, the handle does nothing.
///
/// The strongest command wins: a connection that was asked to go away can still be closed, and one that is
/// being closed can still be reset.
#[derive(Clone)]
pub struct ConnectionHandle(Arc<CommandState>);

impl ConnectionHandle {
    /// Returns the handle of the connection that a request came on, from the request's extensions.
    ///
    /// Requests have one behind an [`InjectListener`](crate::InjectListener) in tonic, and in axum together
    /// with `WithConnection` or axum's `ConnectInfo<ConnectionHandle>`.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Option<&Self> {
        let handle = extensions.get::<Self>();
        #[cfg(feature = "axum")]
        let handle = handle.or_else(|| {
            let info = extensions.get::<axum::extract::ConnectInfo<Self>>();
            info.map(|info| &info.0)
        });
        handle
    }

    /// Resets the connection: the peer receives an RST, and may lose bytes that were sent before.
    ///
    /// The task of the connection is woken at once. The RST is sent when the owner of the connection (hyper,
    /// on the error that it gets) drops it. A Unix socket has no RST and is closed.
    pub fn reset(&self) {
        self.send(Command::Reset);
    }

    /// Closes the connection: the peer receives a FIN, and bytes that have not been written are dropped.
    pub fn close(&self) {
        self.send(Command::Close);
    }

    /// Asks the peer to close the connection when its calls in flight are done.
    ///
    /// On an HTTP/2 connection without TLS (or with TLS below the [`FaultIo`](crate::FaultIo)), the peer
    /// receives a GOAWAY frame. An accept loop of your own can do the same for HTTP/1 and above TLS: wait for
    /// [`shutdown_requested`](Self::shutdown_requested), then call hyper's `graceful_shutdown`.
    pub fn go_away(&self) {
        self.send(Command::GoAway);
    }

    /// Completes when [`go_away`](Self::go_away), [`close`](Self::close) or [`reset`](Self::reset) was called,
    /// or a fault had the same effect.
    ///
    /// Cancel-safe.
    pub async fn shutdown_requested(&self) {
        let mut notified = std::pin::pin!(self.0.sent.notified());
        // Registers before it looks; `send` stores the command before it notifies.
        notified.as_mut().enable();
        if self.0.command() == Command::None {
            notified.await;
        }
    }

    /// Returns whether the connection has been closed or reset, by this handle, a clone of it, or a
    /// fault.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.0.command() >= Command::Close
    }

    /// Returns the connect info of the connection inside, if it is an `I`: in tonic, what its `Connected`
    /// returns, for TCP a `TcpConnectInfo`. Elsewhere there is none.
    #[must_use]
    pub fn connect_info<I: 'static>(&self) -> Option<&I> {
        self.0.connect_info.get()?.downcast_ref()
    }

    /// Puts the connect info of the connection inside back among a request's extensions.
    ///
    /// tonic has one connect info per connection, and a [`FaultIo`](crate::FaultIo) uses it for the handle.
    ///
    /// ```
    /// # #[cfg(feature = "tonic")] {
    /// use chaos_tower::ConnectionHandle;
    /// use tonic::{Request, Status, transport::server::TcpConnectInfo};
    ///
    /// // An interceptor, so that `Request::remote_addr` works.
    /// fn restore(mut request: Request<()>) -> Result<Request<()>, Status> {
    ///     ConnectionHandle::restore_connect_info::<TcpConnectInfo>(request.extensions_mut());
    ///     Ok(request)
    /// }
    /// # }
    /// ```
    pub fn restore_connect_info<I: Clone + Send + Sync + 'static>(extensions: &mut Extensions) {
        let info = Self::of(extensions).and_then(Self::connect_info::<I>);
        if let Some(info) = info.cloned() {
            extensions.insert(info);
        }
    }

    #[cfg(feature = "tonic")]
    pub(crate) fn with_connect_info(&self, info: impl Any + Send + Sync) -> Self {
        self.0.connect_info.get_or_init(|| Box::new(info));
        self.clone()
    }

    pub(crate) fn send(&self, command: Command) {
        self.0.set(command as u8);
        self.0.sent.notify_waiters();
    }

    /// Returns how the peer has closed the connection, if its owner knows it. Otherwise asks the owner to look:
    /// a later call has the answer.
    pub(crate) fn closed_by_peer(&self) -> Option<PeerClose> {
        let closed = self.0.state().closed_by_peer();
        if closed.is_none() {
            self.0.set(LOOK);
        }
        closed
    }
}

impl fmt::Debug for ConnectionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionHandle")
            .field("command", &self.0.command())
            .finish_non_exhaustive()
    }
}

/// What a connection has to do. A stronger command is greater. The value is its bit in a [`ConnectionState`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Command {
    None = 0,
    GoAway = 1,
    Close = 2,
    Reset = 4,
}

/// The owner is to look how the peer has closed the connection.
const LOOK: u8 = 8;
const FINISHED: u8 = 16;
const RESET_BY_PEER: u8 = 32;

/// The commands that a connection was sent, and what is known of its peer: one bit for each.
#[derive(Clone, Copy)]
pub(crate) struct ConnectionState(u8);

impl ConnectionState {
    /// Whether there is nothing to do.
    #[inline]
    pub(crate) fn is_quiet(self) -> bool {
        self.0 & (FINISHED | RESET_BY_PEER) == self.0
    }

    /// Returns the strongest command.
    #[inline]
    pub(crate) fn command(self) -> Command {
        match self.0 & 7 {
            0 => Command::None,
            1 => Command::GoAway,
            2 | 3 => Command::Close,
            _ => Command::Reset,
        }
    }

    /// Whether somebody asks how the peer has closed the connection.
    pub(crate) fn is_to_look(self) -> bool {
        self.0 & LOOK != 0
    }

    fn closed_by_peer(self) -> Option<PeerClose> {
        match self.0 & (FINISHED | RESET_BY_PEER) {
            0 => None,
            FINISHED => Some(PeerClose::Finished),
            _ => Some(PeerClose::Reset),
        }
    }
}

/// The tasks that wait to read and to write. Often the same one.
type Wakers = [Option<Waker>; 2];

#[derive(Default)]
struct CommandState {
    /// A [`ConnectionState`].
    state: AtomicU8,
    wakers: Mutex<Wakers>,
    sent: Notify,
    connect_info: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl CommandState {
    #[inline]
    fn state(&self) -> ConnectionState {
        ConnectionState(self.state.load(Ordering::Relaxed))
    }

    #[inline]
    fn command(&self) -> Command {
        self.state().command()
    }

    /// Sets a bit of the state, and wakes the tasks that wait for the connection.
    fn set(&self, bit: u8) {
        // Relaxed: the lock below orders it with `CommandReceiver::watch`, and it publishes no other data.
        self.state.fetch_or(bit, Ordering::Relaxed);
        let wakers = Wakers::clone(&self.wakers());
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    fn wakers(&self) -> std::sync::MutexGuard<'_, Wakers> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection's end of its handles.
pub(crate) struct CommandReceiver {
    shared: Arc<CommandState>,
    /// A copy of `shared.wakers`, so that a task that polls repeatedly takes no lock.
    known: Wakers,
}

/// The direction of the bytes, seen from the owner of the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IoDirection {
    Read,
    Write,
}

impl CommandReceiver {
    pub(crate) fn new() -> Self {
        Self {
            shared: Arc::default(),
            known: [None, None],
        }
    }

    pub(crate) fn handle(&self) -> ConnectionHandle {
        ConnectionHandle(Arc::clone(&self.shared))
    }

    /// Wakes the tasks that wait for the connection.
    pub(crate) fn wake(&self) {
        self.known.iter().flatten().for_each(Waker::wake_by_ref);
    }

    /// Returns the last command: one relaxed load, which is the whole cost of a poll without a command.
    #[inline]
    pub(crate) fn command(&self) -> Command {
        self.shared.command()
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.command() >= Command::Close
    }

    /// Has the task woken by the next command, and returns the state: together, no command is missed.
    #[inline]
    pub(crate) fn watch(&mut self, direction: IoDirection, cx: &Context<'_>) -> ConnectionState {
        let known = &self.known[direction as usize];
        if known
            .as_ref()
            .is_none_or(|known| !known.will_wake(cx.waker()))
        {
            self.register(direction, cx.waker());
        }
        self.shared.state()
    }

    /// Answers who asked how the peer has closed the connection.
    pub(crate) fn answer(&self, closed: Option<PeerClose>) {
        let known = match closed {
            None => 0,
            Some(PeerClose::Finished) => FINISHED,
            Some(PeerClose::Reset) => RESET_BY_PEER,
        };
        // Relaxed: it publishes no other data.
        self.shared.state.fetch_or(known, Ordering::Relaxed);
        self.shared.state.fetch_and(!LOOK, Ordering::Relaxed);
    }

    #[cold]
    fn register(&mut self, direction: IoDirection, waker: &Waker) {
        self.known[direction as usize] = Some(waker.clone());
        self.shared.wakers()[direction as usize] = Some(waker.clone());
    }
}

impl Drop for CommandReceiver {
    /// Releases the wakers: handles may live longer than the task.
    fn drop(&mut self) {
        *self.shared.wakers() = [None, None];
    }
}
