//! `ResponseFuture`: the future of an `Inject`.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::TryFuture;
use pin_project_lite::pin_project;

use crate::{
    boxed_future::{BoxedFuture, PassOrBoxed, PassOrBoxedProjection},
    surface::Surface,
};

pin_project! {
    /// The response future of [`Inject`](crate::Inject).
    ///
    /// For a call that no rule hits, it is the inner future, without a box and at most eight bytes
    /// larger. For a call that a rule hits, it is a boxed future that executes the faults; dropping it
    /// ends them.
    pub struct ResponseFuture<F, M>
    where
        F: TryFuture,
        M: Surface<F::Ok, F::Error>,
    {
        #[pin]
        state: PassOrBoxed<F, Result<M::Response, M::Error>>,
    }
}

impl<F, M> ResponseFuture<F, M>
where
    F: TryFuture,
    M: Surface<F::Ok, F::Error>,
{
    #[inline(always)]
    pub(crate) fn pass(inner: F) -> Self {
        let state = PassOrBoxed::Pass { inner };
        Self { state }
    }

    pub(crate) fn boxed(future: BoxedFuture<Result<M::Response, M::Error>>) -> Self {
        let state = PassOrBoxed::Boxed { future };
        Self { state }
    }
}

impl<F, M> Future for ResponseFuture<F, M>
where
    F: TryFuture,
    M: Surface<F::Ok, F::Error>,
{
    type Output = Result<M::Response, M::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            PassOrBoxedProjection::Pass { inner } => M::pass_poll(inner.try_poll(cx)),
            PassOrBoxedProjection::Boxed { future } => future.poll(cx),
        }
    }
}

impl<F, M> fmt::Debug for ResponseFuture<F, M>
where
    F: TryFuture,
    M: Surface<F::Ok, F::Error>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
