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
pub(crate) mod look;
#[cfg(feature = "connection")]
pub(crate) mod opening;
pub(crate) mod peer_address;
pub(crate) mod peer_watch;
#[cfg(all(feature = "reset", target_os = "linux"))]
pub(crate) mod reset;
#[cfg(feature = "connection")]
pub(crate) mod site_watch;
#[cfg(feature = "connection")]
pub(crate) mod socket;
#[cfg(feature = "connection")]
pub(crate) mod with_connection;

use http::{Extensions, Version, request::Parts};

/// A way to reach the connection of a request: its handle, or the address of its peer, or neither.
///
/// It is looked up when the call is decided, and kept by faults that cut the connection later.
pub(crate) struct Connection {
    #[cfg(feature = "connection")]
    handle: Option<crate::connection::handle::ConnectionHandle>,
    #[cfg(all(feature = "reset", target_os = "linux"))]
    peer: Option<crate::connection::reset::Peer>,
    #[cfg(all(feature = "reset", target_os = "linux"))]
    place: crate::connection::reset::Place,
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
            #[cfg(all(feature = "reset", target_os = "linux"))]
            place: crate::connection::reset::Place::default(),
        }
    }

    /// Returns whether there is a way to reach the connection.
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

    /// Returns the connection of a request of HTTP/1, if it is known and the server may not notice that its
    /// client has gone: it reads from the connection only once it has passed on what it has read before.
    pub(crate) fn to_look_at(head: &Parts) -> Option<Box<Self>> {
        #[cfg_attr(
            not(all(feature = "reset", target_os = "linux")),
            expect(unused_mut, reason = "there is no place to find")
        )]
        let mut connection = Self::of(&head.extensions);
        if head.version >= Version::HTTP_2 || !connection.is_known() {
            return None;
        }
        #[cfg(all(feature = "reset", target_os = "linux"))]
        if let (false, Some(peer)) = (connection.has_handle(), connection.peer) {
            peer.find_place(&mut connection.place);
        }
        Some(Box::new(connection))
    }

    /// Returns whether there is a connection [to look at](Self::to_look_at).
    pub(crate) fn is_looked_at(head: &Parts) -> bool {
        head.version < Version::HTTP_2 && Self::of(&head.extensions).is_known()
    }

    fn has_handle(&self) -> bool {
        #[cfg(feature = "connection")]
        return self.handle.is_some();
        #[cfg(not(feature = "connection"))]
        false
    }

    /// Returns whether the client has closed the connection, or sends no more, as far as it is known.
    pub(crate) fn has_gone(&mut self) -> bool {
        #[cfg(feature = "connection")]
        if let Some(handle) = &self.handle {
            return handle.closed_by_peer().is_some();
        }
        #[cfg(all(feature = "reset", target_os = "linux"))]
        if let Some(peer) = self.peer {
            return peer.has_gone(&mut self.place);
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
