//! `Admin`: the builder of the admin service, which becomes a router or a port of its own.

use std::{net::SocketAddr, sync::Arc};

use axum::{Extension, Router};
use chaos_core::{Injector, token::TokenKey};

use crate::{
    access::{
        access_tokens::AccessTokens, authorize::Authorizer, host_check::Hosts,
        live_tokens::LiveTokens,
    },
    error::ServeError,
    followers::Followers,
    history::audit_file::AuditFile,
    metrics::Metrics,
    routes,
    routes::tokens::Signer,
    server::{Server, listener::Listener, port_thread::Served},
};

/// The admin service of one [`Injector`]: a builder that holds the service's configuration.
///
/// It becomes an axum [`Router`] with [`router`](Self::router), or a port of its own with
/// [`bind`](Self::bind) or `bind_unix`. Clones share the metrics, the events and the webhooks of
/// the original.
///
/// ```
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use chaos_http_admin::Admin;
///
/// let admin = Admin::new(chaos_core::global().clone()).allow_host("admin.example.com");
/// let server = admin.bind("127.0.0.1:9900".parse()?)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "it serves nothing until it is a router or bound to a port"]
pub struct Admin {
    injector: Injector,
    hosts: Hosts,
    signer: Signer,
    metrics: Metrics,
    tokens: Option<LiveTokens>,
    plaintext_tokens: bool,
    #[cfg(feature = "tls")]
    tls: Option<crate::server::live_tls::LiveTls>,
    followers: Followers,
}

impl Admin {
    /// Creates the admin service of `injector`.
    ///
    /// It answers requests whose `Host` is `localhost`, `127.0.0.1` or `[::1]`, with any port, and
    /// asks for no access token. Metrics and events cover what happens from this call on.
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

    /// Adds a name under which clients may reach the port: a `Host`, and the host of an `Origin`,
    /// that is accepted besides `localhost`, `127.0.0.1` and `[::1]`.
    ///
    /// `host` is a host name or an address without a port, an IPv6 address in brackets. Names are
    /// compared without regard to case. A reverse proxy that keeps the client's `Host` needs this,
    /// for example.
    pub fn allow_host(mut self, host: impl AsRef<str>) -> Self {
        self.hosts.allow(host.as_ref());
        self
    }

    /// Sets the key with which `POST /v1/tokens` signs rule tokens. Without a key, that route
    /// answers 409.
    ///
    /// **A rule token carries rules with a request** to every service that knows the key, so every
    /// client that may arm rules at this port can then inject faults in all of those services.
    pub fn token_key(mut self, key: TokenKey) -> Self {
        self.signer = Signer(Some(key));
        self
    }

    /// Requires an access token of `tokens` for every route except the console page, `GET /healthz`
    /// and `GET /openapi.json`. The token's [role](crate::Role) decides which routes its owner may
    /// use. With an empty list, every request to the other routes is refused.
    ///
    /// Without this call, every client that reaches the port may use all routes: on loopback, that
    /// is every user of the machine.
    pub fn access_tokens(mut self, tokens: AccessTokens) -> Self {
        self.tokens = Some(LiveTokens::new(tokens));
        self
    }

    /// Requires an access token of the file at `path`, as [`access_tokens`](Self::access_tokens) does
    /// with a list, and follows the file while it changes, until the last clone of this `Admin` and of
    /// its routers and ports is dropped.
    ///
    /// - A token that was removed from the file, or has another role or secret, is refused from the next
    ///   request on, and its event streams end. A token that was added is accepted.
    /// - A file that is missing, empty, half-written or [invalid](AccessTokens::from_file) for another
    ///   reason changes nothing. So emptying the file revokes no token. The reason is reported once: as a
    ///   `tracing` warning with the target `chaos`, as a refusal in the audit, and, until the file is
    ///   valid again, in `GET /v1/status` and the metric `chaos_source_failing`. The beginning of a list
    ///   can be a valid list: to keep a slow writer from revoking tokens, write another file and rename
    ///   it.
    /// - The audit records each change: the names of the tokens that were added, removed and changed.
    ///
    /// A change takes effect within a fraction of a second where the system notifies of changed files,
    /// and within five seconds elsewhere. The links of a mounted Kubernetes Secret are followed.
    ///
    /// # Errors
    /// Returns an error if the file is not valid now, or no thread can be started to follow it.
    #[cfg(feature = "follow")]
    pub fn follow_access_tokens(
        mut self,
        path: impl AsRef<std::path::Path>,
    ) -> Result<Self, crate::access::access_tokens::AccessTokensError> {
        let path = path.as_ref();
        let tokens = LiveTokens::follow(&self.injector, path)?;
        if let Some(reloading) = tokens.reloading() {
            self = self.source(reloading.source(), reloading.check());
        }
        self.tokens = Some(tokens);
        Ok(self)
    }

    /// Adds the state of `file` to `GET /v1/status` and to the metrics.
    ///
    /// The file is written whether or not an `Admin` shows its state.
    pub fn audit_file(mut self, file: &AuditFile) -> Self {
        self.followers.file = Some(file.clone());
        self.metrics = self.metrics.audit_file(file);
        self
    }

    /// Sends a message to `webhook` whenever a rule is armed or ends, all injection is
    /// halted or resumed, or a guard rail breaks, beginning with the first entry of the injector's
    /// [audit](Injector::audit).
    ///
    /// Messages are sent from a thread of their own. They are of three kinds: halts and resumes, rules
    /// that a guard rail has stopped, and rules that are armed or end. Those of one kind are sent one
    /// after the other, in the order of the entries; those of different kinds have connections of their
    /// own and do not wait for each other, so that a halt may arrive before an earlier entry about
    /// rules. When more than eight entries of one kind wait, they are combined into one message (see
    /// [`Webhook::json`](crate::Webhook::json)).
    ///
    /// A failed attempt is retried with exponential backoff for one minute, or for the time set with
    /// [`Webhook::within`](crate::Webhook::within). An answer of 4xx other than 408 and 429 is not
    /// retried. `GET /v1/status` counts the entries whose message was `delivered`, those whose
    /// message `failed`, and those that were `lost` because the audit dropped them before they were
    /// read.
    ///
    /// Delivery ends, and a message under way is abandoned, when the last clone of this `Admin` and
    /// of its routers is dropped.
    #[cfg(feature = "webhooks")]
    pub fn webhook(mut self, webhook: crate::webhook::Webhook) -> Self {
        let webhook = webhook.service_or(&self.injector.service());
        let delivery = crate::webhook::delivery::Delivery::start(&self.injector, webhook);
        self.followers.webhooks.push(delivery);
        self
    }

    /// Adds a source of rules, such as a file, to `GET /v1/status` and to the metric
    /// `chaos_source_failing`.
    ///
    /// `problem` returns what is wrong with the source at the moment, or `None` if its rules are in
    /// force. It is called for each request of the status and of the metrics, so it must return
    /// quickly. A second source of the same `name` replaces the first.
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

    /// Closes all open streams, of events and of frames.
    ///
    /// A [`Server`] does this itself when it stops. Call it before the graceful shutdown of a
    /// server that the [`router`](Self::router) is nested into, which would otherwise wait for the
    /// streams to end.
    pub fn end_events(&self) {
        self.followers.feed.places().end();
    }

    /// Adds the metric `chaos_tokens_total`, as [`Metrics::tokens_seen`] does.
    pub fn tokens_seen<C>(mut self, counts: impl Fn() -> C + Send + Sync + 'static) -> Self
    where
        C: IntoIterator<Item = (&'static str, u64)>,
    {
        self.metrics = self.metrics.tokens_seen(counts);
        self
    }

    /// Adds the metric `chaos_fleet_documents`, as [`Metrics::fleet_documents`] does.
    pub fn fleet_documents<C>(mut self, counts: impl Fn() -> C + Send + Sync + 'static) -> Self
    where
        C: IntoIterator<Item = (&'static str, u64)>,
    {
        self.metrics = self.metrics.fleet_documents(counts);
        self
    }

    /// Returns the metrics that `GET /metrics` serves. They count the injections since this `Admin`
    /// was created.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Returns the routes as a router, to be nested into another one: `nest("/chaos", …)` serves
    /// the console at `/chaos`, `nest_service("/chaos", …)` at `/chaos` and `/chaos/`. Rules may hit these
    /// routes; [`nest_at`](Self::nest_at) exempts them.
    ///
    /// The router checks `Host`, `Origin` and access tokens, and limits the size of a body and the
    /// duration of a request. The limits on connections and TLS belong to the server that it is
    /// nested into.
    ///
    /// The audit records the address of a client if that server provides it, as
    /// `into_make_service_with_connect_info::<SocketAddr>` does.
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

    /// Returns a router with the routes below `path`, to be merged into that of the service, and exempts
    /// `path` from all faults at every layer of the injector, so that no rule hits the kill switch that is
    /// to stop it.
    ///
    /// A port of its own, by [`bind`](Self::bind), is the better choice: it has a thread of its own. Here, the
    /// service's runtime does the work, a `block` on all of its threads holds the routes too, and faults at
    /// a connection's site hit the connections that requests to the routes come on.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use chaos_http_admin::Admin;
    ///
    /// let admin = Admin::new(chaos_core::Injector::new());
    /// let app = Router::<()>::new()
    ///     .route("/", get(async || "hello"))
    ///     .merge(admin.nest_at("/chaos")); // and the layers after that
    /// # drop(app);
    /// ```
    ///
    /// `path` is the path as the layers see it. If the router is nested once more, at `/ops` for example, and
    /// a layer is outside of that, exempt the whole path, too, with `injector.exempt_path("/ops/chaos")`.
    ///
    /// # Panics
    /// Panics if `path` does not begin with `/`, is `/` alone, or has a parameter such as `{tenant}`.
    pub fn nest_at(&self, path: &str) -> Router {
        let nested = path.trim_end_matches('/');
        assert!(
            nested.starts_with('/') && !nested.contains(['{', '}']),
            "the path of a nested port begins with `/`, is not `/` alone, and has no parameters: {path}"
        );
        self.injector.exempt_path(nested);
        Router::new().nest(nested, self.router())
    }

    /// Opens a TCP port as [`bind`](Self::bind) does, for a service that must start with or without the port.
    /// If the port cannot be opened, for example because its address is in use, this logs a `tracing` warning
    /// with the reason and returns `None`.
    ///
    /// Without the port, nobody can halt from outside the rules that the environment or files arm. If that is
    /// not acceptable, use [`bind`](Self::bind), and let its error end the service.
    #[must_use = "the port is closed when this is dropped"]
    pub fn bind_or_warn(&self, address: SocketAddr) -> Option<Server> {
        match self.bind(address) {
            Ok(server) => Some(server),
            Err(error) => {
                tracing::warn!(target: "chaos", %error, "the service goes on without its admin port");
                None
            }
        }
    }

    /// Makes the port that [`bind`](Self::bind) opens accept TLS connections only. Routers and Unix
    /// sockets are not affected.
    ///
    /// A `tracing` warning with the target `chaos` says when the port is opened with a certificate that
    /// has expired, or will within a week, or within a third of its life if that is less.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: crate::server::tls::Tls) -> Self {
        self.tls = Some(crate::server::live_tls::LiveTls::new(tls));
        self
    }

    /// Makes the port that [`bind`](Self::bind) opens accept TLS connections only, as [`tls`](Self::tls)
    /// does, and follows the files of the configuration while they change, until the last clone of this
    /// `Admin` and of its ports is dropped.
    ///
    /// - A connection that is accepted after a change shows the new certificate, and must present a
    ///   certificate of the new authorities. Connections that are open keep what they began with, for at
    ///   most five minutes.
    /// - Files that are missing, half-written or invalid for another reason, such as a key that does not
    ///   belong to the certificate, change nothing. The reason is reported once: as a `tracing` warning with
    ///   the target `chaos`, as a refusal in the audit, and, until the files are valid again, in
    ///   `GET /v1/status` and the metric `chaos_source_failing`.
    /// - A `tracing` warning says that a certificate has expired, or soon will, when the port is opened and when a
    ///   changed certificate is taken, as with [`tls`](Self::tls). A certificate that has expired is also reported in
    ///   `GET /v1/status` and the metric `chaos_source_failing`.
    /// - The audit records each change, without the contents.
    ///
    /// A change takes effect within a fraction of a second where the system notifies of changed files,
    /// and within five seconds elsewhere. The links of a mounted Kubernetes Secret are followed.
    ///
    /// # Errors
    /// Returns an error if the files are not valid now, or no thread can be started to follow them.
    #[cfg(all(feature = "follow", feature = "tls"))]
    pub fn follow_tls(
        mut self,
        files: crate::server::tls_files::TlsFiles,
    ) -> Result<Self, crate::server::tls::TlsError> {
        let tls = crate::server::live_tls::LiveTls::follow(&self.injector, files)?;
        if let Some(reloading) = tls.reloading() {
            let (refused, ended) = (reloading.check(), tls.check(self.injector.clone()));
            self = self.source(reloading.source(), move || refused().or_else(&ended));
        }
        self.tls = Some(tls);
        Ok(self)
    }

    /// Allows [`bind`](Self::bind) to open a port without TLS on an address that other machines can
    /// reach.
    ///
    /// **Everyone who can read the network's traffic then reads every access token that is used,
    /// and can inject faults in this service with it.** Use this on a network that is itself
    /// encrypted, or behind a proxy that terminates TLS.
    pub fn allow_plaintext_access_tokens(mut self) -> Self {
        self.plaintext_tokens = true;
        self
    }

    /// Opens a TCP port for the service, which serves requests on a thread of its own until the
    /// [`Server`] is dropped. The system chooses the port if that of `address` is 0.
    ///
    /// # Errors
    /// Returns [`ServeError::NotLoopback`] if `address` is not a loopback address and no [access
    /// tokens](Self::access_tokens) are set, [`ServeError::Plaintext`] if it is not a loopback
    /// address and neither TLS is configured nor [plaintext
    /// allowed](Self::allow_plaintext_access_tokens), and [`ServeError::Bind`] if the system cannot
    /// open the port or start a thread.
    pub fn bind(&self, address: SocketAddr) -> Result<Server, ServeError> {
        #[cfg(feature = "tls")]
        let tls = self.tls.clone();
        #[cfg(feature = "tls")]
        if let Some(tls) = &tls {
            tls.warn_of_end(self.injector.wall());
        }
        #[cfg(not(feature = "tls"))]
        let tls: Option<std::convert::Infallible> = None;
        // `::ffff:127.0.0.1`, an IPv4 address written as IPv6, is a loopback address as well.
        if !address.ip().to_canonical().is_loopback() {
            if self.tokens.as_ref().is_none_or(LiveTokens::is_empty) {
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
        Server::bind(address, wrap, self.served())
    }

    /// Opens a Unix socket for the service, which serves requests on a thread of its own until the
    /// [`UnixServer`](crate::UnixServer) is dropped.
    ///
    /// The socket's file has mode 0600 from the start, so only the user that this process runs as,
    /// and root, can connect. Requests may name any `Host`.
    ///
    /// A socket at `path` on which no process listens is replaced. If two processes replace it at
    /// the same time, either may end up with it.
    ///
    /// # Errors
    /// Returns [`ServeError::BindUnix`] if another process listens at `path`, `path` is a file
    /// other than a socket, or the system cannot create the socket.
    #[cfg(unix)]
    pub fn bind_unix(
        &self,
        path: impl AsRef<std::path::Path>,
    ) -> Result<crate::server::unix::UnixServer, ServeError> {
        Server::bind_unix(path.as_ref(), self.served())
    }

    /// Returns what a port of its own serves.
    pub(crate) fn served(&self) -> Served {
        Served {
            injector: self.injector.clone(),
            router: self.router(),
            feed: self.followers.feed.clone(),
        }
    }
}
