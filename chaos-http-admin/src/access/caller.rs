//! Who asks: what the door has found out, and every write is signed with.

use std::convert::Infallible;

use axum::{extract::FromRequestParts, http::request::Parts};
use chaos_core::Who;

use crate::{
    access::{Token, peer::Peer, role::Role},
    openapi::operation::{Asks, Operation},
};

/// Someone whom the door has let in.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) role: Role,
    who: Who,
}

/// The door brings it, and no request.
impl Asks for Caller {
    fn asks(_: &mut Operation) {}
}

impl Caller {
    /// The owner of a token.
    pub(crate) fn known(token: &Token, peer: &Peer) -> Self {
        Self {
            role: token.role,
            who: named(&token.name, peer),
        }
    }

    /// Whoever comes to a port that asks for no token, and may do everything there.
    pub(crate) fn anyone(peer: &Peer) -> Self {
        Self {
            role: Role::Arm,
            who: named(&peer.name(), peer),
        }
    }

    /// With their reason, if they gave one.
    pub(crate) fn because(&self, reason: Option<impl AsRef<str>>) -> Who {
        match reason {
            Some(reason) => self.who.clone().because(reason),
            None => self.who.clone(),
        }
    }
}

/// Someone who is not let in.
pub(crate) fn stranger(peer: &Peer) -> Who {
    named("stranger", peer)
}

fn named(name: &str, peer: &Peer) -> Who {
    let who = match &peer.certificate {
        Some(certificate) => Who::new(format!("{name}, certificate {certificate}")),
        None => Who::new(name),
    };
    match peer.address() {
        Some(address) => who.at(address),
        None => who,
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let caller = parts.extensions.get::<Self>().cloned();
        Ok(caller.expect("what needs a right is behind the door, which names all it lets in"))
    }
}
