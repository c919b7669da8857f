//! A wait between a result and the moment at which the caller gets it.

use std::{pin::Pin, time::Duration};

use chaos_core::{decision::ActiveCall, plan::WaitAfter};

/// A wait that ends after the inner service has returned. The injection is active until it has ended
/// or was dropped.
pub(crate) enum ResponseWait {
    /// Starts when the result is there.
    For(Duration, ActiveCall),
    /// Started when it was planned, and runs beside the inner call.
    Until(Pin<Box<dyn Future<Output = ()> + Send>>, ActiveCall),
}

impl ResponseWait {
    pub(crate) fn new(wait: WaitAfter, active_call: ActiveCall) -> Self {
        match wait {
            WaitAfter::For(time) => Self::For(time, active_call),
            WaitAfter::AtLeast(time) => Self::Until(Box::pin(active_call.wait(time)), active_call),
        }
    }

    pub(crate) async fn wait(self) {
        match self {
            Self::For(time, active_call) => active_call.wait(time).await,
            Self::Until(wait, _active_call) => wait.await,
        }
    }
}
