//! Services to put a layer on, and the caller: as opaque to each other as hyper and a router are.

use std::{
    convert::Infallible,
    future::poll_fn,
    hint::black_box,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use axum::body::Body;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::Service;

/// A service that a compiler cannot see into: neither its `call` nor its future is inlined. It has
/// some state of its own, so that there is something to reach through it.
#[derive(Clone, Debug)]
pub(crate) struct Opaque<S> {
    inner: S,
    calls: u64,
}

pub(crate) fn opaque<S>(inner: S) -> Opaque<S> {
    Opaque { inner, calls: 0 }
}

impl<S: Service<R>, R> Service<R> for Opaque<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = OpaqueFuture<S::Future>;

    #[inline(never)]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline(never)]
    fn call(&mut self, request: R) -> Self::Future {
        self.calls += 1;
        OpaqueFuture {
            inner: self.inner.call(request),
        }
    }
}

pin_project! {
    #[derive(Debug)]
    pub(crate) struct OpaqueFuture<F> {
        #[pin]
        inner: F,
    }
}

impl<F: Future> Future for OpaqueFuture<F> {
    type Output = F::Output;

    #[inline(never)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().inner.poll(cx)
    }
}

/// Keeps the request in its future, as a service that works on it would.
#[derive(Clone, Debug)]
pub(crate) struct Plain;

impl<B> Service<Request<B>> for Plain {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer<B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answer<B> {
        Answer(Some(request))
    }
}

#[derive(Debug)]
pub(crate) struct Answer<B>(Option<Request<B>>);

impl<B> Unpin for Answer<B> {}

impl<B> Future for Answer<B> {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // As one that may have to wait.
        black_box(cx);
        let request = self.0.take().expect("polled once");
        Poll::Ready(Ok(respond(request)))
    }
}

/// The same as an `async fn`.
pub(crate) async fn handler(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    poll_fn(|cx| Poll::Ready(black_box(cx).waker().clone())).await;
    Ok(respond(request))
}

fn respond<B>(request: Request<B>) -> Response<Body> {
    drop(black_box(request));
    Response::new(Body::empty())
}

/// One call, from readiness to response, of a service that answers at once.
#[inline(never)]
pub(crate) fn call<S, R>(
    service: &mut S,
    request: R,
    cx: &mut Context<'_>,
) -> Poll<Result<S::Response, S::Error>>
where
    S: Service<R>,
{
    ready!(service.poll_ready(cx))?;
    pin!(service.call(request)).poll(cx)
}

/// The size of its futures.
pub(crate) fn future_size<S: Service<R>, R>(_: &S, _: &impl Fn() -> R) -> usize {
    size_of::<S::Future>()
}
