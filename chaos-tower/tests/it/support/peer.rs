//! A client of either protocol.

use std::net::SocketAddr;

use crate::support::{ask::Ask, heard::Heard, http1::Http1, http2::Http2};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

impl Protocol {
    pub(crate) const BOTH: [Self; 2] = [Self::Http1, Self::Http2];

    /// The one or the other.
    pub(crate) fn either<T>(self, http1: T, http2: T) -> T {
        match self {
            Self::Http1 => http1,
            Self::Http2 => http2,
        }
    }
}

pub(crate) enum Peer {
    Http1(Http1),
    Http2(Http2),
}

impl Peer {
    pub(crate) async fn connect(protocol: Protocol, address: SocketAddr) -> Self {
        match protocol {
            Protocol::Http1 => Self::Http1(Http1::connect(address).await),
            Protocol::Http2 => Self::Http2(Http2::connect(address).await),
        }
    }

    /// Asks, and hears the answer out. Dropped meanwhile, it has not gone; the peer has to be, too.
    pub(crate) async fn ask(&mut self, ask: &Ask) -> Heard {
        match self {
            Self::Http1(peer) => peer.ask(ask).await,
            Self::Http2(peer) => peer.ask(ask).await,
        }
    }
}
