//! The greeter: a tonic service with each kind of gRPC method, and its admin port.
//!
//! It has one site, `grpc.server`, around all methods.

mod methods;
pub mod proto;

use std::{net::SocketAddr, path::PathBuf};

use chaos_http_admin::Admin;
use chaos_tower::InjectLayer;
use tonic::transport::{Server, server::TcpIncoming};

use crate::{
    Error,
    access::guarded,
    greeter::{methods::Methods, proto::greeter_server::GreeterServer},
    rules::Sources,
    stop::{self, Latch, join},
};

/// The greeter's command-line options.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address that the greeter listens on.
    pub listen: SocketAddr,
    /// The address that the admin port listens on.
    pub admin: SocketAddr,
    /// Rules files to load and watch, in addition to those that the environment names.
    pub rules: Vec<PathBuf>,
    /// Whether the layer `grpc.server` is around the methods. Without it, one measures what it costs.
    pub layer: bool,
}

/// A greeter that listens on its ports and doesn't serve yet.
#[derive(Debug)]
pub struct Greeter {
    incoming: TcpIncoming,
    address: SocketAddr,
    admin: chaos_http_admin::Server,
    has_layer: bool,
    /// Dropping it would stop the watching of rules files.
    _sources: Sources,
}

impl Greeter {
    /// Binds both ports and loads the rules.
    ///
    /// # Errors
    /// Returns an error if a port cannot be bound, or if the access tokens or the initial rules are
    /// invalid; the message says which.
    pub async fn open(options: Options) -> Result<Self, Error> {
        let listen = options.listen;
        let incoming = TcpIncoming::bind(listen)
            .map_err(|error| format!("cannot listen on {listen}: {error}"))?;
        let sources = Sources::arm(chaos_core::global(), &options.rules)?;
        let admin = guarded(Admin::new(chaos_core::global().clone()))?;
        let admin = sources.shown_by(admin).bind(options.admin)?;
        // So that no fault delays the shutdown.
        let admin = admin.halt_on(stop::asked());
        Ok(Self {
            _sources: sources,
            address: incoming.local_addr()?,
            // With Nagle's algorithm, a small reply would wait until the previous one is acknowledged.
            incoming: incoming.with_nodelay(Some(true)),
            admin,
            has_layer: options.layer,
        })
    }

    /// Returns the address that the greeter listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address that the admin port listens on.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.local_addr()
    }

    /// Serves until `stop` completes, then shuts down gracefully: it waits up to five seconds for the
    /// calls in progress, then as long for the admin port.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let stopping = Latch::new();
        let methods = Methods::new(stopping.clone());
        let (incoming, methods) = (self.incoming, GreeterServer::new(methods));
        let greeter = match self.has_layer {
            true => {
                let server = Server::builder().layer(InjectLayer::new("grpc.server"));
                let router = { server }.add_service(methods);
                tokio::spawn(router.serve_with_incoming_shutdown(incoming, stopping.released()))
            }
            false => {
                let router = Server::builder().add_service(methods);
                tokio::spawn(router.serve_with_incoming_shutdown(incoming, stopping.released()))
            }
        };

        stop.await;
        tracing::info!("stopping");
        stopping.release();
        join("the greeter", greeter).await;
        // The admin port stops last, so that an operator can observe the shutdown.
        self.admin.stop().await;
    }
}
