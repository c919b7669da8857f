//! Ends a wait when the peer has gone: looks how its connection is, every quarter of a second.

use std::{
    future::{pending, poll_fn},
    pin::pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{runtime::Handle, time::sleep};

use crate::byte_fault::wait_slot::WaitSlot;

/// How often a wait looks. A wait that is no longer does not look.
pub(crate) const INTERVAL: Duration = Duration::from_millis(250);

/// Looks whether a peer has gone, again and again while something waits.
#[derive(Default)]
pub(crate) struct PeriodicLook {
    until_look: WaitSlot,
}

impl PeriodicLook {
    /// Ready when the peer has gone, which `has_gone` says. To be polled while a fault waits.
    pub(crate) fn poll_gone(
        &mut self,
        cx: &mut Context<'_>,
        has_gone: impl FnOnce() -> bool,
    ) -> Poll<()> {
        ready!(self.until_look.poll_or_start(interval, cx));
        if has_gone() {
            return Poll::Ready(());
        }
        // The next poll starts the next interval.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Waits until it is time to look. Not at the gate of a rule: a wait may outlast its rule. Never ends outside a
/// runtime, where waits hold the thread.
async fn interval() {
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
    let (mut wait, mut look) = (pin!(wait), PeriodicLook::default());
    poll_fn(|cx| {
        if wait.as_mut().poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        look.poll_gone(cx, &mut has_gone).map(|()| false)
    })
    .await
}
