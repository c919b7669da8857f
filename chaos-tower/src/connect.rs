//! `ConnectLayer`: the connections that a client makes, and fails to make.

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

use chaos_core::{Call, Injector, Label, Site, SiteKind};
use http::Uri;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    boxed_future::boxed_future,
    connect::{
        future::{ConnectFuture, make_connection},
        wrap::{Unwrapped, WrapConnection, Wrapped},
    },
    error::BoxError,
    site_ref::SiteRef,
};

/// A [`Layer`] over a connector: every connection that a client makes passes a site.
///
/// A connection that is pooled is not made again, so what is used again is not hit again.
///
/// | client | how |
/// |---|---|
/// | reqwest | `Client::builder().connector_layer(ConnectLayer::new("tcp.client"))` |
/// | hyper-util | `Client::builder(…).build(layer.bytes().layer(HttpConnector::new()))` |
/// | tonic | `endpoint.connect_with_connector(layer.bytes().layer(connector))` |
///
/// As it is made, the connection stays as it is: it can be refused, be slow to come, or never come.
/// [`bytes`](Self::bytes) wraps it, so that something can happen to what passes too; reqwest, whose
/// connections nobody else can name, does not take that.
///
/// The label `peer` is the host of the address to connect to, where that is known: not in reqwest.
pub struct ConnectLayer<M = Unwrapped> {
    site: &'static Site,
    wrap: PhantomData<fn() -> M>,
}

impl ConnectLayer {
    /// A layer on the process's own injector.
    ///
    /// # Panics
    /// If `site` is no site name: parts of `A-Z a-z 0-9 _ -` with dots between them.
    #[track_caller]
    #[must_use]
    pub fn new(site: &str) -> Self {
        Self::with_injector(site, chaos_core::global())
    }

    /// The same, on an injector of your own, which the layer does not keep alive.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    #[track_caller]
    #[must_use]
    pub fn with_injector(site: &str, injector: &Injector) -> Self {
        Self {
            site: injector.site_of(site, SiteKind::Connection),
            wrap: PhantomData,
        }
    }

    /// Wraps the connections, so that rules reach their bytes. Below TLS, if there is any.
    #[must_use]
    pub fn bytes(self) -> ConnectLayer<Wrapped> {
        ConnectLayer {
            site: self.site,
            wrap: PhantomData,
        }
    }
}

impl<M> ConnectLayer<M> {
    /// The site that connections pass.
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
/// A connection that is refused fails with a genuine [`io::Error`](std::io::Error), such as a client
/// makes much of: reqwest's `is_connect()`, tonic's `UNAVAILABLE`.
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
        let decision = match self.site_ref.is_armed() {
            true => self
                .site_ref
                .decide(&Call::new().labels(peer(&target).as_slice())),
            false => None,
        };
        let Some(decision) = decision else {
            return ConnectFuture::pass(self.inner.call(target));
        };
        // It is `self.inner` that was polled ready, so that is the one to call, or to drop.
        let clone = self.inner.clone();
        let ready = mem::replace(&mut self.inner, clone);
        ConnectFuture::boxed(boxed_future(make_connection::<S, M, R>(
            ready, target, decision,
        )))
    }
}

fn peer(target: &dyn Any) -> Option<Label<'_>> {
    let host = target.downcast_ref::<Uri>()?.host()?;
    Some(("peer", host.into()))
}

// Derives would ask the same of `M`, which is never a value.

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
