//! `WithConnection`: adds the handle of the connection to the extensions of its requests.

use std::task::{Context, Poll};

use http::Request;
use tower_service::Service;

use crate::connection::handle::ConnectionHandle;

/// A [`Service`] for one connection, which adds the connection's handle to the extensions of each request.
///
/// `WithConnection` makes it for axum. In an accept loop of your own, put it around the service that hyper
/// serves the connection with.
#[derive(Clone, Debug)]
pub struct AddConnection<S> {
    inner: S,
    handle: ConnectionHandle,
}

impl<S> AddConnection<S> {
    /// Adds `handle` to each request to `inner`.
    pub fn new(inner: S, handle: ConnectionHandle) -> Self {
        Self { inner, handle }
    }
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for AddConnection<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, mut request: Request<B>) -> S::Future {
        request.extensions_mut().insert(self.handle.clone());
        self.inner.call(request)
    }
}

/// Wraps a maker of services, which axum calls for each connection, and adds the connection's handle to the
/// extensions of requests.
///
/// ```no_run
/// # use axum::Router;
/// # use chaos_tower::{InjectListener, WithConnection};
/// # async fn serve(listener: tokio::net::TcpListener, app: Router) -> std::io::Result<()> {
/// let listener = InjectListener::new(listener, "tcp.server");
/// axum::serve(listener, WithConnection::new(app.into_make_service())).await
/// # }
/// ```
///
/// axum's own `ConnectInfo` stays free for the application.
#[cfg(feature = "axum")]
#[derive(Clone, Debug)]
pub struct WithConnection<M> {
    make: M,
}

#[cfg(feature = "axum")]
pub use axum_make::WithConnectionFuture;

#[cfg(feature = "axum")]
mod axum_make {
    use std::pin::Pin;

    use axum::{
        extract::connect_info::Connected,
        serve::{IncomingStream, Listener},
    };
    use pin_project_lite::pin_project;

    use super::*;
    use crate::connection::{io::FaultIo, listener::InjectListener, socket::Socket};

    impl<M> WithConnection<M> {
        /// Wraps the maker of services `make`.
        pub fn new(make: M) -> Self {
            Self { make }
        }
    }

    impl<'a, M, L, T> Service<IncomingStream<'a, L>> for WithConnection<M>
    where
        M: Service<IncomingStream<'a, L>>,
        L: Listener<Io = FaultIo<T>>,
        T: Socket,
    {
        type Response = AddConnection<M::Response>;
        type Error = M::Error;
        type Future = WithConnectionFuture<M::Future>;

        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), M::Error>> {
            self.make.poll_ready(cx)
        }

        fn call(&mut self, stream: IncomingStream<'a, L>) -> Self::Future {
            WithConnectionFuture {
                handle: stream.io().handle(),
                inner: self.make.call(stream),
            }
        }
    }

    pin_project! {
        /// The future of a [`WithConnection`].
        ///
        /// It is not a box, because that would have to name the lifetime of what it borrows.
        #[derive(Debug)]
        pub struct WithConnectionFuture<F> {
            handle: ConnectionHandle,
            #[pin]
            inner: F,
        }
    }

    impl<F: Future<Output = Result<S, E>>, S, E> Future for WithConnectionFuture<F> {
        type Output = Result<AddConnection<S>, E>;

        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
            let this = self.project();
            let made = std::task::ready!(this.inner.poll(cx));
            Poll::Ready(made.map(|service| AddConnection::new(service, this.handle.clone())))
        }
    }

    impl<L> Connected<IncomingStream<'_, InjectListener<L>>> for ConnectionHandle
    where
        L: Listener<Io: Socket>,
    {
        fn connect_info(stream: IncomingStream<'_, InjectListener<L>>) -> Self {
            stream.io().handle()
        }
    }
}
