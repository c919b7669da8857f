//! Cuts a connection that is not wrapped: finds it by the address of its peer, and disconnects it.
//!
//! Linux only. A server with a listener that this crate does not wrap (a plain `axum::serve` or tonic's
//! `serve`) can have its connections reset as well: the process lists its own descriptors, duplicates each,
//! and disconnects the one that is connected to the peer (`connect` to `AF_UNSPEC`), at which the kernel
//! sends an RST.
//!
//! The duplicate makes this safe: even if the number of a descriptor is reused after it was listed, the
//! socket that is examined is the one that is cut, and no other descriptor is closed.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::{OwnedFd, RawFd},
};

use http::Extensions;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::{Shutdown, SocketAddrAny, SocketType, sockopt},
    process::{PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open},
};

/// Where a connection was found among the descriptors of this process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Place {
    #[default]
    Unknown,
    /// At the descriptor of this number, unless that has been closed.
    At(RawFd),
    /// It was not found, or may not be looked for.
    Nowhere,
}

/// A TCP connection of this process, identified by the addresses of its ends.
///
/// To find the connection costs system calls for each open descriptor (about a microsecond each), so prefer
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
    /// Names the connection to `remote`. `local` is the address of this end, if it is known.
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
    /// If the descriptors cannot be listed or duplicated, or the system refuses the reset.
    pub fn reset(self) -> io::Result<bool> {
        self.cut(|socket| rustix::net::connect_unspec(socket))
    }

    /// Closes the connection: the peer receives a FIN at once, and the owner of the socket reads its end.
    /// Returns `false` if this process has no such connection, or has it no more.
    ///
    /// # Errors
    ///
    /// If the descriptors cannot be listed or duplicated, or the system refuses the shutdown.
    pub fn close(self) -> io::Result<bool> {
        self.cut(|socket| rustix::net::shutdown(socket, Shutdown::Both))
    }

    /// Returns whether the peer has closed the connection, or sends no more. Looks at the place where it was
    /// found before.
    pub(crate) fn has_gone(self, place: &mut Place) -> bool {
        let found = match *place {
            Place::Unknown => self.find().ok().flatten(),
            Place::At(number) => match self.at(number) {
                Some(socket) => Some((number, socket)),
                // Its owner has closed it.
                None => return true,
            },
            Place::Nowhere => None,
        };
        let Some((number, socket)) = found else {
            *place = Place::Nowhere;
            return false;
        };
        *place = Place::At(number);
        let mut polled = [PollFd::new(&socket, PollFlags::RDHUP)];
        let ended = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
        poll(&mut polled, Some(&Timespec::default())).is_ok()
            && polled[0].revents().intersects(ended)
    }

    /// Returns the connection, if the descriptor of this number refers to it.
    fn at(self, number: RawFd) -> Option<OwnedFd> {
        let this_process = pidfd_open(rustix::process::getpid(), PidfdFlags::empty()).ok()?;
        let socket = pidfd_getfd(&this_process, number, PidfdGetfdFlags::empty()).ok()?;
        self.is(&socket).then_some(socket)
    }

    /// Finds the connection, and cuts it.
    fn cut(self, cut: impl FnOnce(&OwnedFd) -> rustix::io::Result<()>) -> io::Result<bool> {
        let Some((_, socket)) = self.find()? else {
            return Ok(false);
        };
        cut(&socket)?;
        Ok(true)
    }

    /// Finds the connection. If more than one descriptor refers to it, one is enough.
    fn find(self) -> io::Result<Option<(RawFd, OwnedFd)>> {
        let this_process = pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
        let mut refused = None;
        for entry in std::fs::read_dir("/proc/self/fd")? {
            let name = entry?.file_name();
            let Some(number) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            match pidfd_getfd(&this_process, number, PidfdGetfdFlags::empty()) {
                Ok(socket) if self.is(&socket) => return Ok(Some((number, socket))),
                Ok(_) => {}
                // The descriptor was closed after it was listed.
                Err(rustix::io::Errno::BADF) => {}
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            Some(error) => Err(error.into()),
            None => Ok(None),
        }
    }

    fn is(&self, socket: &OwnedFd) -> bool {
        let stream = sockopt::socket_type(socket).is_ok_and(|kind| kind == SocketType::STREAM);
        // Most descriptors are not connected sockets: an error means that this is another one.
        let remote = || rustix::net::getpeername(socket).ok().flatten();
        let local = || rustix::net::getsockname(socket).ok();
        stream
            && remote().is_some_and(|remote| is_same(remote, self.remote))
            && (self.local).is_none_or(|own| local().is_some_and(|local| is_same(local, own)))
    }
}

/// Whether the addresses are equal. An IPv4 address may be mapped to IPv6, and only one side may have the scope
/// of a link-local address.
fn is_same(found: SocketAddrAny, wanted: SocketAddr) -> bool {
    let ends =
        |address: SocketAddr| -> (IpAddr, u16) { (address.ip().to_canonical(), address.port()) };
    SocketAddr::try_from(found).is_ok_and(|found| ends(found) == ends(wanted))
}
