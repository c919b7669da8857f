//! The connection that a request came on, as far as it is known.

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

/// What can be done to it: all that its handle can, or, where it has none, what its peer's address
/// is enough for; or nothing.
///
/// It is kept by what is done to it later than the call is decided.
pub(crate) struct Connection {
    #[cfg(feature = "connection")]
    handle: Option<crate::connection::handle::ConnectionHandle>,
    #[cfg(all(feature = "reset", target_os = "linux"))]
    peer: Option<crate::connection::reset::Peer>,
}

impl Connection {
    pub(crate) fn of(extensions: &Extensions) -> Self {
        // Without either feature, nothing can be known.
        let _ = extensions;
        Self {
            #[cfg(feature = "connection")]
            handle: crate::connection::handle::ConnectionHandle::of(extensions).cloned(),
            #[cfg(all(feature = "reset", target_os = "linux"))]
            peer: crate::connection::reset::Peer::of(extensions),
        }
    }

    pub(crate) fn reset(&self) {
        #[cfg(feature = "connection")]
        if let Some(handle) = &self.handle {
            return handle.reset();
        }
        #[cfg(all(feature = "reset", target_os = "linux"))]
        if let Some(peer) = self.peer {
            // If it cannot be, the call is cut off all the same.
            let _ = peer.reset();
        }
    }

    pub(crate) fn go_away(&self) {
        #[cfg(feature = "connection")]
        if let Some(handle) = &self.handle {
            handle.go_away();
        }
    }
}
