//! A call that guard rails measure, from its decision to its answer.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

#[cfg(feature = "tokio")]
use super::look::Look;
use super::{monitored::Monitored, watched_body::WatchedBody};
use crate::{
    guard_rail::{injected_by::InjectedBy, monitor::Monitor, outcomes::CallEnd},
    hub::Hub,
};

/// A call that guard rails measure. If it is dropped before its answer, the caller has left: then it
/// counts only if it was late, and as failed only if a fault has held it. A call that panics counts as failed.
#[derive(Debug)]
pub struct WatchedCall {
    call: Monitored,
    has_ended: bool,
    /// Whether the call is being polled. If it is dropped like that, it has panicked.
    is_polled: bool,
    /// When to judge next while the call is pending.
    #[cfg(feature = "tokio")]
    look: Option<Look>,
}

impl WatchedCall {
    pub(crate) fn new(
        hub: &Arc<Hub>,
        monitors: &Arc<[Arc<Monitor>]>,
        injected: InjectedBy,
    ) -> Self {
        Self {
            call: Monitored::begin(hub, monitors, injected),
            has_ended: false,
            is_polled: false,
            #[cfg(feature = "tokio")]
            look: (monitors.iter().filter_map(|monitor| monitor.late()).min())
                .and_then(|late| Look::when(late, late)),
        }
    }

    /// Measures the call, and judges the guard rails.
    fn end(&mut self, end: CallEnd) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        let now = self.call.now();
        for (start, monitor) in self.call.monitors() {
            monitor.end(start, now, end);
        }
        self.call.judge(now);
    }

    /// Returns what measures the body of the response.
    #[must_use]
    pub fn body(&self) -> WatchedBody {
        WatchedBody::of(&self.call)
    }
}

impl Drop for WatchedCall {
    fn drop(&mut self) {
        self.end(match self.is_polled {
            // The caller gets no answer, as if the call had been cut off.
            true => CallEnd::Answered { failed: true },
            false => CallEnd::Left,
        });
    }
}

pin_project! {
    /// A future whose call guard rails may measure. Without any, it polls the inner future alone.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct WatchedFuture<F, P> {
        // Before the future: if this is dropped early, the call has ended before the future is dropped.
        watched_call: Option<Box<WatchedCall>>,
        #[pin]
        future: F,
        has_failed: P,
    }
}

impl<F: Future, P: Fn(&F::Output) -> Option<bool>> WatchedFuture<F, P> {
    /// Measures `future` for guard rails, if there are any. `has_failed` says whether an output is a failure;
    /// `None` is one that nobody receives, because the caller has left.
    pub fn new(watched_call: Option<Box<WatchedCall>>, future: F, has_failed: P) -> Self {
        Self {
            watched_call,
            future,
            has_failed,
        }
    }
}

impl<F: Future, P: Fn(&F::Output) -> Option<bool>> Future for WatchedFuture<F, P> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let Some(watched_call) = this.watched_call else {
            return this.future.poll(cx);
        };
        watched_call.is_polled = true;
        let poll = {
            let _serving = watched_call.call.serving();
            this.future.poll(cx)
        };
        watched_call.is_polled = false;
        #[cfg(feature = "tokio")]
        if poll.is_pending() {
            watched_call.call.look(&mut watched_call.look, cx);
        }
        let output = ready!(poll);
        let failed = (this.has_failed)(&output);
        watched_call.end(failed.map_or(CallEnd::Left, |failed| CallEnd::Answered { failed }));
        *this.watched_call = None;
        Poll::Ready(output)
    }
}
