//! The body of a response that guard rails measure, from its head to its end.

#[cfg(feature = "tokio")]
use std::pin::Pin;
use std::{
    task::{Context, Poll},
    time::Duration,
};

use super::measured_calls::MeasuredCall;
#[cfg(feature = "tokio")]
use super::{look::Look, watched_call::judge_when_late};
use crate::guard_rail::{injected_by::Serving, outcomes::CallEnd};

/// The body of a response to a call that guard rails measure. A call whose body fails has failed, although
/// its head was no failure. A body that is dropped is no failure: its reader has left, and the call counts
/// for the latency to the end only if it was late.
#[derive(Debug)]
pub struct WatchedBody {
    /// `None` after the end.
    call: Option<MeasuredCall>,
    /// When the head was there; `None` before that.
    answered: Option<Duration>,
    /// Whether all bytes have passed, so that the reader needs no more.
    is_whole: bool,
    /// When to judge next while the body is pending.
    #[cfg(feature = "tokio")]
    look: Option<Pin<Box<Look>>>,
}

impl WatchedBody {
    pub(super) fn of(call: &MeasuredCall) -> Self {
        Self {
            call: Some(call.share()),
            answered: None,
            is_whole: false,
            #[cfg(feature = "tokio")]
            look: None,
        }
    }

    /// Records that the caller has left, so that nobody receives the response whose body this would be.
    pub fn left(&self) {
        if let Some(call) = &self.call {
            call.leave();
        }
    }

    /// Begins to measure the body of a response whose head is there, and is no failure.
    #[must_use]
    pub fn answered(mut self) -> Self {
        if let Some(call) = &self.call {
            call.begin_body();
            self.answered = Some(call.watchers().now());
        }
        self
    }

    /// Polls the body. What is injected meanwhile is injected into the call.
    pub fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let Some(call) = &self.call else {
            return poll(cx);
        };
        let polled = {
            let _serving = Serving::new(call.injected());
            poll(cx)
        };
        #[cfg(feature = "tokio")]
        if polled.is_pending() {
            let late = call.watchers().late_to_end;
            judge_when_late(&mut self.look, call, late, cx);
        }
        polled
    }

    /// Counts the call as failed, once, and judges the guard rails.
    pub fn fail(&mut self) {
        if let (Some(call), Some(answered)) = (&self.call, self.answered) {
            let now = call.watchers().now();
            let (start, injected) = (call.start(), call.injected().so_far());
            call.watchers()
                .judge_those(now, |monitor| monitor.fail(start, injected, answered, now));
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
        let is_answered = self.answered.take().is_some();
        let Some(call) = self.call.take().filter(|_| is_answered) else {
            return;
        };
        let (at_end, now) = (call.end_body(), call.watchers().now());
        call.watchers().judge_those(now, |monitor| {
            monitor.end_body(at_end.start, at_end.injected, now, end)
        });
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
