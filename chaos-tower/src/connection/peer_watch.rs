//! Ends a wait when the peer has gone: looks how its connection is, every quarter of a second.

use std::{
    future::{pending, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use tokio::{runtime::Handle, time::sleep};

use crate::byte_fault::wait_slot::WaitSlot;

/// How often a wait looks. A wait that is no longer does not look.
pub(crate) const INTERVAL: Duration = Duration::from_millis(250);

/// Waits until it is time to look. Not at the gate of a rule: a wait may outlast its rule. Never ends outside a
/// runtime, where waits hold the thread.
pub(crate) async fn interval() {
    match Handle::try_current() {
        Ok(_) => sleep(INTERVAL).await,
        Err(_) => pending().await,
    }
}

/// Waits with `wait`, which takes `time` at most. Returns `false` if the peer has gone meanwhile, which
/// `has_gone` says.
///
/// Cancel-safe if `wait` is.
pub(crate) async fn wait_while_there(
    wait: impl Future<Output = ()>,
    time: Duration,
    mut has_gone: impl FnMut() -> bool,
) -> bool {
    if time <= INTERVAL {
        wait.await;
        return true;
    }
    let (mut wait, mut until_look) = (pin!(wait), WaitSlot::default());
    poll_fn(|cx| {
        if wait.as_mut().poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        if until_look.poll_or_start(interval, cx).is_pending() {
            return Poll::Pending;
        }
        if has_gone() {
            return Poll::Ready(false);
        }
        // The next poll starts the next interval.
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}
