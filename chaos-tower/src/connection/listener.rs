//! `InjectListener`: a listener whose connections pass a site and can be cut.

use std::{io, net::SocketAddr};

use chaos_core::{Injector, SiteKind};
use tokio::net::{TcpListener, TcpStream};

use crate::{
    connection::{io::FaultIo, socket::Socket},
    site_ref::SiteRef,
};

/// A listener whose connections pass a site. Each connection is a [`FaultIo`].
///
/// | server | use |
/// |---|---|
/// | axum | `axum::serve(InjectListener::new(tcp_listener, "tcp.server"), …)` |
/// | tonic | `serve_with_incoming(InjectListener::new(TcpIncoming::bind(address)?, "tcp.server"))`: it is a stream of connections, as the inner one is |
/// | hyper | [`accept`](InjectListener::accept) in an accept loop |
///
/// A rule sees a connection when it is accepted, with the label `peer`, the IP address of the client. A rule that
/// is armed later, or resumed after a halt, sees an open connection when bytes are next read from it or written
/// to it. Each rule decides once about a connection.
///
/// `TCP_NODELAY` is set on connections, as tonic does and axum does not: without it, responses to gRPC calls
/// may wait for 40 ms. [`nodelay`](Self::nodelay) changes that.
#[derive(Debug)]
pub struct InjectListener<L> {
    inner: L,
    site_ref: SiteRef,
    nodelay: Option<bool>,
}

impl<L> InjectListener<L> {
    /// Wraps a listener, or a stream of connections. Each connection passes `site` on the
    /// [global](chaos_core::global) injector.
    ///
    /// # Panics
    ///
    /// Panics if `site` is not a site name: parts of `A-Z a-z 0-9 _ -`, separated by dots.
    #[track_caller]
    pub fn new(inner: L, site: &str) -> Self {
        Self::with_injector(inner, site, chaos_core::global())
    }

    /// Wraps a listener, or a stream of connections. Each connection passes `site` on the given injector, which
    /// the listener does not keep alive.
    ///
    /// # Panics
    ///
    /// Panics if `site` is not a site name: parts of `A-Z a-z 0-9 _ -`, separated by dots.
    #[track_caller]
    pub fn with_injector(inner: L, site: &str, injector: &Injector) -> Self {
        Self {
            inner,
            site_ref: SiteRef::new(injector.site_of(site, SiteKind::Connection)),
            nodelay: Some(true),
        }
    }

    /// Sets `TCP_NODELAY` of connections: `true` by default. `None` leaves it as the inner listener set it.
    #[must_use]
    pub fn nodelay(mut self, nodelay: impl Into<Option<bool>>) -> Self {
        self.nodelay = nodelay.into();
        self
    }

    /// Returns a reference to the inner listener.
    #[must_use]
    pub fn get_ref(&self) -> &L {
        &self.inner
    }

    /// Returns the inner listener.
    #[must_use]
    pub fn into_inner(self) -> L {
        self.inner
    }

    fn wrap<T: Socket>(&self, io: T) -> FaultIo<T> {
        if let Some(nodelay) = self.nodelay {
            // This fails on a connection that is closed already, which its owner notices.
            let _ = io.set_nodelay(nodelay);
        }
        FaultIo::accepted(io, self.site_ref)
    }
}

impl InjectListener<TcpListener> {
    /// Accepts the next connection, for an accept loop of your own.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`TcpListener::accept`].
    pub async fn accept(&self) -> io::Result<(FaultIo<TcpStream>, SocketAddr)> {
        let (io, peer) = self.inner.accept().await?;
        Ok((self.wrap(io), peer))
    }

    /// Returns the address that the listener is bound to.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`TcpListener::local_addr`].
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

#[cfg(feature = "axum")]
impl<L: axum::serve::Listener<Io: Socket>> axum::serve::Listener for InjectListener<L> {
    type Io = FaultIo<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (io, address) = self.inner.accept().await;
        (self.wrap(io), address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.inner.local_addr()
    }
}

#[cfg(feature = "tonic")]
impl<L, T, E> futures_core::Stream for InjectListener<L>
where
    L: futures_core::Stream<Item = Result<T, E>> + Unpin,
    T: Socket,
{
    type Item = Result<FaultIo<T>, E>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        let next = std::pin::Pin::new(&mut self.inner).poll_next(cx);
        next.map_ok(|io| self.wrap(io))
    }
}
