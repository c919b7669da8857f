//! The authenticated caller of a request, in whose name its changes are recorded.

use std::{convert::Infallible, sync::Arc};

use axum::{extract::FromRequestParts, http::request::Parts};
use chaos_core::audit::Actor;

use crate::{
    access::{
        live_tokens::AcceptedToken, origin::Origin, peer::Peer, request_limits::Client, role::Role,
    },
    openapi::operation::{Asks, Operation},
};

/// The caller of a request, as [`authorize`](super::authorize) has authenticated it.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) role: Role,
    /// Whose requests wait for each other.
    pub(crate) client: Client,
    /// `None` if the port requires no access token.
    pub(crate) token: Option<AcceptedToken>,
    actor: Actor,
}

/// The caller comes from the middleware, not from a parameter of the request.
impl Asks for Caller {
    fn asks(_: &mut Operation) {}
}

impl Caller {
    /// Returns the owner of `token`.
    pub(crate) fn with_token(accepted: AcceptedToken, peer: &Peer) -> Self {
        let token = &accepted.token;
        Self {
            role: token.role,
            client: Client::Token(Arc::clone(&token.name)),
            actor: actor(&token.name, peer),
            token: Some(accepted),
        }
    }

    /// Returns the caller of a port that requires no access token, who may use every route.
    pub(crate) fn anyone(peer: &Peer) -> Self {
        Self {
            role: Role::Arm,
            client: Client::Anyone(peer.origin()),
            token: None,
            actor: actor(&peer.name(), peer),
        }
    }

    /// Returns whether no page in a browser can have sent the request: it presents a token, or comes from
    /// a process that connected to a Unix socket.
    pub(crate) fn is_no_page(&self) -> bool {
        matches!(
            self.client,
            Client::Token(_) | Client::Anyone(Origin::User(_))
        )
    }

    /// Returns the name under which the audit records what the caller does.
    pub(crate) fn name(&self) -> &str {
        self.actor.name()
    }

    /// Returns the actor for the audit, with the reason that the request gives.
    pub(crate) fn because(&self, reason: Option<impl AsRef<str>>) -> Actor {
        match reason {
            Some(reason) => self.actor.clone().because(reason),
            None => self.actor.clone(),
        }
    }
}

/// Returns the actor of a request without a valid access token, for the audit. Its name there is
/// `stranger`.
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
