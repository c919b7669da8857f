//! The listening sockets, and the connections that they accept.

use std::{io, time::Duration};

use chaos_core::log::log;
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};

use crate::access::peer::{Peer, Remote};
#[cfg(feature = "tls")]
use crate::server::live_tls::LiveTls;

/// The pause after accepting has failed for want of resources, such as file descriptors, in which
/// some may be freed.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// A listening socket, and what is spoken on its connections.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    #[cfg(feature = "tls")]
    Tls(TcpListener, LiveTls),
    #[cfg(unix)]
    Unix(UnixListener),
}

/// An accepted connection, before any byte has been read from it.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    /// The TLS handshake is still to be done.
    #[cfg(feature = "tls")]
    Tls(TcpStream, LiveTls),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Listener {
    /// Waits for the next connection.
    ///
    /// This method is cancel safe: no accepted connection is lost.
    pub(crate) async fn accept(&self) -> (Stream, Peer) {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
        loop {
            match self.try_accept().await {
                Ok(accepted) => return accepted,
                // The client has disconnected before its connection was accepted.
                Err(error)
                    if [ConnectionAborted, ConnectionRefused, ConnectionReset]
                        .contains(&error.kind()) => {}
                Err(error) => {
                    log(move || {
                        tracing::warn!(target: "chaos", %error, "the admin port cannot accept connections");
                    });
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn try_accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = accept_tcp(listener).await?;
                Ok((Stream::Tcp(stream), peer))
            }
            #[cfg(feature = "tls")]
            Self::Tls(listener, tls) => {
                let (stream, peer) = accept_tcp(listener).await?;
                Ok((Stream::Tls(stream, tls.clone()), peer))
            }
            #[cfg(unix)]
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                // The client's credentials cannot be read once it has disconnected.
                let process = stream.peer_cred();
                let process = process.map_err(|_| io::ErrorKind::ConnectionAborted)?;
                let peer = Peer {
                    remote: Remote::Process {
                        user: process.uid(),
                        id: process.pid(),
                    },
                    ..Peer::default()
                };
                Ok((Stream::Unix(stream), peer))
            }
        }
    }
}

async fn accept_tcp(listener: &TcpListener) -> io::Result<(TcpStream, Peer)> {
    let (stream, remote) = listener.accept().await?;
    // Without `TCP_NODELAY`, small answers are delayed, but nothing breaks.
    let _ = stream.set_nodelay(true);
    let peer = Peer {
        remote: Remote::Network(remote),
        local: stream.local_addr().ok().map(|address| address.ip()),
        ..Peer::default()
    };
    Ok((stream, peer))
}
