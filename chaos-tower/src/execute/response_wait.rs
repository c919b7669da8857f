//! A wait between a result and the moment at which the caller gets it.

use std::{future::poll_fn, pin::Pin, task::Poll, time::Duration};

use chaos_core::{decision::ActiveCall, plan::WaitAfter};

/// A wait that ends after there is a result. The injection is active until it has ended or was dropped.
pub(crate) enum ResponseWait {
    /// Starts when the result is there.
    For(Duration, ActiveCall),
    /// Started when it was planned, and runs beside the inner call.
    Until(
        Pin<Box<dyn Future<Output = ()> + Send>>,
        Duration,
        ActiveCall,
    ),
}

impl ResponseWait {
    pub(crate) fn new(wait: WaitAfter, active_call: ActiveCall) -> Self {
        match wait {
            WaitAfter::For(time) => Self::For(time, active_call),
            WaitAfter::AtLeast(time) => {
                Self::Until(Box::pin(active_call.wait(time)), time, active_call)
            }
        }
    }

    /// Returns how long it is, at most.
    pub(crate) fn time(&self) -> Duration {
        match self {
            Self::For(time, _) | Self::Until(_, time, _) => *time,
        }
    }

    /// Waits, and begins the injection. That of a time that has passed by now does not begin.
    pub(crate) async fn wait(self) {
        match self {
            Self::For(time, active_call) => {
                if active_call.begin() {
                    active_call.wait(time).await;
                }
            }
            Self::Until(mut wait, _, active_call) => {
                let is_over = poll_fn(|cx| Poll::Ready(wait.as_mut().poll(cx).is_ready())).await;
                if !is_over && active_call.begin() {
                    wait.await;
                }
            }
        }
    }
}
