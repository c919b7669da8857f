//! The future of a call that a rule hits: boxed, or, compiled out, a type that has no value.

#[cfg(not(feature = "compile-out"))]
mod boxed {
    use std::pin::Pin;

    pub(crate) type Cold<T> = Pin<Box<dyn Future<Output = T> + Send>>;

    pub(crate) fn cold<T>(future: impl Future<Output = T> + Send + 'static) -> Cold<T> {
        Box::pin(future)
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
