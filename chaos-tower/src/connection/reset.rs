//! Cutting a connection that nobody wrapped: found by its peer's address, and disconnected.
//!
//! Linux only. A server that is handed its listener by someone else (a stock `tonic::serve`, a plain
//! `axum::serve`) can still have its connections reset: the process's own descriptors are listed,
//! each is duplicated, and the one that is connected to the peer is told to forget its connection
//! (`connect` to `AF_UNSPEC`), at which the kernel sends RST.
//!
//! The duplicate is what makes it safe: whatever the number has come to mean since it was listed,
//! what is looked at is what is cut, and nobody else's descriptor is closed.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::OwnedFd,
};

use http::Extensions;
use rustix::{
    net::{Shutdown, SocketAddrAny, SocketType, sockopt},
    process::{PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open},
};

/// The two ends of a TCP connection of this process, by their addresses.
///
/// Looking for it costs system calls for each open descriptor (about a microsecond each), so a
/// [`ConnectionHandle`](crate::ConnectionHandle) is to be preferred where there is one.
///
/// It needs `/proc` and the call `pidfd_getfd` (Linux 5.6), which needs no privilege on oneself, but
/// which a container's seccomp filter may refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    remote: SocketAddr,
    local: Option<SocketAddr>,
}

impl Peer {
    /// The connection to `remote`; `local`, where it is known, is this end of it.
    #[must_use]
    pub const fn new(remote: SocketAddr, local: Option<SocketAddr>) -> Self {
        Self { remote, local }
    }

    /// The connection that a request came on, from the request's extensions: axum's
    /// `ConnectInfo<SocketAddr>`, or tonic's `TcpConnectInfo`, which is always there.
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
        // Without either, there is nowhere to look.
        let _ = extensions;
        None
    }

    /// Resets the connection: the peer is sent RST at once. `Ok(false)`: this process has no such
    /// connection (any more).
    ///
    /// # Errors
    /// If the descriptors cannot be listed or duplicated, or the system refuses the reset.
    pub fn reset(self) -> io::Result<bool> {
        self.each(|socket| rustix::net::connect_unspec(socket))
    }

    /// Closes the connection: the peer is sent FIN at once, and its owner reads an end.
    /// `Ok(false)`: this process has no such connection (any more).
    ///
    /// # Errors
    /// As [`reset`](Self::reset).
    pub fn close(self) -> io::Result<bool> {
        self.each(|socket| rustix::net::shutdown(socket, Shutdown::Both))
    }

    /// Does it to the connection. More than one descriptor may name it, one is enough.
    fn each(self, cut: impl FnOnce(&OwnedFd) -> rustix::io::Result<()>) -> io::Result<bool> {
        let this_process = pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
        let mut refused = None;
        for entry in std::fs::read_dir("/proc/self/fd")? {
            let name = entry?.file_name();
            let Some(number) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            match pidfd_getfd(&this_process, number, PidfdGetfdFlags::empty()) {
                Ok(socket) if self.is(&socket) => {
                    cut(&socket)?;
                    return Ok(true);
                }
                Ok(_) => {}
                // Closed since it was listed.
                Err(rustix::io::Errno::BADF) => {}
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            Some(error) => Err(error.into()),
            None => Ok(false),
        }
    }

    fn is(&self, socket: &OwnedFd) -> bool {
        let stream = sockopt::socket_type(socket).is_ok_and(|kind| kind == SocketType::STREAM);
        // Most descriptors are no sockets, or not connected: an error is a no.
        let remote = || rustix::net::getpeername(socket).ok().flatten();
        let local = || rustix::net::getsockname(socket).ok();
        stream
            && remote().is_some_and(|remote| is_same(remote, self.remote))
            && (self.local).is_none_or(|own| local().is_some_and(|local| is_same(local, own)))
    }
}

/// Whether they mean the same: an IPv4 address may be written as an IPv6 one, and only one side may
/// know the scope of a link-local one.
fn is_same(found: SocketAddrAny, wanted: SocketAddr) -> bool {
    let ends =
        |address: SocketAddr| -> (IpAddr, u16) { (address.ip().to_canonical(), address.port()) };
    SocketAddr::try_from(found).is_ok_and(|found| ends(found) == ends(wanted))
}
