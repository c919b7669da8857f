//! The server of the admin port: it accepts connections, limits their number and duration, and
//! shuts down gracefully.

pub(crate) mod connection_slots;
#[cfg(feature = "tls")]
pub(crate) mod handshake_turns;
pub(crate) mod listener;
#[cfg(feature = "tls")]
pub(crate) mod live_tls;
pub(crate) mod port_thread;
#[cfg(feature = "tls")]
pub(crate) mod tls;
#[cfg(all(feature = "follow", feature = "tls"))]
pub(crate) mod tls_files;
#[cfg(unix)]
pub(crate) mod unix;
#[cfg(feature = "tls")]
pub(crate) mod validity;

use std::{
    net::SocketAddr,
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use axum::{Router, body::Body, http::Request};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    sync::watch,
    task::yield_now,
    time::{sleep, timeout},
};
use tower_service::Service;

use crate::{
    access::peer::Peer,
    error::ServeError,
    history::feed::Feed,
    server::{
        connection_slots::ConnectionSlots,
        listener::{Listener, Stream},
        port_thread::{PortThread, Served},
    },
};

/// The time limit of a TLS handshake.
#[cfg(feature = "tls")]
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// The time limit of reading a request's head, which is also how long a connection may be idle
/// between two requests.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// The number of header fields that a request may have.
const MAX_HEADERS: usize = 100;
/// The size limit of a request's head, in bytes. Browsers send the cookies of every service on
/// `localhost`.
const MAX_HEAD: usize = 16 * 1024;
/// The size limit of the buffers of a connection, in bytes.
const MAX_BUFFER: usize = 64 * 1024;
/// The age at which a connection is closed, after the request under way. It bounds how long a
/// client that never reads its answer holds a slot.
const MAX_AGE: Duration = Duration::from_secs(300);
/// The time limit of the request under way when its connection is to be closed.
const GRACE: Duration = Duration::from_secs(5);
/// How long, and how many bytes, a connection is read on after its last answer.
const LINGER: Duration = Duration::from_secs(2);
const MAX_DISCARDED: usize = 16 * 1024 * 1024;

/// The open admin port, as [`Admin::bind`](crate::Admin::bind) returns it. It serves requests until this
/// is dropped.
///
/// The port has a thread of its own, named `chaos-admin`, with a runtime of its own. Faults that hold the
/// threads of the service, such as `block`, cannot hold the port, and clients of the port take no time
/// of the service's runtime.
///
/// Dropping this stops the port as [`stop`](Self::stop) does, without waiting for it.
///
/// `A` says where the port is: a [`SocketAddr`], or for [`bind_unix`](crate::Admin::bind_unix) the file
/// of the socket.
#[derive(Debug)]
#[must_use = "the port is closed when this is dropped"]
pub struct Server<A = SocketAddr> {
    /// Dropped before the listener is closed: a process that finds the file of a socket can connect.
    place: A,
    thread: PortThread,
}

impl Server {
    /// Opens the port. `wrap` decides whether its connections use TLS.
    pub(crate) fn bind(
        address: SocketAddr,
        wrap: impl FnOnce(TcpListener) -> Listener,
        served: Served,
    ) -> Result<Self, ServeError> {
        let open = || {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let place = listener.local_addr()?;
            let listen = || TcpListener::from_std(listener).map(wrap);
            let thread = PortThread::start(served, listen)?;
            Ok(Self { place, thread })
        };
        open().map_err(|error| ServeError::Bind(address, error))
    }

    /// Returns the address that the port listens on, with the port number that the system has
    /// chosen if it was asked for port 0.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.place
    }
}

impl<A> Server<A> {
    /// Halts all injection when `signal` completes. Pass the signal that stops the service: calls that a
    /// fault delays or holds are then released, and do not delay the shutdown.
    ///
    /// The signal is polled on the port's thread, so it is noticed although faults hold every thread of
    /// the service.
    ///
    /// ```no_run
    /// # async fn shutdown() {}
    /// # fn example(admin: chaos_http_admin::Admin) -> Result<(), Box<dyn std::error::Error>> {
    /// // `shutdown` is what the service passes to `with_graceful_shutdown`, too.
    /// let server = admin.bind("127.0.0.1:9900".parse()?)?.halt_on(shutdown());
    /// # Ok(())
    /// # }
    /// ```
    pub fn halt_on<F>(self, signal: F) -> Self
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        self.thread.halt_on(signal);
        self
    }

    /// Stops gracefully, and waits until the port is closed.
    ///
    /// The listener, idle connections and event streams are closed at once. Requests under way have five
    /// seconds to complete before their connections are closed.
    ///
    /// # Cancel safety
    /// If the future is dropped once it was polled, the port stops all the same.
    pub async fn stop(self) {
        drop(self.place);
        self.thread.stop().await;
    }
}

/// Accepts and serves connections until `shutdown` completes.
pub(crate) async fn serve_all(
    listener: Listener,
    router: Router,
    feed: Feed,
    shutdown: impl Future<Output = ()> + Send,
) {
    let (running, stop) = watch::channel(());
    let mut slots = ConnectionSlots::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            true = slots.join_next() => {}
            (stream, peer) = listener.accept() => {
                let (router, stop) = (router.clone(), stop.clone());
                let serve = |activity| {
                    let peer = Peer { activity: Some(activity), ..peer.clone() };
                    serve(stream, peer, router, stop)
                };
                slots.serve(peer.origin(), serve).await;
            }
        }
    }
    drop((listener, running));
    feed.places().end();
    slots.join_all().await;
}

async fn serve(stream: Stream, peer: Peer, router: Router, stop: watch::Receiver<()>) {
    match stream {
        Stream::Tcp(stream) => serve_http(stream, peer, router, stop).await,
        #[cfg(feature = "tls")]
        Stream::Tls(stream, tls) => {
            let mut stop = stop;
            let accepted = tokio::select! {
                accepted = timeout(HANDSHAKE_TIMEOUT, tls.accept(stream, peer.origin())) => accepted,
                _ = stop.changed() => return,
            };
            if let Ok(Ok((stream, certificate))) = accepted {
                let peer = Peer {
                    certificate,
                    ..peer
                };
                serve_http(stream, peer, router, stop).await;
            }
        }
        #[cfg(unix)]
        Stream::Unix(stream) => serve_http(stream, peer, router, stop).await,
    }
}

/// Serves the requests of one connection until it ends or the sender of `stop` is dropped.
async fn serve_http(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    router: Router,
    mut stop: watch::Receiver<()>,
) {
    let is_over = serve_requests(&mut stream, peer, router, &mut stop).await;
    if is_over {
        tokio::select! {
            _ = timeout(LINGER, discard(stream)) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Serves requests, and returns whether the connection has ended other than by a stop.
async fn serve_requests(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    router: Router,
    stop: &mut watch::Receiver<()>,
) -> bool {
    let has_served = AtomicBool::new(false);
    let service = service_fn(|request: Request<hyper::body::Incoming>| {
        let (mut router, peer) = (router.clone(), peer.clone());
        let has_served = has_served.swap(true, Ordering::Relaxed);
        async move {
            // Whoever sends many requests at once waits until other connections, such as one with a halt,
            // have had a turn.
            if has_served {
                yield_now().await;
            }
            let activity = peer.activity.clone();
            let touch = || activity.iter().for_each(|activity| activity.touch());
            touch();
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer);
            let response = router.call(request).await;
            touch();
            response
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEAD)
        // A client that does not read keeps no more of a response in memory.
        .max_buf_size(MAX_BUFFER);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // A protocol or I/O error of the client ends its connection, and is nothing to report.
        _ = &mut connection => return true,
        _ = stop.changed() => {}
        () = sleep(MAX_AGE) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(GRACE, connection).await;
    false
}

/// Discards what the client still sends, after the last answer.
///
/// A connection that is closed while bytes of it are unread is reset, and a reset discards the answer
/// that the client has not read yet. So a client that sends its whole body before it reads would never
/// get to see why the body was refused.
async fn discard(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    // The answer is complete. A client that waits for the end of the connection gets it now.
    let _ = stream.shutdown().await;
    let mut bytes = vec![0; 16 * 1024];
    let mut left = MAX_DISCARDED;
    while let Ok(read @ 1..) = stream.read(&mut bytes).await {
        let Some(fewer) = left.checked_sub(read) else {
            return;
        };
        left = fewer;
        // Other connections go on in the meantime.
        yield_now().await;
    }
}
