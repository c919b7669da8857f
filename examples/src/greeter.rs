//! The greeter: a tonic service with a method of each kind, and what it takes to hurt it.
//!
//! Where faults may happen: `grpc.server`, around all methods.

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
    stop::{Latch, join},
};

/// What a user can choose.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the greeter is served.
    pub listen: SocketAddr,
    /// Where faults are armed.
    pub admin: SocketAddr,
    /// Files of rules to follow, besides what the environment says.
    pub rules: Vec<PathBuf>,
}

/// A greeter with its ports open, not serving yet.
#[derive(Debug)]
pub struct Greeter {
    incoming: TcpIncoming,
    address: SocketAddr,
    admin: chaos_http_admin::Server,
    /// Followed as long as the greeter runs.
    _sources: Sources,
}

impl Greeter {
    /// Opens the ports.
    ///
    /// # Errors
    /// If one of them does not open, or the rules that it starts with are not good; the message says
    /// which.
    pub async fn open(options: Options) -> Result<Self, Error> {
        let listen = options.listen;
        let incoming = TcpIncoming::bind(listen)
            .map_err(|error| format!("cannot listen on {listen}: {error}"))?;
        let sources = Sources::arm(chaos_core::global(), &options.rules)?;
        let admin = guarded(Admin::new(chaos_core::global().clone()))?;
        let admin = sources.shown_by(admin).bind(options.admin).await?;
        Ok(Self {
            _sources: sources,
            address: incoming.local_addr()?,
            // Without it, small answers wait for the acknowledgement of the ones before them.
            incoming: incoming.with_nodelay(Some(true)),
            admin,
        })
    }

    /// Where the greeter is served.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where faults are armed.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.local_addr()
    }

    /// Serves until `stop` is ready; then it halts all faults, so that none holds a call up, and
    /// waits until what is under way has ended: five seconds at most.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (stopping, drained) = (Latch::new(), Latch::new());
        let methods = Methods::new(stopping.clone());
        let greeter = Server::builder()
            .layer(InjectLayer::new("grpc.server"))
            .add_service(GreeterServer::new(methods))
            .serve_with_incoming_shutdown(self.incoming, stopping.released());
        let greeter = tokio::spawn(greeter);
        // It outlives the greeter, so that one can watch it stop.
        let admin = tokio::spawn(self.admin.run(drained.released()));

        stop.await;
        tracing::info!("stopping");
        chaos_core::global().halt("shutting down");
        stopping.release();
        join("the greeter", greeter).await;
        drained.release();
        join("the admin port", admin).await;
    }
}
