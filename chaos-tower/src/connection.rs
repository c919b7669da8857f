//! `Connection`: the connection that a request came on, as far as it is known.

#[cfg(feature = "connection")]
pub(crate) mod connection_faults;
#[cfg(feature = "connection")]
pub(crate) mod direction_faults;
#[cfg(feature = "connection")]
pub(crate) mod goaway;
#[cfg(feature = "connection")]
pub(crate) mod handle;
#[cfg(feature = "connection")]
pub(crate) mod io;
#[cfg(feature = "connection")]
pub(crate) mod listener;
#[cfg(feature = "connection")]
pub(crate) mod opening;
pub(crate) mod peer_address;
#[cfg(all(feature = "reset", target_os = "linux"))]
pub(crate) mod reset;
#[cfg(feature = "connection")]
pub(crate) mod socket;
#[cfg(feature = "connection")]
pub(crate) mod with_connection;

use http::Extensions;

/// A way to reach the connection of a request: its handle, or the address of its peer, or neither.
///
/// It is looked up when the call is decided, and kept by faults that cut the connection later.
pub(crate) struct Connection {
    #[cfg(feature = "connection")]
    handle: Option<crate::connection::handle::ConnectionHandle>,
    #[cfg(all(feature = "reset", target_os = "linux"))]
    peer: Option<crate::connection::reset::Peer>,
}

impl Connection {
    pub(crate) fn of(extensions: &Extensions) -> Self {
        // Without either feature, the connection is not known.
        let _ = extensions;
        Self {
            #[cfg(feature = "connection")]
            handle: crate::connection::handle::ConnectionHandle::of(extensions).cloned(),
            #[cfg(all(feature = "reset", target_os = "linux"))]
            peer: crate::connection::reset::Peer::of(extensions),
        }
    }

    /// Whether there is a way to reach it.
    pub(crate) fn is_known(&self) -> bool {
        #[cfg(feature = "connection")]
        if self.handle.is_some() {
            return true;
        }
        #[cfg(all(feature = "reset", target_os = "linux"))]
        if self.peer.is_some() {
            return true;
        }
        false
    }

    pub(crate) fn reset(&self) {
        #[cfg(feature = "connection")]
        if let Some(handle) = &self.handle {
            handle.reset();
            #[cfg(all(feature = "reset", target_os = "linux"))]
            return;
        }
        #[cfg(all(feature = "reset", target_os = "linux"))]
        if let Some(peer) = self.peer {
            // The call is cut off even if the connection cannot be reset.
            let _ = peer.reset();
        }
    }

    pub(crate) fn close(&self) {
        #[cfg(feature = "connection")]
        if let Some(handle) = &self.handle {
            handle.close();
            #[cfg(all(feature = "reset", target_os = "linux"))]
            return;
        }
        #[cfg(all(feature = "reset", target_os = "linux"))]
        if let Some(peer) = self.peer {
            // The call is cut off even if the connection cannot be closed.
            let _ = peer.close();
        }
    }

    pub(crate) fn go_away(&self) {
        #[cfg(feature = "connection")]
        if let Some(handle) = &self.handle {
            handle.go_away();
        }
    }
}
