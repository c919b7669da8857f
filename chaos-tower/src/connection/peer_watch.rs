//! Ends a wait when the peer has gone: looks how its connection is, every quarter of a second.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use chaos_core::decision::ActiveCall;

use crate::byte_fault::wait_slot::WaitSlot;

/// How often a wait looks. A wait that is no longer does not look.
pub(crate) const INTERVAL: Duration = Duration::from_millis(250);

/// Waits with `wait`, which takes `time` at most. Returns `false` if the peer has gone meanwhile, which
/// `has_gone` says.
///
/// Cancel-safe if `wait` is.
pub(crate) async fn wait_while_there(
    wait: impl Future<Output = ()>,
    time: Duration,
    active_call: &ActiveCall,
    mut has_gone: impl FnMut() -> bool,
) -> bool {
    if time <= INTERVAL {
        wait.await;
        return true;
    }
    let (mut wait, mut interval) = (pin!(wait), WaitSlot::default());
    poll_fn(|cx| {
        if wait.as_mut().poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        if (interval.poll_or_start(|| active_call.wait(INTERVAL), cx)).is_pending() {
            return Poll::Pending;
        }
        if has_gone() {
            return Poll::Ready(false);
        }
        // The next poll starts the next interval. It polls the wait before, because an interval ends at once
        // when the rule is over.
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}
