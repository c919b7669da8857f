//! Cuts a connection that is not wrapped: finds it by the address of its peer, and disconnects it.
//!
//! Linux only. A server with a listener that this crate does not wrap (a plain `axum::serve` or tonic's
//! `serve`) can have its connections reset as well: the process lists its own descriptors, duplicates those of
//! sockets, and disconnects the one that is connected to the peer (`connect` to `AF_UNSPEC`), at which the kernel
//! sends an RST.
//!
//! The duplicate makes this safe: even if the number of a descriptor is reused after it was listed, the
//! socket that is examined is the one that is cut, and no other descriptor is closed.

mod descriptors;
mod table;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::{OwnedFd, RawFd},
};

use http::Extensions;
use rustix::net::{Shutdown, SocketAddrAny, SocketType, sockopt};

use crate::connection::reset::descriptors::{Descriptor, descriptor, descriptors};

/// Where a connection was found among the descriptors of this process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Place {
    #[default]
    Unknown,
    /// At the descriptor of this number, unless that has been closed.
    At(RawFd),
    /// It was not found, or may not be looked for, or others have the same peer.
    Nowhere,
}

/// A TCP connection of this process, identified by the addresses of its ends.
///
/// To cut the connection costs system calls for each open descriptor (about a microsecond each), so prefer
/// a [`ConnectionHandle`](crate::ConnectionHandle) where there is one.
///
/// It needs `/proc` and the system call `pidfd_getfd` (Linux 5.6). A process needs no privilege to call it on
/// itself, but a container's seccomp filter may refuse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    remote: SocketAddr,
    local: Option<SocketAddr>,
}

impl Peer {
    /// Names the connection to `remote`. `local` is the address of this end, if it is known. A peer may use one
    /// port for connections to several ports of this process, which `local` tells apart.
    #[must_use]
    pub const fn new(remote: SocketAddr, local: Option<SocketAddr>) -> Self {
        Self { remote, local }
    }

    /// Returns the connection that a request came on, from the request's extensions: axum's
    /// `ConnectInfo<SocketAddr>`, or tonic's `TcpConnectInfo`, which tonic's server always adds.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Option<Self> {
        #[cfg(feature = "axum")]
        if let Some(info) = extensions.get::<axum::extract::ConnectInfo<SocketAddr>>() {
            return Some(Self::new(info.0, None));
        }
        #[cfg(feature = "tonic")]
        if let Some(info) = extensions.get::<tonic::transport::server::TcpConnectInfo>() {
            return Some(Self::new(info.remote_addr?, info.local_addr));
        }
        // Without either feature, no address is known.
        let _ = extensions;
        None
    }

    /// Resets the connection: the peer receives an RST at once. Returns `false` if this process has no such
    /// connection, or has it no more.
    ///
    /// # Errors
    ///
    /// Returns an error if the descriptors cannot be listed or duplicated, if more than one connection has this peer,
    /// or if the system refuses the reset.
    pub fn reset(self) -> io::Result<bool> {
        self.cut(|socket| rustix::net::connect_unspec(socket))
    }

    /// Closes the connection: the peer receives a FIN at once, and the owner of the socket reads its end.
    /// Returns `false` if this process has no such connection, or has it no more.
    ///
    /// # Errors
    ///
    /// Returns an error if the descriptors cannot be listed or duplicated, if more than one connection has this peer,
    /// or if the system refuses the shutdown.
    pub fn close(self) -> io::Result<bool> {
        self.cut(|socket| rustix::net::shutdown(socket, Shutdown::Both))
    }

    /// Returns whether the peer has closed the connection, or sends no more. Looks at the place where it was
    /// found before. What cannot be found out now is asked again.
    pub(crate) fn has_gone(self, place: &mut Place) -> bool {
        self.find_place(place);
        let Place::At(number) = *place else {
            return false;
        };
        match descriptor(number) {
            Ok(Some(descriptor)) if self.is(&descriptor.socket) => descriptor.has_ended(),
            // Its owner has closed it, or it has been reset.
            Ok(_) => true,
            Err(_) => false,
        }
    }

    /// Finds the place of the connection, if it is not known. To be called when a wait starts: a connection
    /// that has been reset has no address by which to find it.
    pub(crate) fn find_place(self, place: &mut Place) {
        if matches!(place, Place::Unknown) {
            *place = table::find(self);
        }
    }

    /// Finds the connection, and cuts it.
    fn cut(self, cut: impl FnOnce(&OwnedFd) -> rustix::io::Result<()>) -> io::Result<bool> {
        let mut found: Option<Descriptor> = None;
        for descriptor in descriptors()? {
            let descriptor = descriptor?;
            if !self.is(&descriptor.socket) {
                continue;
            }
            if found.is_some_and(|found| found.inode != descriptor.inode) {
                return Err(io::Error::other(
                    "two connections of this process have this peer; the local address tells them apart",
                ));
            }
            found = Some(descriptor);
        }
        match found {
            Some(found) => cut(&found.socket).map(|()| true).map_err(Into::into),
            None => Ok(false),
        }
    }

    fn is(&self, socket: &OwnedFd) -> bool {
        let local = || rustix::net::getsockname(socket).ok();
        remote(socket).is_some_and(|remote| remote == ends(self.remote))
            && (self.local).is_none_or(|own| local().and_then(address) == Some(ends(own)))
    }
}

/// Returns the address without what may differ between the two sides: an IPv4 address may be mapped to IPv6, and
/// only one side may have the scope of a link-local address.
fn ends(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip().to_canonical(), address.port())
}

fn address(found: SocketAddrAny) -> Option<(IpAddr, u16)> {
    SocketAddr::try_from(found).ok().map(ends)
}

/// Returns the address to which a stream is connected. Most sockets are none, or not connected.
fn remote(socket: &OwnedFd) -> Option<(IpAddr, u16)> {
    let is_stream = sockopt::socket_type(socket).is_ok_and(|kind| kind == SocketType::STREAM);
    let remote = || rustix::net::getpeername(socket).ok().flatten();
    is_stream.then(remote).flatten().and_then(address)
}

#[cfg(test)]
mod tests {
    use std::{
        net::{TcpListener, TcpStream},
        time::Duration,
    };

    use socket2::SockRef;

    use super::*;

    fn pair() -> (TcpStream, TcpStream, Peer) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, remote) = listener.accept().unwrap();
        (client, server, Peer::new(remote, None))
    }

    fn placed(peer: Peer) -> Place {
        let mut place = Place::default();
        while matches!(place, Place::Unknown) {
            peer.find_place(&mut place);
        }
        place
    }

    #[test]
    fn a_connection_that_was_reset_before_the_first_look_has_gone() {
        let (client, _server, peer) = pair();
        let mut place = placed(peer);
        assert!(!peer.has_gone(&mut place), "{place:?}");
        let linger = Some(Duration::ZERO);
        SockRef::from(&client).set_linger(linger).unwrap();
        drop(client);
        while !peer.has_gone(&mut place) {
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_was_never_here_has_not_gone() {
        let peer = Peer::new("192.0.2.1:9".parse().unwrap(), None);
        let mut place = placed(peer);
        assert!(matches!(place, Place::Nowhere), "{place:?}");
        assert!(!peer.has_gone(&mut place));
    }

    #[test]
    fn a_connection_that_its_owner_has_closed_has_gone() {
        let (_client, server, peer) = pair();
        let mut place = placed(peer);
        drop(server);
        assert!(peer.has_gone(&mut place), "{place:?}");
    }
}
