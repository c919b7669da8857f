//! Who asks: what the authorizer has found out, and every write is signed with.

use std::convert::Infallible;

use axum::{extract::FromRequestParts, http::request::Parts};
use chaos_core::Actor;

use crate::{
    access::{access_tokens::AccessToken, peer::Peer, role::Role},
    openapi::operation::{Asks, Operation},
};

/// Someone whom the authorizer has let in.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) role: Role,
    actor: Actor,
}

/// The authorizer brings it, and no request.
impl Asks for Caller {
    fn asks(_: &mut Operation) {}
}

impl Caller {
    /// The owner of a token.
    pub(crate) fn with_token(token: &AccessToken, peer: &Peer) -> Self {
        Self {
            role: token.role,
            actor: actor(&token.name, peer),
        }
    }

    /// Whoever comes to a port that asks for no token, and may do everything there.
    pub(crate) fn anyone(peer: &Peer) -> Self {
        Self {
            role: Role::Arm,
            actor: actor(&peer.name(), peer),
        }
    }

    /// With their reason, if they gave one.
    pub(crate) fn because(&self, reason: Option<impl AsRef<str>>) -> Actor {
        match reason {
            Some(reason) => self.actor.clone().because(reason),
            None => self.actor.clone(),
        }
    }
}

/// Someone who is not let in.
pub(crate) fn unauthenticated(peer: &Peer) -> Actor {
    actor("stranger", peer)
}

fn actor(name: &str, peer: &Peer) -> Actor {
    let actor = match &peer.certificate {
        Some(certificate) => Actor::new(format!("{name}, certificate {certificate}")),
        None => Actor::new(name),
    };
    match peer.address() {
        Some(address) => actor.at(address),
        None => actor,
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let caller = parts.extensions.get::<Self>().cloned();
        Ok(
            caller
                .expect("what needs a right is behind the authorizer, which names all it lets in"),
        )
    }
}
