//! The other end of a connection, as far as the connection tells.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{extract::ConnectInfo, http::Extensions};

use crate::access::{activity::Activity, origin::Origin};

/// Where a request comes from. Our own server puts it among a request's extensions, where no client
/// can.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer {
    pub(crate) remote: Remote,
    /// The address on this machine that was connected to.
    pub(crate) local: Option<IpAddr>,
    /// Whom its certificate names, if it had to show one.
    pub(crate) certificate: Option<Arc<str>>,
    /// What its connection holds of ours.
    pub(crate) activity: Option<Arc<Activity>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Remote {
    /// Nested into a router that says nothing of addresses.
    #[default]
    Unknown,
    Network(SocketAddr),
    /// A process of this machine: its user, and its number where the system tells.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are none"))]
    Process {
        user: u32,
        id: Option<i32>,
    },
}

impl Peer {
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

    /// Who it is to a port that asks for no token.
    pub(crate) fn name(&self) -> String {
        match self.remote {
            Remote::Process { user, .. } => format!("uid {user}"),
            Remote::Unknown | Remote::Network(_) => "anyone".to_owned(),
        }
    }

    /// From where, as the audit says it.
    pub(crate) fn address(&self) -> Option<String> {
        match self.remote {
            Remote::Unknown => None,
            Remote::Network(address) => Some(address.to_string()),
            Remote::Process { user, id: None } => Some(format!("unix: uid {user}")),
            Remote::Process { user, id: Some(id) } => Some(format!("unix: uid {user}, pid {id}")),
        }
    }

    pub(crate) fn origin(&self) -> Origin {
        match self.remote {
            Remote::Unknown => Origin::Unknown,
            Remote::Network(address) => Origin::of(address.ip()),
            Remote::Process { user, .. } => Origin::User(user),
        }
    }
}
