//! The futures of services whose calls a rule may hit: the inner future, or a boxed one in its place.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

#[cfg(not(feature = "compile-out"))]
use std::{any::Any, cell::RefCell};

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
    Option<Pin<Box<dyn Boxed<T>>>>,
    #[cfg(feature = "compile-out")] std::convert::Infallible,
    #[cfg(feature = "compile-out")] std::marker::PhantomData<fn() -> T>,
);

#[cfg(not(feature = "compile-out"))]
pub(crate) fn boxed_future<T>(future: impl Future<Output = T> + Send + 'static) -> BoxedFuture<T> {
    BoxedFuture(Some(Box::pin(Once { future })))
}

/// Boxes a future in a box that the thread has used before for one of this type, if there is any.
#[cfg(not(feature = "compile-out"))]
pub(crate) fn pooled_future<F>(future: F) -> BoxedFuture<F::Output>
where
    F: Future + Send + 'static,
{
    let full = Pooled::Full { future };
    let pooled = match with_pool(Vec::pop).flatten() {
        Some(mut pooled) => {
            pooled.as_mut().set(full);
            pooled
        }
        None => Box::pin(full),
    };
    BoxedFuture(Some(pooled))
}

#[cfg(feature = "compile-out")]
pub(crate) fn pooled_future<F: Future>(_: F) -> BoxedFuture<F::Output> {
    unreachable!("a site that is compiled out decides and measures nothing")
}

/// A future in a box, and what becomes of the box.
#[cfg(not(feature = "compile-out"))]
trait Boxed<T>: Future<Output = T> + Send {
    /// Drops the future.
    fn release(self: Pin<Box<Self>>);
}

#[cfg(not(feature = "compile-out"))]
pin_project! {
    struct Once<F> {
        #[pin]
        future: F,
    }
}

#[cfg(not(feature = "compile-out"))]
impl<F: Future> Future for Once<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().future.poll(cx)
    }
}

#[cfg(not(feature = "compile-out"))]
impl<F: Future + Send> Boxed<F::Output> for Once<F> {
    fn release(self: Pin<Box<Self>>) {
        drop(self);
    }
}

#[cfg(not(feature = "compile-out"))]
pin_project! {
    /// A future, or the place for another one.
    #[project = PooledProjection]
    enum Pooled<F> {
        Full { #[pin] future: F },
        Empty,
    }
}

#[cfg(not(feature = "compile-out"))]
impl<F: Future> Future for Pooled<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.project() {
            PooledProjection::Full { future } => future.poll(cx),
            PooledProjection::Empty => unreachable!("what is released is not polled"),
        }
    }
}

#[cfg(not(feature = "compile-out"))]
impl<F: Future + Send + 'static> Boxed<F::Output> for Pooled<F> {
    fn release(mut self: Pin<Box<Self>>) {
        // Before the pool is borrowed: the future may hold others.
        self.as_mut().set(Self::Empty);
        let _ = with_pool(|pool| {
            if pool.len() < MOST_POOLED {
                pool.push(self);
            }
        });
    }
}

/// How many boxes a thread keeps of each type of future.
#[cfg(not(feature = "compile-out"))]
const MOST_POOLED: usize = 32;

/// The unused boxes for one type of future.
#[cfg(not(feature = "compile-out"))]
type Pool<F> = Vec<Pin<Box<Pooled<F>>>>;

#[cfg(not(feature = "compile-out"))]
thread_local! {
    /// A pool for each type of future. There are few types, and so they are searched in order.
    static POOLS: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
}

/// Passes on the pool of this thread for a type of future. Returns `None` if the thread ends.
#[cfg(not(feature = "compile-out"))]
fn with_pool<F: 'static, T>(act: impl FnOnce(&mut Pool<F>) -> T) -> Option<T> {
    let acted = POOLS.try_with(|pools| {
        let pools = &mut *pools.borrow_mut();
        let at = (pools.iter().position(|pool| pool.is::<Pool<F>>())).unwrap_or_else(|| {
            pools.push(Box::new(Pool::<F>::new()));
            pools.len() - 1
        });
        pools[at].downcast_mut().map(act)
    });
    acted.ok().flatten()
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
        // It is returned as it is, because to take it apart moves it.
        let polled = future.as_mut().poll(cx);
        if polled.is_ready()
            && let Some(future) = self.0.take()
        {
            future.release();
        }
        polled
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
        fn drop<T>(future: Pin<Box<dyn Boxed<T>>>) {
            future.release();
        }
        if let Some(future) = self.0.take() {
            drop(future);
        }
    }
}
