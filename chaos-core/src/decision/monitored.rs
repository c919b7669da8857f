//! One call and the guard rails that measure it, which what measures its head and its body share.

#[cfg(feature = "tokio")]
use std::task::Context;
use std::{fmt, sync::Arc, time::Duration};

#[cfg(feature = "tokio")]
use super::look::Look;
use crate::{
    guard_rail::{
        injected_by::InjectedBy,
        monitor::{Monitor, Serving},
        outcomes::CallStart,
    },
    hub::Hub,
};

/// One call, and the guard rails that measure it.
#[derive(Clone)]
pub(super) struct Monitored {
    hub: Arc<Hub>,
    monitors: Arc<[Arc<Monitor>]>,
    begun: Arc<[CallStart]>,
    injected: Arc<InjectedBy>,
}

impl Monitored {
    /// Records that the call begins.
    pub(super) fn begin(
        hub: &Arc<Hub>,
        monitors: &Arc<[Arc<Monitor>]>,
        injected: InjectedBy,
    ) -> Self {
        let now = hub.clock.now();
        let injected = Arc::new(injected);
        let begin = |monitor: &Arc<Monitor>| monitor.begin(now, &injected);
        Self {
            begun: monitors.iter().map(begin).collect(),
            hub: Arc::clone(hub),
            monitors: Arc::clone(monitors),
            injected,
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.hub.clock.now()
    }

    /// Notes what is injected on this thread as injected into the call, until the result is dropped.
    pub(super) fn serving(&self) -> Serving {
        Serving::new(&self.injected)
    }

    pub(super) fn injected(&self) -> &InjectedBy {
        &self.injected
    }

    /// Returns each guard rail, with the start of the call.
    pub(super) fn monitors(&self) -> impl Iterator<Item = (CallStart, &Monitor)> {
        let monitors = self.monitors.iter().map(|monitor| &**monitor);
        self.begun.iter().copied().zip(monitors)
    }

    /// Reports each guard rail whose bound is broken.
    pub(super) fn judge(&self, now: Duration) {
        for monitor in &*self.monitors {
            if let Some(breach) = monitor.judge(now) {
                self.hub.breached(&breach, monitor.stops());
            }
        }
    }

    /// Judges while the call is pending, each time that `look` says so: there may be no other call that does.
    #[cfg(feature = "tokio")]
    pub(super) fn look(&self, look: &mut Option<Look>, cx: &mut Context<'_>) {
        while look.as_mut().is_some_and(|look| look.is_due(cx)) {
            self.judge(self.now());
        }
    }
}

impl fmt::Debug for Monitored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitored")
            .field("monitors", &self.monitors)
            .finish_non_exhaustive()
    }
}
