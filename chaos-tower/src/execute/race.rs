//! A race of two futures.

use std::{future::poll_fn, pin::pin, task::Poll};

/// Returns the output of `future`, or `None` if `other` completes first. `future` is polled first.
///
/// Cancel-safe if both futures are.
pub(crate) async fn unless<T>(
    other: impl Future<Output = ()>,
    future: impl Future<Output = T>,
) -> Option<T> {
    let (mut other, mut future) = (pin!(other), pin!(future));
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        other.as_mut().poll(cx).map(|()| None)
    })
    .await
}
