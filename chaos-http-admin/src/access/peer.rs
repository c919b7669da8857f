//! The other end of a connection, as far as the connection tells.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{extract::ConnectInfo, http::Extensions};

use crate::{access::origin::Origin, server::connection_slots::Place};

/// Where a request comes from. Our own server puts it among a request's extensions, where no client
/// can.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer {
    pub(crate) end: End,
    /// The address on this machine that was connected to.
    pub(crate) local: Option<IpAddr>,
    /// Whom its certificate names, if it had to show one.
    pub(crate) certificate: Option<Arc<str>>,
    /// What its connection holds of ours.
    pub(crate) place: Option<Arc<Place>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum End {
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
            end: address.map_or(End::Unknown, |address| End::Network(address.0)),
            ..Self::default()
        }
    }

    /// Who it is to a port that asks for no token.
    pub(crate) fn name(&self) -> String {
        match self.end {
            End::Process { user, .. } => format!("uid {user}"),
            End::Unknown | End::Network(_) => "anyone".to_owned(),
        }
    }

    /// From where, as the audit says it.
    pub(crate) fn address(&self) -> Option<String> {
        match self.end {
            End::Unknown => None,
            End::Network(address) => Some(address.to_string()),
            End::Process { user, id: None } => Some(format!("unix: uid {user}")),
            End::Process { user, id: Some(id) } => Some(format!("unix: uid {user}, pid {id}")),
        }
    }

    pub(crate) fn origin(&self) -> Origin {
        match self.end {
            End::Unknown => Origin::Unknown,
            End::Network(address) => Origin::of(address.ip()),
            End::Process { user, .. } => Origin::User(user),
        }
    }
}
