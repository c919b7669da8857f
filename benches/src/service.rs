//! Services to put a layer on, and their caller. The compiler inlines neither into the other, as with
//! hyper and a router.

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

/// A service that is opaque to the compiler: neither its `call` nor its future is inlined. It has state
/// of its own, so that the call must use its pointer.
#[derive(Clone, Debug)]
pub struct Opaque<S> {
    inner: S,
    calls: u64,
}

/// Makes a service opaque to the compiler.
#[must_use]
pub fn opaque<S>(inner: S) -> Opaque<S> {
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
    /// The future of an [`Opaque`].
    #[derive(Debug)]
    pub struct OpaqueFuture<F> {
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

/// A service that keeps the request in its future, as most services do.
#[derive(Clone, Debug)]
pub struct Plain;

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

/// The future of a [`Plain`].
#[derive(Debug)]
pub struct Answer<B>(Option<Request<B>>);

impl<B> Unpin for Answer<B> {}

impl<B> Future for Answer<B> {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // As if it might have to wait.
        black_box(cx);
        let request = self.0.take().expect("polled once");
        Poll::Ready(Ok(respond(request)))
    }
}

/// Responds as [`Plain`] does, in an `async fn`.
///
/// # Errors
/// Never fails.
pub async fn handler(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    poll_fn(|cx| Poll::Ready(black_box(cx).waker().clone())).await;
    Ok(respond(request))
}

fn respond<B>(request: Request<B>) -> Response<Body> {
    drop(black_box(request));
    Response::new(Body::empty())
}

/// Makes one call, from `poll_ready` to the response, to a service that responds at once.
///
/// # Errors
/// Returns the error of the service.
#[inline(never)]
pub fn call<S, R>(
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

/// Returns the size of a service's future in bytes.
pub fn future_size<S: Service<R>, R>(_: &S, _: &impl Fn() -> R) -> usize {
    size_of::<S::Future>()
}
