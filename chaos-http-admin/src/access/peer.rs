//! The peer of a connection, as far as the connection identifies it.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{extract::ConnectInfo, http::Extensions};

use crate::access::{activity::Activity, origin::Origin};

/// The peer of the connection on which a request arrived. The server passes it in the request's
/// extensions, which a client cannot set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer {
    pub(crate) remote: Remote,
    /// The local address that the client connected to.
    pub(crate) local: Option<IpAddr>,
    /// The name in the client certificate, if one was required.
    pub(crate) certificate: Option<Arc<str>>,
    /// The record of the connection's activity; `None` if another server accepted the connection.
    pub(crate) activity: Option<Arc<Activity>>,
}

/// The remote end of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Remote {
    /// The router is nested into a server that does not provide the client's address.
    #[default]
    Unknown,
    Network(SocketAddr),
    /// A process of this machine, which connected through a Unix socket. Its id is `None` where the
    /// system does not tell it.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are none"))]
    Process {
        user: u32,
        id: Option<i32>,
    },
}

impl Peer {
    /// Returns the peer that the server has put into the extensions of a request.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        if let Some(peer) = extensions.get::<Self>() {
            return peer.clone();
        }
        let address = extensions.get::<ConnectInfo<SocketAddr>>();
        Self {
            remote: address.map_or(Remote::Unknown, |address| Remote::Network(address.0)),
            ..Self::default()
        }
    }

    /// Returns the caller's name at a port that requires no access token: `anyone`, or the user id
    /// of a process.
    pub(crate) fn name(&self) -> String {
        match self.remote {
            Remote::Process { user, .. } => format!("uid {user}"),
            Remote::Unknown | Remote::Network(_) => "anyone".to_owned(),
        }
    }

    /// Returns the address for the audit.
    pub(crate) fn address(&self) -> Option<String> {
        match self.remote {
            Remote::Unknown => None,
            Remote::Network(address) => Some(address.to_string()),
            Remote::Process { user, id: None } => Some(format!("unix: uid {user}")),
            Remote::Process { user, id: Some(id) } => Some(format!("unix: uid {user}, pid {id}")),
        }
    }

    /// Returns the key by which connections and failures are counted.
    pub(crate) fn origin(&self) -> Origin {
        match self.remote {
            Remote::Unknown => Origin::Unknown,
            Remote::Network(address) => Origin::of(address.ip()),
            Remote::Process { user, .. } => Origin::User(user),
        }
    }
}
