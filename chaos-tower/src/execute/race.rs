//! Two futures, of which the first to be done is asked for.

use std::{future::poll_fn, pin::pin, task::Poll};

/// What `future` gives, or `None` if `other` is done before. Cancel-safe if both are.
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
