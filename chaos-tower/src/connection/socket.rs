//! `Socket`: the operations on a socket that cut its connection.

use std::{
    io,
    net::IpAddr,
    pin::pin,
    task::{Context, Poll, Waker},
};

use tokio::{
    io::{DuplexStream, Interest, Ready},
    net::TcpStream,
};

/// The operations that a [`FaultIo`](crate::FaultIo) calls on the connection that it wraps.
///
/// To implement it for a connection type of your own, forward to the socket inside. TLS goes around a
/// `FaultIo<TcpStream>`, so that the socket is cut below it.
pub trait Socket {
    /// Makes the peer receive an RST when the socket is dropped (`SO_LINGER` of zero). Does nothing on sockets
    /// without a reset.
    ///
    /// # Errors
    ///
    /// Returns an error if the system refuses.
    fn reset_on_drop(&self) -> io::Result<()>;

    /// Shuts the sending side down, so that the peer receives a FIN. Does nothing on sockets that do so only
    /// when they are dropped.
    ///
    /// # Errors
    ///
    /// Returns an error if the system refuses, usually because the connection is closed.
    fn finish(&self) -> io::Result<()>;

    /// Sets whether small writes are sent at once (`TCP_NODELAY`). Does nothing on sockets without the option.
    ///
    /// # Errors
    ///
    /// Returns an error if the system refuses.
    fn set_nodelay(&self, nodelay: bool) -> io::Result<()>;

    /// Returns the IP address of the peer, if it has one. Rules see it as the label `peer`.
    fn peer(&self) -> Option<IpAddr>;

    /// Returns how the peer has closed the connection, as far as that is known without reading from it: bytes
    /// that have not been read may come before. A wait ends then.
    ///
    /// The default is `None`: a wait ends when its rule or its time does.
    fn closed_by_peer(&self) -> Option<PeerClose> {
        None
    }
}

/// How a peer has closed a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PeerClose {
    /// The peer sends no more (FIN). It may still receive.
    Finished,
    /// The peer neither sends nor receives (RST).
    Reset,
}

/// Returns how a peer has closed the connection of a socket whose runtime polls it.
fn closed_by_peer(ready: impl Future<Output = io::Result<Ready>>) -> Option<PeerClose> {
    // The runtime knows without a system call.
    let mut cx = Context::from_waker(Waker::noop());
    match pin!(ready).poll(&mut cx) {
        Poll::Ready(Ok(ready)) if ready.is_read_closed() => Some(match ready.is_write_closed() {
            true => PeerClose::Reset,
            false => PeerClose::Finished,
        }),
        _ => None,
    }
}

impl Socket for TcpStream {
    fn reset_on_drop(&self) -> io::Result<()> {
        socket2::SockRef::from(self).set_linger(Some(std::time::Duration::ZERO))
    }

    fn finish(&self) -> io::Result<()> {
        socket2::SockRef::from(self).shutdown(std::net::Shutdown::Write)
    }

    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        Self::set_nodelay(self, nodelay)
    }

    fn peer(&self) -> Option<IpAddr> {
        Some(self.peer_addr().ok()?.ip().to_canonical())
    }

    fn closed_by_peer(&self) -> Option<PeerClose> {
        closed_by_peer(self.ready(Interest::READABLE | Interest::WRITABLE))
    }
}

#[cfg(unix)]
impl Socket for tokio::net::UnixStream {
    fn reset_on_drop(&self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&self) -> io::Result<()> {
        socket2::SockRef::from(self).shutdown(std::net::Shutdown::Write)
    }

    fn set_nodelay(&self, _: bool) -> io::Result<()> {
        Ok(())
    }

    fn peer(&self) -> Option<IpAddr> {
        None
    }

    fn closed_by_peer(&self) -> Option<PeerClose> {
        closed_by_peer(self.ready(Interest::READABLE | Interest::WRITABLE))
    }
}

impl Socket for DuplexStream {
    fn reset_on_drop(&self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_nodelay(&self, _: bool) -> io::Result<()> {
        Ok(())
    }

    fn peer(&self) -> Option<IpAddr> {
        None
    }
}

#[cfg(feature = "client")]
impl<T: Socket> Socket for hyper_util::rt::TokioIo<T> {
    fn reset_on_drop(&self) -> io::Result<()> {
        self.inner().reset_on_drop()
    }

    fn finish(&self) -> io::Result<()> {
        self.inner().finish()
    }

    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.inner().set_nodelay(nodelay)
    }

    fn peer(&self) -> Option<IpAddr> {
        self.inner().peer()
    }

    fn closed_by_peer(&self) -> Option<PeerClose> {
        self.inner().closed_by_peer()
    }
}
