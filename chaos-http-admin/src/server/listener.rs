//! What the port listens on, and whoever comes there.

use std::{io, time::Duration};

#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};

use crate::access::peer::{Peer, Remote};
#[cfg(feature = "tls")]
use crate::server::tls::Tls;

/// After a failure to accept that is ours, such as too many open files: for some to be closed.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    #[cfg(feature = "tls")]
    Tls(TcpListener, Tls),
    #[cfg(unix)]
    Unix(UnixListener),
}

/// A connection that nothing is known of yet but its other end.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    /// Not one word of it has been spoken.
    #[cfg(feature = "tls")]
    Tls(TcpStream, Tls),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Listener {
    /// Waits for the next connection. Cancel-safe.
    pub(crate) async fn accept(&self) -> (Stream, Peer) {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
        loop {
            match self.try_accept().await {
                Ok(accepted) => return accepted,
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
                // Not a failure of ours either: whoever it was is gone.
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
    // Answers are small and written whole; where this is not to be had, they are merely later.
    let _ = stream.set_nodelay(true);
    let peer = Peer {
        remote: Remote::Network(remote),
        local: stream.local_addr().ok().map(|address| address.ip()),
        ..Peer::default()
    };
    Ok((stream, peer))
}
