//! The body of a response that guard rails measure, from its head to its end.

use std::{
    task::{Context, Poll},
    time::Duration,
};

#[cfg(feature = "tokio")]
use super::look::Look;
use super::monitored::Monitored;
use crate::guard_rail::outcomes::CallEnd;
#[cfg(feature = "tokio")]
use crate::guard_rail::{monitor::Monitor, outcomes::CallStart};

/// The body of a response to a call that guard rails measure. A call whose body fails has failed, although
/// its head was no failure. A body that is dropped is no failure: its reader has left, and the call counts
/// for the latency to the end only if it was late.
#[derive(Debug)]
pub struct WatchedBody {
    call: Monitored,
    /// When the head was there; `None` before that, and after the end.
    answered: Option<Duration>,
    /// Whether all bytes have passed, so that the reader needs no more.
    is_whole: bool,
    /// When to judge next while the body is pending.
    #[cfg(feature = "tokio")]
    look: Option<Look>,
}

impl WatchedBody {
    pub(super) fn of(call: &Monitored) -> Self {
        Self {
            call: call.clone(),
            answered: None,
            is_whole: false,
            #[cfg(feature = "tokio")]
            look: None,
        }
    }

    /// Begins to measure the body of a response whose head is there, and is no failure.
    #[must_use]
    pub fn answered(mut self) -> Self {
        let now = self.call.now();
        self.answered = Some(now);
        for (start, monitor) in self.call.monitors() {
            monitor.begin_body(start);
        }
        #[cfg(feature = "tokio")]
        {
            let late = |(start, monitor): (CallStart, &Monitor)| {
                let late = monitor.late_to_end()?;
                Some((late, late.saturating_sub(start.taken(now))))
            };
            let first = self.call.monitors().filter_map(late).min();
            self.look = first.and_then(|(late, left)| Look::when(left, late));
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
            let _serving = self.call.serving();
            poll(cx)
        };
        #[cfg(feature = "tokio")]
        if polled.is_pending() {
            self.call.look(&mut self.look, cx);
        }
        polled
    }

    /// Counts the call as failed, once, and judges the guard rails.
    pub fn fail(&mut self) {
        let Some(answered) = self.answered else {
            return;
        };
        let now = self.call.now();
        for (start, monitor) in self.call.monitors() {
            monitor.fail(start, answered, now, self.call.injected());
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
        let now = self.call.now();
        for (start, monitor) in self.call.monitors() {
            monitor.end_body(start, now, end);
        }
        self.call.judge(now);
    }
}

impl Drop for WatchedBody {
    fn drop(&mut self) {
        self.end_as(match self.is_whole {
            true => CallEnd::Answered { failed: false },
            false => CallEnd::Left,
        });
    }
}
