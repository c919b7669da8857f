//! What a wrapper must be able to do with the socket it wraps.

use std::{io, net::IpAddr};

use tokio::{io::DuplexStream, net::TcpStream};

/// What a [`FaultIo`](crate::FaultIo) asks of the connection it wraps.
///
/// Implement it for a connection type of your own by passing on to the socket inside. TLS goes on
/// top, around a `FaultIo<TcpStream>`: what is cut is the socket.
pub trait Socket {
    /// Makes the peer see a reset (RST) when the socket is dropped (`SO_LINGER` of zero). A socket
    /// that has no such thing does nothing.
    ///
    /// # Errors
    /// If the system refuses.
    fn reset_on_drop(&self) -> io::Result<()>;

    /// Tells the peer now that nothing more will come (FIN). A socket that says so only when it is
    /// dropped does nothing.
    ///
    /// # Errors
    /// If the system refuses, as a rule because the connection is gone.
    fn finish(&self) -> io::Result<()>;

    /// Whether small writes leave at once (`TCP_NODELAY`). A socket that has no such thing does
    /// nothing.
    ///
    /// # Errors
    /// If the system refuses.
    fn set_nodelay(&self, nodelay: bool) -> io::Result<()>;

    /// The address of the peer, if it has one: the label `peer`.
    fn peer(&self) -> Option<IpAddr>;
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
}
