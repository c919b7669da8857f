//! The future of a call that a rule hits: boxed, or, compiled out, a type that has no value.

#[cfg(not(feature = "compile-out"))]
mod boxed {
    use std::{
        pin::Pin,
        task::{Context, Poll, ready},
    };

    type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

    /// Polled and dropped by calls out of line, so that the code which may do so, but does not,
    /// saves no register for it. Empty once it is ready.
    pub(crate) struct Cold<T>(Option<Boxed<T>>);

    pub(crate) fn cold<T>(future: impl Future<Output = T> + Send + 'static) -> Cold<T> {
        Cold(Some(Box::pin(future)))
    }

    impl<T> Future for Cold<T> {
        type Output = T;

        #[cold]
        #[inline(never)]
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
            let future = self.0.as_mut().expect("not polled after it was ready");
            let output = ready!(future.as_mut().poll(cx));
            self.0 = None;
            Poll::Ready(output)
        }
    }

    impl<T> Drop for Cold<T> {
        #[inline(always)]
        fn drop(&mut self) {
            #[cold]
            #[inline(never)]
            fn drop<T>(future: Boxed<T>) {
                std::mem::drop(future);
            }
            if let Some(future) = self.0.take() {
                drop(future);
            }
        }
    }
}

#[cfg(feature = "compile-out")]
mod boxed {
    use std::{
        convert::Infallible,
        marker::PhantomData,
        pin::Pin,
        task::{Context, Poll},
    };

    pub(crate) struct Cold<T>(Infallible, PhantomData<fn() -> T>);

    impl<T> Future for Cold<T> {
        type Output = T;

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
            match self.0 {}
        }
    }

    pub(crate) fn cold<T>(_: impl Future<Output = T>) -> Cold<T> {
        unreachable!("a site that is compiled out decides nothing")
    }
}

pub(crate) use boxed::{Cold, cold};
