//! `ConnectionHandle`: what a request carries so that a fault can cut the connection it came on.
//!
//! The handle owns no socket. It leaves an command, and wakes whoever is polling the connection; the
//! connection's own [`FaultIo`](crate::FaultIo) finds the command at its next poll and carries it out
//! on the socket that it owns. So no file descriptor is shared, and none can be used after it was
//! closed.

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

/// Cuts one connection, from anywhere: it can be cloned, sent and kept.
///
/// A request that came through a [`FaultIo`](crate::FaultIo) carries it among its extensions, where
/// [`of`](Self::of) finds it. When the connection is gone already, it does nothing.
///
/// The stronger command wins: a connection that is told to go away can still be closed, one that is
/// being closed can still be reset.
#[derive(Clone)]
pub struct ConnectionHandle(Arc<CommandState>);

impl ConnectionHandle {
    /// The handle of the connection that a request came on, from the request's extensions.
    ///
    /// It is there behind an [`InjectListener`](crate::InjectListener) with
    /// [`WithConnection`](crate::WithConnection) or axum's `ConnectInfo<ConnectionHandle>`, and
    /// always behind one in tonic.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Option<&Self> {
        let own = extensions.get::<Self>();
        #[cfg(feature = "axum")]
        let own = own.or_else(|| {
            let info = extensions.get::<axum::extract::ConnectInfo<Self>>();
            info.map(|info| &info.0)
        });
        own
    }

    /// Resets the connection: the peer is sent RST, and what it was sent before may be lost to it.
    ///
    /// It happens when the connection is next polled, which it is at once; the socket is closed when
    /// its owner (hyper, on the error that it gets) drops it. A Unix socket has no RST: it is closed.
    pub fn reset(&self) {
        self.send(Command::Reset);
    }

    /// Closes the connection: FIN is sent now, and whatever has not been written is dropped.
    pub fn close(&self) {
        self.send(Command::Close);
    }

    /// Asks the peer to leave when the calls under way are done.
    ///
    /// On an HTTP/2 connection without TLS (or with TLS below the [`FaultIo`](crate::FaultIo)), the
    /// peer is sent GOAWAY. An accept loop of your own can do better, and can do it for HTTP/1 and
    /// behind TLS too: wait for [`shutdown_requested`](Self::shutdown_requested), then call hyper's
    /// `graceful_shutdown`.
    pub fn go_away(&self) {
        self.send(Command::GoAway);
    }

    /// Ready when the connection has been told to go away, to close or to reset.
    ///
    /// Cancel-safe.
    pub async fn shutdown_requested(&self) {
        let mut told = std::pin::pin!(self.0.told.notified());
        // Register first, look afterwards: `command` does it the other way round.
        told.as_mut().enable();
        if self.0.command() == Command::None {
            told.await;
        }
    }

    /// Whether the connection has been told to close or to reset.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.0.command() >= Command::Close
    }

    /// What the connection says of itself where it has such a thing: behind tonic, what its
    /// `Connected` gives, as a rule a `TcpConnectInfo`.
    #[must_use]
    pub fn connect_info<I: 'static>(&self) -> Option<&I> {
        self.0.connect_info.get()?.downcast_ref()
    }

    /// Puts what the connection says of itself among a request's extensions again, where it is
    /// without us: in tonic, which has room there for one thing, the handle takes its place.
    ///
    /// ```
    /// # #[cfg(feature = "tonic")] {
    /// use chaos_tower::ConnectionHandle;
    /// use tonic::{Request, Status, transport::server::TcpConnectInfo};
    ///
    /// // An interceptor, so that `Request::remote_addr` knows it.
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
        // Relaxed: the lock below orders it against `CommandReceiver::watch`, and nothing lies behind it.
        self.0.command.fetch_max(command as u8, Ordering::Relaxed);
        let wakers = self.0.wakers();
        let wakers = Wakers::clone(&wakers);
        wakers.into_iter().flatten().for_each(Waker::wake);
        self.0.told.notify_waiters();
    }
}

impl fmt::Debug for ConnectionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionHandle")
            .field("command", &self.0.command())
            .finish_non_exhaustive()
    }
}

/// What a connection is to do, the stronger the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Command {
    None,
    GoAway,
    Close,
    Reset,
}

/// Who waits for the connection: to read, and to write. Often the same task.
type Wakers = [Option<Waker>; 2];

#[derive(Default)]
struct CommandState {
    /// An [`Command`].
    command: AtomicU8,
    wakers: Mutex<Wakers>,
    told: Notify,
    connect_info: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl CommandState {
    #[inline]
    fn command(&self) -> Command {
        match self.command.load(Ordering::Relaxed) {
            0 => Command::None,
            1 => Command::GoAway,
            2 => Command::Close,
            _ => Command::Reset,
        }
    }

    fn wakers(&self) -> std::sync::MutexGuard<'_, Wakers> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection's end of it.
pub(crate) struct CommandReceiver {
    shared: Arc<CommandState>,
    /// What `shared.wakers` holds, so that a task that polls again and again takes no lock for it.
    known: Wakers,
}

/// Which way the bytes go, seen from the socket's owner.
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

    /// Wakes whoever waits for the connection, because what it waited for may be there.
    pub(crate) fn wake(&self) {
        self.known.iter().flatten().for_each(Waker::wake_by_ref);
    }

    /// All that a poll costs when nothing was ordered: one relaxed load.
    #[inline]
    pub(crate) fn command(&self) -> Command {
        self.shared.command()
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.command() >= Command::Close
    }

    /// Has the task woken by an command, and says what has been ordered until then. After it, an command
    /// cannot go unnoticed.
    #[inline]
    pub(crate) fn watch(&mut self, way: IoDirection, cx: &Context<'_>) -> Command {
        let known = &self.known[way as usize];
        if known
            .as_ref()
            .is_none_or(|known| !known.will_wake(cx.waker()))
        {
            self.register(way, cx.waker());
        }
        self.command()
    }

    #[cold]
    fn register(&mut self, way: IoDirection, waker: &Waker) {
        self.known[way as usize] = Some(waker.clone());
        self.shared.wakers()[way as usize] = Some(waker.clone());
    }
}

impl Drop for CommandReceiver {
    /// Handles may be kept for long; the task need not be.
    fn drop(&mut self) {
        *self.shared.wakers() = [None, None];
    }
}
