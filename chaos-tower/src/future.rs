//! The future of an `Inject`: the inner future as it is, or a cold one for a call that is hit.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::TryFuture;
use pin_project_lite::pin_project;

use crate::{boxed_future::Cold, surface::Surface};

pin_project! {
    /// The response future of [`Inject`](crate::Inject).
    ///
    /// For a call that no rule hits it is the inner future: no box, at most eight bytes more.
    pub struct ResponseFuture<F, M>
    where
        F: TryFuture,
        M: Surface<F::Ok, F::Error>,
    {
        #[pin]
        state: State<F, Cold<Result<M::Response, M::Error>>>,
    }
}

pin_project! {
    #[project = Projected]
    enum State<F, C> {
        Pass { #[pin] inner: F },
        Cold { #[pin] future: C },
    }
}

impl<F, M> ResponseFuture<F, M>
where
    F: TryFuture,
    M: Surface<F::Ok, F::Error>,
{
    #[inline(always)]
    pub(crate) fn pass(inner: F) -> Self {
        let state = State::Pass { inner };
        Self { state }
    }

    pub(crate) fn cold(future: Cold<Result<M::Response, M::Error>>) -> Self {
        let state = State::Cold { future };
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
            Projected::Pass { inner } => M::pass_poll(inner.try_poll(cx)),
            Projected::Cold { future } => future.poll(cx),
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
