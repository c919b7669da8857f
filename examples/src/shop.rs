//! The shop: an axum service with a database and a payment provider, and what it takes to hurt it.
//!
//! Where faults may happen: `http.server` around all routes (`routes`), `db.read` and `db.write`
//! (`db`), and `http.client` before the payment call (`payment`).

mod db;
mod events;
mod failure;
mod payment;
mod picture;
mod routes;
mod traffic;

use std::{net::SocketAddr, path::PathBuf};

use axum::{Router, serve::ListenerExt};
use chaos_http_admin::{Admin, AuditFile, Webhook};
use tokio::net::TcpListener;

use crate::{
    Error,
    access::guarded,
    rules::Sources,
    shop::{db::Db, events::Feed, payment::Payments, routes::App},
    stop::{Latch, join},
};

/// What a user can choose.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the shop is served.
    pub listen: SocketAddr,
    /// Where faults are armed.
    pub admin: SocketAddr,
    /// Whether it visits itself.
    pub traffic: bool,
    /// Files of rules to follow, besides what the environment says.
    pub rules: Vec<PathBuf>,
    /// The file that holds who armed what.
    pub audit: Option<PathBuf>,
    /// Who is told of what is armed and halted.
    pub webhook: Option<String>,
}

/// A shop with its ports open, not serving yet.
#[derive(Debug)]
pub struct Shop {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    admin: chaos_http_admin::Server,
    provider: TcpListener,
    traffic: bool,
    stopping: Latch,
    /// Followed as long as the shop runs.
    _sources: Sources,
}

impl Shop {
    /// Opens the database, the ports and the audit file.
    ///
    /// # Errors
    /// If one of them does not open, or the rules that it starts with are not good; the message says
    /// which.
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
        let admin = admin.bind(options.admin).await?;
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
            router: routes::router(app),
            admin,
            provider,
            traffic: options.traffic,
            stopping,
            _sources: sources,
        })
    }

    /// Where the shop is served.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where faults are armed.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.local_addr()
    }

    /// Serves until `stop` is ready, and then until what is under way has ended: five seconds at
    /// most for the shop, and as many for what it stands on.
    ///
    /// # Errors
    /// If the visitors cannot be set up.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), Error> {
        let (stopping, drained) = (self.stopping, Latch::new());
        // Without it, an answer in parts waits for the acknowledgement of the parts before.
        let listener = self.listener.tap_io(|connection| {
            if let Err(error) = connection.set_nodelay(true) {
                tracing::debug!("a connection is slow: {error}");
            }
        });
        // With the peer's address, a rule can reset its connection.
        let router = self.router;
        let router = router.into_make_service_with_connect_info::<SocketAddr>();
        let shop = axum::serve(listener, router);
        let shop = tokio::spawn(
            shop.with_graceful_shutdown(stopping.released())
                .into_future(),
        );
        // These outlive the shop: its last checkouts still pay, and a rule that keeps it from
        // stopping can still be halted.
        let provider = axum::serve(self.provider, payment::provider());
        let provider = provider.with_graceful_shutdown(drained.released());
        let provider = tokio::spawn(provider.into_future());
        let admin = tokio::spawn(self.admin.run(drained.released()));
        let visitors = match self.traffic {
            true => Some(tokio::spawn(traffic::visit(self.address)?)),
            false => None,
        };

        stop.await;
        tracing::info!("stopping");
        stopping.release();
        if let Some(visitors) = visitors {
            visitors.abort();
        }
        join("the shop", shop).await;
        drained.release();
        tokio::join!(
            join("the payments", provider),
            join("the admin port", admin)
        );
        Ok(())
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|error| format!("cannot listen on {address}: {error}").into())
}
