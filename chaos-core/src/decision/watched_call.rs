//! A call that is measured, from its decision to its answer: by guard rails, or because someone watches its site.

use std::{
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use pin_project_lite::pin_project;

#[cfg(feature = "tokio")]
use super::look::Look;
use super::{
    measured_calls::{AtEnd, MeasuredCall},
    watched_body::WatchedBody,
    watchers::Watchers,
};
use crate::{
    call::fates::KeyedFate,
    guard_rail::{injected_by::Serving, outcomes::CallEnd},
};

/// A call that is measured: by guard rails, or because someone [watches](crate::Injector::watch) its site. If it is
/// dropped before its answer, the caller has left: then it counts for guard rails only if it was late, and as failed
/// only if a fault has held it. A call that panics counts as failed.
///
/// [`Site::measure`](crate::Site::measure) makes it.
#[derive(Debug)]
pub struct WatchedCall {
    /// `None` once the call has ended.
    call: Option<MeasuredCall>,
    /// When to judge next while the call is pending.
    #[cfg(feature = "tokio")]
    look: Option<Pin<Box<Look>>>,
}

impl WatchedCall {
    /// Begins to measure a call. `of_overlay`: whether a rule of an overlay fired on it.
    pub(crate) fn begin(watchers: Arc<Watchers>, now: Duration, of_overlay: bool) -> Option<Self> {
        let call = MeasuredCall::begin(watchers, now, of_overlay)?;
        Some(Self {
            call: Some(call),
            #[cfg(feature = "tokio")]
            look: None,
        })
    }

    /// Notes a fate of the call for the observation of this number, if that counts it.
    pub(super) fn note_fate(&self, observation: u64, fate: KeyedFate) {
        self.call
            .iter()
            .for_each(|call| call.injected().note_fate(observation, fate));
    }

    /// Returns whether the call is counted for an observed rule.
    #[doc(hidden)]
    #[inline]
    #[must_use]
    pub fn is_observed(&self) -> bool {
        let call = self.call.as_ref();
        call.is_some_and(|call| call.watchers().is_observed)
    }

    /// Serves the call until the result is dropped, for an integration that makes the future of an inner service before it
    /// polls that, if the call [is observed](Self::is_observed). What is decided meanwhile is decided in the call.
    ///
    /// It takes no closure: a request would be moved into that, and once more out of it.
    #[doc(hidden)]
    #[must_use = "the call is served until it is dropped"]
    pub fn begin_to_serve(&self) -> Option<impl Sized + use<>> {
        self.call.as_ref().map(|call| Serving::new(call.injected()))
    }

    /// Polls what serves the call. What is injected meanwhile is injected into the call.
    pub fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let Some(call) = &self.call else {
            return poll(cx);
        };
        let injected = call.injected();
        let panicking = EndAtPanic(self);
        let polled = {
            let _serving = Serving::new(injected);
            poll(cx)
        };
        mem::forget(panicking);
        #[cfg(feature = "tokio")]
        if polled.is_pending() {
            self.look(cx);
        }
        polled
    }

    /// Judges while the call is pending, when it is late and from time to time after that: there may be no other
    /// call that does.
    #[cfg(feature = "tokio")]
    fn look(&mut self, cx: &mut Context<'_>) {
        if let Some(call) = &self.call {
            let late = call.watchers().late;
            judge_when_late(&mut self.look, call, late, cx);
        }
    }

    /// Measures the call, and judges the guard rails. This has an effect once.
    pub fn end(&mut self, failed: bool) {
        self.end_as(CallEnd::Answered { failed });
    }

    fn end_as(&mut self, end: CallEnd) {
        let Some(call) = self.call.take() else {
            return;
        };
        let AtEnd {
            start,
            injected,
            has_left,
            has_body,
        } = call.end_head();
        let end = if has_left { CallEnd::Left } else { end };
        let now = call.watchers().now();
        call.watchers().count_head(start, injected, now, end);
        if call.watchers().is_observed {
            call.count_outcome(now, end);
        }
        call.watchers().judge_those(now, |monitor| {
            monitor.end(start, injected, now, end, has_body)
        });
    }

    /// Returns what measures the body of the response.
    #[must_use]
    pub fn body(&self) -> Option<WatchedBody> {
        Some(WatchedBody::of(self.call.as_ref()?))
    }

    /// Returns whether it matters to the guard rails how the body of the response ends, and when.
    #[must_use]
    pub fn needs_body(&self) -> bool {
        let call = self.call.as_ref();
        call.is_some_and(|call| call.watchers().measure_bodies)
    }
}

/// Judges each time that `look` says so, which is made for a call or a body that is late after this time.
#[cfg(feature = "tokio")]
pub(super) fn judge_when_late(
    look: &mut Option<Pin<Box<Look>>>,
    call: &MeasuredCall,
    late: Option<Duration>,
    cx: &mut Context<'_>,
) {
    let watchers = call.watchers();
    let first = || {
        let (late, now) = (late?, watchers.now());
        Look::when(late.saturating_sub(call.start().taken(now)), late)
    };
    *look = look.take().or_else(first);
    while look.as_mut().is_some_and(|look| look.as_mut().is_due(cx)) {
        watchers.judge_those(watchers.now(), |_| true);
    }
}

/// Counts the call as failed unless it is forgotten: its caller gets no answer, as if it had been cut off.
struct EndAtPanic<'a>(&'a mut WatchedCall);

impl Drop for EndAtPanic<'_> {
    fn drop(&mut self) {
        self.0.end(true);
    }
}

impl Drop for WatchedCall {
    fn drop(&mut self) {
        self.end_as(CallEnd::Left);
    }
}

pin_project! {
    /// A future whose call guard rails may measure. Without any, it polls the inner future alone.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct WatchedFuture<F, P> {
        // Before the future: if this is dropped early, the call has ended before the future is dropped.
        watched_call: Option<WatchedCall>,
        #[pin]
        future: F,
        has_failed: P,
    }
}

impl<F: Future, P: Fn(&F::Output) -> bool> WatchedFuture<F, P> {
    /// Measures `future` for guard rails, if there are any. `has_failed` says whether an output is a failure.
    pub fn new(watched_call: Option<WatchedCall>, future: F, has_failed: P) -> Self {
        Self {
            watched_call,
            future,
            has_failed,
        }
    }
}

impl<F: Future, P: Fn(&F::Output) -> bool> Future for WatchedFuture<F, P> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let Some(watched_call) = this.watched_call else {
            return this.future.poll(cx);
        };
        let future = this.future;
        let output = ready!(watched_call.poll(cx, |cx| future.poll(cx)));
        watched_call.end((this.has_failed)(&output));
        Poll::Ready(output)
    }
}
