//! One call under the eyes of guard rails, from its decision to its answer.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use pin_project_lite::pin_project;

use crate::{
    guard_rail::{
        monitor::{Monitor, Serving},
        outcomes::CallStart,
    },
    hub::Hub,
};

/// A call that guard rails watch. Dropped before its answer, it counts as failed: whoever asked is gone.
pub struct WatchedCall {
    hub: Arc<Hub>,
    watches: Arc<[Arc<Monitor>]>,
    begun: Vec<CallStart>,
    injected: Arc<AtomicBool>,
    /// The next look at a call that takes long: nobody else may come by.
    #[cfg(feature = "tokio")]
    look: Option<Look>,
}

impl WatchedCall {
    pub(crate) fn new(hub: &Arc<Hub>, watches: &Arc<[Arc<Monitor>]>, injected: bool) -> Self {
        let now = hub.clock.now();
        Self {
            begun: watches.iter().map(|watch| watch.begin(now)).collect(),
            #[cfg(feature = "tokio")]
            look: (watches.iter().filter_map(|watch| watch.late()).min()).and_then(Look::when),
            hub: Arc::clone(hub),
            watches: Arc::clone(watches),
            injected: Arc::new(AtomicBool::new(injected)),
        }
    }

    fn end(&mut self, failed: bool) {
        if self.begun.is_empty() {
            return;
        }
        let now = self.hub.clock.now();
        let injected = self.injected.load(Ordering::Relaxed);
        for (begun, watch) in self.begun.drain(..).zip(&*self.watches) {
            watch.end(begun, now, failed, injected);
        }
        self.judge(now);
    }

    fn judge(&self, now: Duration) {
        for watch in &*self.watches {
            if let Some(breach) = watch.judge(now) {
                self.hub.breached(&breach, watch.stops());
            }
        }
    }

    #[cfg(feature = "tokio")]
    fn look(&mut self, cx: &mut Context<'_>) {
        while let Some(look) = &mut self.look {
            if look.sleep.as_mut().poll(cx).is_pending() {
                return;
            }
            look.put_off();
            self.judge(self.hub.clock.now());
        }
    }

    #[cfg(not(feature = "tokio"))]
    fn look(&mut self, _: &mut Context<'_>) {}
}

/// When to look at a call that takes long: when it is late, once more soon after (the first look may have
/// come too soon after that of another call to be one), and then seldomer and seldomer.
#[cfg(feature = "tokio")]
struct Look {
    sleep: Pin<Box<tokio::time::Sleep>>,
    then: Duration,
    late: Duration,
}

#[cfg(feature = "tokio")]
impl Look {
    const SOON: Duration = Duration::from_millis(20);

    /// Outside a runtime, there is no timer.
    fn when(late: Duration) -> Option<Self> {
        tokio::runtime::Handle::try_current().ok()?;
        // Late is what is later than that.
        let late = late + Duration::from_millis(1);
        Some(Self {
            sleep: Box::pin(tokio::time::sleep(late)),
            then: Self::SOON,
            late,
        })
    }

    fn put_off(&mut self) {
        let next = self.sleep.deadline() + self.then;
        self.sleep.as_mut().reset(next);
        self.then = self.late;
        self.late *= 2;
    }
}

impl Drop for WatchedCall {
    fn drop(&mut self) {
        self.end(true);
    }
}

impl fmt::Debug for WatchedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watching")
            .field("watches", &self.watches)
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// A future whose call may be watched. Not watched, it is the future.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct WatchedFuture<F, P> {
        // Before the future: dropped half-way, the call has ended when it lets go what it holds.
        watched_call: Option<Box<WatchedCall>>,
        #[pin]
        future: F,
        has_failed: P,
    }
}

impl<F: Future, P: Fn(&F::Output) -> bool> WatchedFuture<F, P> {
    /// Serves a call under the eyes of what watches it, if anything does; `has_failed` says whether an
    /// answer is a failure.
    pub fn new(watched_call: Option<Box<WatchedCall>>, future: F, has_failed: P) -> Self {
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
        let poll = {
            let _serving = Serving::new(&watched_call.injected);
            this.future.poll(cx)
        };
        if poll.is_pending() {
            watched_call.look(cx);
        }
        let output = ready!(poll);
        watched_call.end((this.has_failed)(&output));
        *this.watched_call = None;
        Poll::Ready(output)
    }
}
