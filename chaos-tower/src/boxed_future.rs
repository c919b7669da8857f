//! The futures of services whose calls a rule may hit: the inner future, or a boxed one in its place.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

pin_project! {
    /// The inner future of a call that no rule hits, or the boxed future of one that a rule hits.
    #[project = PassOrBoxedProjection]
    pub(crate) enum PassOrBoxed<F, T> {
        Pass { #[pin] inner: F },
        Boxed { #[pin] future: BoxedFuture<T> },
    }
}

/// The boxed future of a call that a rule hits. Without sites (`compile-out`), no value of this type
/// exists.
///
/// It is polled and dropped by calls out of line, so that code which may do so, but does not, saves no
/// register for it.
pub(crate) struct BoxedFuture<T>(
    /// `None` once it has returned its output.
    #[cfg(not(feature = "compile-out"))]
    Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    #[cfg(feature = "compile-out")] std::convert::Infallible,
    #[cfg(feature = "compile-out")] std::marker::PhantomData<fn() -> T>,
);

#[cfg(not(feature = "compile-out"))]
pub(crate) fn boxed_future<T>(future: impl Future<Output = T> + Send + 'static) -> BoxedFuture<T> {
    BoxedFuture(Some(Box::pin(future)))
}

#[cfg(feature = "compile-out")]
pub(crate) fn boxed_future<T>(_: impl Future<Output = T>) -> BoxedFuture<T> {
    unreachable!("a site that is compiled out decides nothing")
}

impl<T> Future for BoxedFuture<T> {
    type Output = T;

    #[cfg(not(feature = "compile-out"))]
    #[cold]
    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let future = self.0.as_mut().expect("not polled after it was ready");
        let output = std::task::ready!(future.as_mut().poll(cx));
        self.0 = None;
        Poll::Ready(output)
    }

    #[cfg(feature = "compile-out")]
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        match self.0 {}
    }
}

#[cfg(not(feature = "compile-out"))]
impl<T> Drop for BoxedFuture<T> {
    #[inline(always)]
    fn drop(&mut self) {
        #[cold]
        #[inline(never)]
        fn drop<T>(future: Pin<Box<dyn Future<Output = T> + Send>>) {
            std::mem::drop(future);
        }
        if let Some(future) = self.0.take() {
            drop(future);
        }
    }
}
