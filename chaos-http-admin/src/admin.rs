//! `Admin`: what to change, and who may ask. It becomes a router, or a port of its own.

use std::net::SocketAddr;

use axum::Router;
use chaos_core::{Injector, TokenKey};

use crate::{error::ServeError, guard::Hosts, routes, server::Server, tokens::Signer};

/// The admin service of one injector.
#[derive(Clone, Debug)]
#[must_use = "it serves nothing until it is a router or bound to a port"]
pub struct Admin {
    injector: Injector,
    hosts: Hosts,
    signer: Signer,
}

impl Admin {
    /// Shows and changes the rules of `injector`, for clients that know this machine as
    /// `localhost`, `127.0.0.1` or `[::1]`, with any port.
    pub fn new(injector: Injector) -> Self {
        Self {
            injector,
            hosts: Hosts::default(),
            signer: Signer::default(),
        }
    }

    /// Answers to one more name in `Host` and `Origin`: a host without its port, an IPv6 address in
    /// its brackets. This is needed where requests arrive under a name of their own, such as
    /// through a reverse proxy.
    pub fn allow_host(mut self, host: impl AsRef<str>) -> Self {
        self.hosts.allow(host.as_ref());
        self
    }

    /// Lets the port sign tokens with this key, at `POST /v1/tokens`. Whoever can use the port can then
    /// have rules travel with requests to every service that knows the key.
    pub fn token_key(mut self, key: TokenKey) -> Self {
        self.signer = Signer(Some(key));
        self
    }

    /// The routes, to nest into a router of your own: `nest("/chaos", …)` serves the page at
    /// `/chaos`, `nest_service("/chaos", …)` at `/chaos` and `/chaos/`.
    ///
    /// `Host` and `Origin` are checked, bodies and times are bounded. Whom else your router lets
    /// reach it is up to you: there is no authentication yet.
    pub fn router(&self) -> Router {
        routes::router(
            self.injector.clone(),
            self.hosts.clone(),
            self.signer.clone(),
        )
    }

    /// Opens a port of its own, to be [run](Server::run). Port 0 lets the system choose.
    ///
    /// # Errors
    /// If `address` can be reached from other machines, or the system refuses it.
    pub async fn bind(&self, address: SocketAddr) -> Result<Server, ServeError> {
        // An IPv4 address in IPv6's clothes is judged by what it is.
        if !address.ip().to_canonical().is_loopback() {
            return Err(ServeError::NotLoopback(address));
        }
        let host = match address {
            SocketAddr::V4(address) => address.ip().to_string(),
            SocketAddr::V6(address) => format!("[{}]", address.ip()),
        };
        Server::bind(address, self.clone().allow_host(host).router()).await
    }
}
