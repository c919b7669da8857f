//! `Admin`: what to change, and who may ask. It becomes a router, or a port of its own.

use std::{net::SocketAddr, sync::Arc};

use axum::{Extension, Router};
use chaos_core::{Injector, TokenKey};

use crate::{
    access::{access_tokens::AccessTokens, authorize::Authorizer, host_check::Hosts},
    error::ServeError,
    followers::Followers,
    history::audit_file::AuditFile,
    metrics::Metrics,
    routes,
    routes::tokens::Signer,
    server::{Server, listener::Listener},
};

/// The admin service of one injector.
#[derive(Clone, Debug)]
#[must_use = "it serves nothing until it is a router or bound to a port"]
pub struct Admin {
    injector: Injector,
    hosts: Hosts,
    signer: Signer,
    metrics: Metrics,
    tokens: Option<AccessTokens>,
    plaintext_tokens: bool,
    #[cfg(feature = "tls")]
    tls: Option<crate::Tls>,
    followers: Followers,
}

impl Admin {
    /// Shows and changes the rules of `injector`, for clients that know this machine as
    /// `localhost`, `127.0.0.1` or `[::1]`, with any port.
    pub fn new(injector: Injector) -> Self {
        Self {
            followers: Followers::of(&injector),
            metrics: Metrics::of(&injector),
            injector,
            hosts: Hosts::default(),
            signer: Signer::default(),
            tokens: None,
            plaintext_tokens: false,
            #[cfg(feature = "tls")]
            tls: None,
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

    /// Asks everyone for one of these access tokens, and lets its owner do what its
    /// [role](crate::Role) allows; the console page and `GET /healthz` stay open to all. Without any in
    /// the list, nobody gets in.
    ///
    /// Without this call, whoever reaches the port may do everything: on loopback, every user of the
    /// machine.
    pub fn access_tokens(mut self, tokens: AccessTokens) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Shows in the status, and among the metrics, how this file fares. It is written whether or not anyone shows it.
    pub fn audit_file(mut self, file: &AuditFile) -> Self {
        self.followers.file = Some(file.clone());
        self.metrics = self.metrics.audit_file(file);
        self
    }

    /// Tells a webhook of what is armed, halted, resumed, expired and stopped by a guard rail, from the
    /// first entry of the injector's [audit](Injector::audit) on.
    ///
    /// It has a thread of its own, so it holds up nothing else. Messages come in order; each is tried
    /// again, after waits that grow, for a minute at most ([`within`](crate::Webhook::within)). What answers 4xx is
    /// not asked again, except for 408 and 429. The status says how many were `delivered`, how many
    /// `failed`, and how many entries were `lost`: forgotten by the audit before it was their turn.
    /// What is under way when the last clone of this and of its routers is gone is given up.
    #[cfg(feature = "webhooks")]
    pub fn webhook(mut self, webhook: crate::Webhook) -> Self {
        let delivery = crate::webhook::delivery::Delivery::start(&self.injector, webhook);
        self.followers.webhooks.push(delivery);
        self
    }

    /// Shows in the status, and as `chaos_source_failing` among the metrics, what is wrong with rules that
    /// come another way: `problem` says it of the source `name`, or `None` while all is well. It is
    /// asked whenever someone looks, so it must not take long.
    ///
    /// ```
    /// # use chaos_http_admin::Admin;
    /// # let (injector, refused) = (chaos_core::Injector::new(), std::sync::Mutex::new(None::<String>));
    /// let admin = Admin::new(injector).source("rules.yaml", move || refused.lock().ok()?.clone());
    /// ```
    pub fn source(
        mut self,
        name: impl Into<Arc<str>>,
        problem: impl Fn() -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let (name, problem) = (name.into(), Arc::new(problem));
        let others = &mut self.followers.sources;
        others.add(Arc::clone(&name), Arc::clone(&problem) as _);
        self.metrics.sources.add(name, problem);
        self
    }

    /// Ends the streams of events that are open now, as a [`Server`] does by itself when it stops. A
    /// graceful shutdown of the server that the [`router`](Self::router) is nested into would wait for
    /// them.
    pub fn end_events(&self) {
        self.followers.feed.end();
    }

    /// Has `chaos_tokens_total` among the metrics, as [`Metrics::tokens_seen`] does.
    pub fn tokens_seen<C>(mut self, counts: impl Fn() -> C + Send + Sync + 'static) -> Self
    where
        C: IntoIterator<Item = (&'static str, u64)>,
    {
        self.metrics = self.metrics.tokens_seen(counts);
        self
    }

    /// What `GET /metrics` serves. Injections are counted since this `Admin` was made.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The routes, to nest into a router of your own: `nest("/chaos", …)` serves the page at
    /// `/chaos`, `nest_service("/chaos", …)` at `/chaos` and `/chaos/`.
    ///
    /// `Host`, `Origin` and access tokens are checked, bodies and times are bounded. Connections are
    /// the server's affair, and so is TLS. The audit says from where a request came if the server
    /// tells, as `into_make_service_with_connect_info::<SocketAddr>` has it do.
    pub fn router(&self) -> Router {
        let injector = self.injector.clone();
        let authorizer = Authorizer::new(injector.clone(), self.hosts.clone(), self.tokens.clone());
        let router = routes::router(
            injector,
            authorizer,
            self.signer.clone(),
            self.followers.clone(),
        );
        router.layer(Extension(self.metrics.clone()))
    }

    /// Has the port that [`bind`](Self::bind) opens speak TLS, and nothing else.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: crate::Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Lets [`bind`](Self::bind) open a port without TLS to other machines, although **whoever listens
    /// on the network then reads every access token that is used**, and with it breaks this service.
    /// This is for a network that encrypts by itself, or a proxy in front that speaks TLS.
    pub fn allow_plaintext_access_tokens(mut self) -> Self {
        self.plaintext_tokens = true;
        self
    }

    /// Opens a port of its own, to be [run](Server::run). Port 0 lets the system choose.
    ///
    /// # Errors
    /// If the system refuses the address, or if other machines can reach it and there are no access
    /// [tokens](Self::access_tokens), or no TLS and nobody [allowed](Self::allow_plaintext_access_tokens) to go without.
    pub async fn bind(&self, address: SocketAddr) -> Result<Server, ServeError> {
        #[cfg(feature = "tls")]
        let tls = self.tls.clone();
        #[cfg(not(feature = "tls"))]
        let tls: Option<std::convert::Infallible> = None;
        // An IPv4 address in IPv6's clothes is judged by what it is.
        if !address.ip().to_canonical().is_loopback() {
            if self.tokens.as_ref().is_none_or(AccessTokens::is_empty) {
                return Err(ServeError::NotLoopback(address));
            }
            if tls.is_none() && !self.plaintext_tokens {
                return Err(ServeError::Plaintext(address));
            }
        }
        let wrap = |listener| match tls {
            None => Listener::Tcp(listener),
            #[cfg(feature = "tls")]
            Some(tls) => Listener::Tls(listener, tls),
            #[cfg(not(feature = "tls"))]
            Some(never) => match never {},
        };
        Server::bind(address, wrap, self.router(), self.followers.feed.clone()).await
    }

    /// Opens a port of its own on a Unix socket, to be [run](crate::UnixServer::run). Only the user whom
    /// this process runs as, and root, can connect: the file has mode 0600 from the start. Any `Host` is
    /// as good as another there.
    ///
    /// A socket of that name that nobody listens on is replaced. Of two processes that do so at the same
    /// time, either may end up with it.
    ///
    /// # Errors
    /// If someone listens there, the name is that of another file, or the system refuses it.
    #[cfg(unix)]
    pub async fn bind_unix(
        &self,
        path: impl AsRef<std::path::Path>,
    ) -> Result<crate::UnixServer, ServeError> {
        let feed = self.followers.feed.clone();
        crate::UnixServer::bind(path.as_ref(), self.router(), feed).await
    }
}
