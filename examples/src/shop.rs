//! The shop: an axum service with a database, a payment provider and an admin port.
//!
//! Its sites are `http.server` around all routes (`routes`), `db.read` and `db.write` (`db`), and
//! `http.client` before the payment call (`payment`).

mod db;
mod events;
mod failure;
#[cfg(feature = "fleet")]
mod fleet;
mod payment;
mod picture;
mod routes;
mod traffic;

use std::{net::SocketAddr, path::PathBuf};

use axum::{Router, serve::ListenerExt};
use chaos_http_admin::{Admin, AuditFile, Webhook};
use tokio::net::TcpListener;

#[cfg(feature = "fleet")]
pub use self::fleet::FleetArgs;
use crate::{
    Error,
    access::guarded,
    rules::Sources,
    shop::{db::Db, events::Feed, payment::Payments, routes::App},
    stop::{self, Latch, join},
};

/// The shop's command-line options.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address that the shop listens on.
    pub listen: SocketAddr,
    /// The address that the admin port listens on.
    pub admin: SocketAddr,
    /// Whether the shop sends requests to itself, a few per second.
    pub traffic: bool,
    /// Whether the layer `http.server` is around the routes. Without it, one measures what it costs.
    pub layer: bool,
    /// Rules files to load and watch, in addition to those that the environment names.
    pub rules: Vec<PathBuf>,
    /// The audit file to append to.
    pub audit: Option<PathBuf>,
    /// The webhook that is notified when rules are armed or injection is halted.
    pub webhook: Option<String>,
    /// The fleet that the shop takes part in.
    #[cfg(feature = "fleet")]
    pub fleet: FleetArgs,
}

/// A shop that listens on its ports and doesn't serve yet.
#[derive(Debug)]
pub struct Shop {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    admin: chaos_http_admin::Server,
    provider: TcpListener,
    traffic: bool,
    stopping: Latch,
    /// Dropping it would stop the watching of rules files.
    _sources: Sources,
    /// Dropping it would end the rules of the fleet.
    #[cfg(feature = "fleet")]
    _member: Option<chaos_fleet::Member>,
}

impl Shop {
    /// Opens the database and the audit file, binds the ports and loads the rules.
    ///
    /// # Errors
    /// Returns an error if one of them cannot be opened, or if the access tokens, the webhook's URL or
    /// the initial rules are invalid; the message says which.
    pub async fn open(options: Options) -> Result<Self, Error> {
        let listener = listen(options.listen).await?;
        let address = listener.local_addr()?;
        let provider = listen(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let stopping = Latch::new();
        let sources = Sources::arm(chaos_core::global(), &options.rules)?;
        let mut admin = sources.shown_by(guarded(Admin::new(chaos_core::global().clone()))?);
        if let Some(path) = &options.audit {
            let file = AuditFile::open(chaos_core::global(), path);
            let file = file.map_err(|error| format!("{}: {error}", path.display()))?;
            admin = admin.audit_file(&file);
        }
        if let Some(url) = &options.webhook {
            admin = admin.webhook(Webhook::json(url)?.service("shop"));
        }
        #[cfg(feature = "fleet")]
        let member = options.fleet.join(chaos_core::global())?;
        #[cfg(feature = "fleet")]
        if let Some(member) = &member {
            let (handle, counted) = (member.handle(), member.handle());
            admin = admin.source("fleet", move || handle.problem());
            admin = admin.fleet_documents(move || counted.status().document_counts());
        }
        // Polled on the port's thread: a fault that holds every thread of the shop cannot hold it.
        let admin = admin.bind(options.admin)?.halt_on(stop::asked());
        let app = App {
            db: Db::open().await?,
            payments: Payments::new(provider.local_addr()?)?,
            feed: Feed::new(),
            stopping: stopping.clone(),
            admin: admin.local_addr(),
        };
        Ok(Self {
            listener,
            address,
            router: routes::router(app, options.layer),
            admin,
            provider,
            traffic: options.traffic,
            stopping,
            _sources: sources,
            #[cfg(feature = "fleet")]
            _member: member,
        })
    }

    /// Returns the address that the shop listens on.
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
    /// shop's requests in progress, then up to five more for the payment provider and the admin port.
    ///
    /// # Errors
    /// Returns an error if the client for the shop's own traffic cannot be created.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), Error> {
        let (stopping, drained) = (self.stopping, Latch::new());
        // With Nagle's algorithm, a chunk of a response would wait until the previous one is
        // acknowledged.
        let listener = self.listener.tap_io(|connection| {
            if let Err(error) = connection.set_nodelay(true) {
                tracing::debug!("cannot set TCP_NODELAY on a connection: {error}");
            }
        });
        // `abort: "reset"` finds a connection by its peer's address.
        let router = self.router;
        let router = router.into_make_service_with_connect_info::<SocketAddr>();
        let shop = axum::serve(listener, router);
        let shop = tokio::spawn(
            shop.with_graceful_shutdown(stopping.released())
                .into_future(),
        );
        // The provider and the admin port stop after the shop: its last checkouts can still be
        // paid, and a rule that blocks the shutdown can still be halted.
        let provider = axum::serve(self.provider, payment::provider());
        let provider = provider.with_graceful_shutdown(drained.released());
        let provider = tokio::spawn(provider.into_future());
        let visits = match self.traffic {
            true => Some(tokio::spawn(traffic::visit(self.address)?)),
            false => None,
        };

        stop.await;
        tracing::info!("stopping");
        stopping.release();
        if let Some(visits) = visits {
            visits.abort();
        }
        join("the shop", shop).await;
        drained.release();
        tokio::join!(join("the payments", provider), self.admin.stop());
        Ok(())
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|error| format!("cannot listen on {address}: {error}").into())
}
