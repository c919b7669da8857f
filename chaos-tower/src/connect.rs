//! `ConnectLayer`: makes connectors whose connections pass a site.

#[cfg(feature = "client")]
pub(crate) mod future;
#[cfg(feature = "client")]
pub(crate) mod wrap;

use std::{
    any::Any,
    fmt,
    marker::PhantomData,
    mem,
    task::{Context, Poll},
};

use chaos_core::{Injector, Site, SiteKind};
use http::Uri;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    boxed_future::boxed_future,
    connect::{
        future::{ConnectFuture, make_connection},
        wrap::{Unwrapped, WrapConnection, Wrapped},
    },
    connection::site_watch::SiteWatch,
    error::BoxError,
    site_ref::SiteRef,
};

/// A [`Layer`] for connectors: every connection that a client makes passes a site.
///
/// A pooled connection passes the site once, when it is made, and not when it is used again. With
/// [`bytes`](Self::bytes), a rule that is armed later, or resumed after a halt, sees it when bytes are next read
/// from it or written to it. Each rule decides once about a connection.
///
/// | client | use |
/// |---|---|
/// | reqwest | `Client::builder().connector_layer(ConnectLayer::new("tcp.client"))` |
/// | hyper-util | `Client::builder(…).build(layer.bytes().layer(HttpConnector::new()))` |
/// | tonic | `endpoint.connect_with_connector(layer.bytes().layer(connector))` |
///
/// By default the type of the connection stays, and faults can refuse the connection, delay it or hang.
/// [`bytes`](Self::bytes) wraps it, so that faults on its bytes work, too; reqwest does not support that,
/// because its connection type is private.
///
/// Rules see the label `peer`, the host of the URI to connect to, if it is known: not in reqwest.
pub struct ConnectLayer<M = Unwrapped> {
    site: &'static Site,
    wrap: PhantomData<fn() -> M>,
}

impl ConnectLayer {
    /// Creates a layer on the [global](chaos_core::global) injector.
    ///
    /// # Panics
    ///
    /// Panics if `site` is not a site name: parts of `A-Z a-z 0-9 _ -`, separated by dots.
    #[track_caller]
    #[must_use]
    pub fn new(site: &str) -> Self {
        Self::with_injector(site, chaos_core::global())
    }

    /// Creates a layer on the given injector, which the layer does not keep alive.
    ///
    /// # Panics
    ///
    /// Panics if `site` is not a site name: parts of `A-Z a-z 0-9 _ -`, separated by dots.
    #[track_caller]
    #[must_use]
    pub fn with_injector(site: &str, injector: &Injector) -> Self {
        Self {
            site: injector.site_of(site, SiteKind::Connection),
            wrap: PhantomData,
        }
    }

    /// Wraps the connections, so that faults on their bytes work. With TLS, the connection is wrapped below it.
    #[must_use]
    pub fn bytes(self) -> ConnectLayer<Wrapped> {
        ConnectLayer {
            site: self.site,
            wrap: PhantomData,
        }
    }
}

impl<M> ConnectLayer<M> {
    /// Returns the site that connections pass.
    #[must_use]
    pub fn site(&self) -> &'static Site {
        self.site
    }
}

impl<S, M> Layer<S> for ConnectLayer<M> {
    type Service = Connect<S, M>;

    fn layer(&self, inner: S) -> Self::Service {
        Connect {
            inner,
            site_ref: SiteRef::new(self.site),
            wrap: PhantomData,
        }
    }
}

/// A connector whose connections pass a site. [`ConnectLayer`] makes it.
///
/// A connection that a fault refuses fails with an [`io::Error`](std::io::Error), as a real one does, and
/// clients handle it alike: reqwest's `is_connect()`, tonic's `UNAVAILABLE`.
pub struct Connect<S, M = Unwrapped> {
    inner: S,
    site_ref: SiteRef,
    wrap: PhantomData<fn() -> M>,
}

impl<S, M, R> Service<R> for Connect<S, M>
where
    S: Service<R> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    M: WrapConnection<S::Response> + 'static,
    R: Send + 'static,
    S::Response: Send,
    M::Response: 'static,
{
    type Response = M::Response;
    type Error = BoxError;
    type Future = ConnectFuture<S::Future, M>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, target: R) -> Self::Future {
        let is_armed = self.site_ref.is_armed();
        let host = (is_armed || M::WRAPS).then(|| host(&target)).flatten();
        let mut site_watch = SiteWatch::new(self.site_ref, host);
        let decision = is_armed.then(|| site_watch.decide(|| None)).flatten();
        let Some(decision) = decision else {
            return ConnectFuture::pass(self.inner.call(target), site_watch);
        };
        // `self.inner` was polled ready, so it is the one to call, or to drop.
        let clone = self.inner.clone();
        let ready = mem::replace(&mut self.inner, clone);
        ConnectFuture::boxed(boxed_future(make_connection::<S, M, R>(
            ready, target, decision, site_watch,
        )))
    }
}

fn host(target: &dyn Any) -> Option<Box<str>> {
    Some(target.downcast_ref::<Uri>()?.host()?.into())
}

// Derives would require the traits of `M`, of which no value exists.

impl<M> Clone for ConnectLayer<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for ConnectLayer<M> {}

impl<M> fmt::Debug for ConnectLayer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectLayer")
            .field("site", &self.site.name())
            .finish()
    }
}

impl<S: Clone, M> Clone for Connect<S, M> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            site_ref: self.site_ref,
            wrap: PhantomData,
        }
    }
}

impl<S: fmt::Debug, M> fmt::Debug for Connect<S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("inner", &self.inner)
            .field("site", &self.site_ref)
            .finish()
    }
}
