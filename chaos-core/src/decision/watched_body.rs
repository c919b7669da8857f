//! The body of a response that guard rails measure, from its head to its end.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

#[cfg(feature = "tokio")]
use super::look::Look;
use super::watched_call::judge;
use crate::{
    guard_rail::{
        injected_by::InjectedBy,
        monitor::{Monitor, Serving},
        outcomes::{CallEnd, CallStart},
    },
    hub::Hub,
};

/// The body of a response to a call that guard rails measure. A call whose body fails has failed, although
/// its head was no failure. A body that is dropped is no failure: its reader has left, and counts for the
/// latency to the end only if he was late.
pub struct WatchedBody {
    hub: Arc<Hub>,
    monitors: Arc<[Arc<Monitor>]>,
    begun: Arc<[CallStart]>,
    injected: Arc<InjectedBy>,
    /// When the head was there; `None` before that, and after the end.
    answered: Option<Duration>,
    /// Whether all bytes have passed, so that the reader needs no more.
    is_whole: bool,
    /// When to judge next while the body is pending.
    #[cfg(feature = "tokio")]
    look: Option<Look>,
}

impl WatchedBody {
    pub(super) fn new(
        hub: &Arc<Hub>,
        monitors: &Arc<[Arc<Monitor>]>,
        begun: &Arc<[CallStart]>,
        injected: &Arc<InjectedBy>,
    ) -> Self {
        Self {
            hub: Arc::clone(hub),
            monitors: Arc::clone(monitors),
            begun: Arc::clone(begun),
            injected: Arc::clone(injected),
            answered: None,
            is_whole: false,
            #[cfg(feature = "tokio")]
            look: None,
        }
    }

    /// Begins to measure the body of a response whose head is there, and is no failure.
    #[must_use]
    pub fn answered(mut self) -> Self {
        let now = self.hub.clock.now();
        self.answered = Some(now);
        for (begun, monitor) in self.begun.iter().zip(&*self.monitors) {
            monitor.begin_body(*begun);
        }
        #[cfg(feature = "tokio")]
        {
            let late = self.monitors.iter().filter_map(|it| it.late_to_end()).min();
            self.look = late.zip(self.begun.first()).and_then(|(late, begun)| {
                let left = late.saturating_sub(begun.taken(now));
                Look::when(left, late)
            });
        }
        self
    }

    /// Polls the body. What is injected meanwhile is injected into the call.
    pub fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let polled = {
            let _serving = Serving::new(&self.injected);
            poll(cx)
        };
        if polled.is_pending() {
            self.look(cx);
        }
        polled
    }

    /// Counts the call as failed, once, and judges the guard rails.
    pub fn fail(&mut self) {
        let Some(answered) = self.answered else {
            return;
        };
        let now = self.hub.clock.now();
        for (begun, monitor) in self.begun.iter().zip(&*self.monitors) {
            monitor.fail(*begun, answered, now, &self.injected);
        }
        self.end_as(CallEnd::Answered { failed: true });
    }

    /// Records that the body has ended, and judges the guard rails.
    pub fn end(&mut self) {
        self.end_as(CallEnd::Answered { failed: false });
    }

    /// Records that all bytes have passed: if the body is dropped from now on, it has ended.
    pub fn all_passed(&mut self) {
        self.is_whole = true;
    }

    fn end_as(&mut self, end: CallEnd) {
        if self.answered.take().is_none() {
            return;
        }
        let now = self.hub.clock.now();
        for (begun, monitor) in self.begun.iter().zip(&*self.monitors) {
            monitor.end_body(*begun, now, end);
        }
        judge(&self.hub, &self.monitors, now);
    }

    /// Judges again when the time has come.
    #[cfg(feature = "tokio")]
    fn look(&mut self, cx: &mut Context<'_>) {
        while self.look.as_mut().is_some_and(|look| look.is_due(cx)) {
            judge(&self.hub, &self.monitors, self.hub.clock.now());
        }
    }

    #[cfg(not(feature = "tokio"))]
    fn look(&mut self, _: &mut Context<'_>) {}
}

impl Drop for WatchedBody {
    fn drop(&mut self) {
        self.end_as(match self.is_whole {
            true => CallEnd::Answered { failed: false },
            false => CallEnd::Left,
        });
    }
}

impl fmt::Debug for WatchedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedBody")
            .field("monitors", &self.monitors)
            .finish_non_exhaustive()
    }
}
