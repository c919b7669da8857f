//! A port of its own: accepts connections, bounds how many there are and how long each may take,
//! and stops.

use std::{io, net::SocketAddr, pin::pin, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::error::ServeError;

/// Connections at a time; more wait in the system's queue. Plenty for people, and no way for a
/// client that leaks them to use up the service's file descriptors.
const MAX_CONNECTIONS: usize = 64;
/// For the head of a request, which is also how long a connection may idle between two.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// For a connection, after which it is closed behind the request under way. A client that never
/// reads its answer would keep its place for ever otherwise.
const MAX_AGE: Duration = Duration::from_secs(300);
/// For the request under way when a connection must end.
const GRACE: Duration = Duration::from_secs(5);
/// After a failure to accept that is ours, such as too many open files: for some to be closed.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// The open admin port. It serves nothing until it is [`run`](Self::run).
#[derive(Debug)]
#[must_use = "the port serves nothing until it is run"]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
}

impl Server {
    pub(crate) async fn bind(address: SocketAddr, router: Router) -> Result<Self, ServeError> {
        let failed = |error| ServeError::Bind(address, error);
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self {
            listener,
            address,
            router,
        })
    }

    /// Where it listens; with the port that the system chose, if it was asked to by port 0.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is ready, then stops: no new connections, idle ones are closed at
    /// once, and a request under way gets five seconds to finish before it is cut off.
    ///
    /// Cancel-safe: dropping the future closes the port and cuts all connections. A connection
    /// that fails, and even a bug that panics, ends that connection alone.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) {
        let Self {
            listener, router, ..
        } = self;
        let (running, stop) = watch::channel(());
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => {}
                stream = accept(&listener), if connections.len() < MAX_CONNECTIONS => {
                    connections.spawn(serve(stream, router.clone(), stop.clone()));
                }
            }
        }
        drop((listener, running));
        while connections.join_next().await.is_some() {}
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // Of the client, who is gone already.
            Err(error)
                if [ConnectionAborted, ConnectionRefused, ConnectionReset]
                    .contains(&error.kind()) => {}
            Err(error) => {
                tracing::warn!(target: "chaos", %error, "the admin port cannot accept");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves one connection. `stop` ends it by its sender being dropped.
async fn serve(stream: TcpStream, router: Router, mut stop: watch::Receiver<()>) {
    // Answers are small and written whole; where this is not to be had, they are merely later.
    let _ = stream.set_nodelay(true);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT);
    let service = TowerToHyperService::new(router);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // What a client does to its connection is its own affair.
        _ = &mut connection => return,
        _ = stop.changed() => {}
        () = sleep(MAX_AGE) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(GRACE, connection).await;
}
