//! The guard rails that measure the calls of a site, as one call holds them.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use super::measured_calls::CallsOf;
use crate::{call::stripe, guard_rail::monitor::Monitor, hub::Hub};

/// The guard rails that measure the calls of a site. Aligned, so that the counts of those who hold the ones of
/// different stripes share no cache line.
#[repr(align(64))]
pub(crate) struct Watchers {
    site: Arc<SiteWatchers>,
    /// After which time a call without a head, or a body that has not ended, is to be judged.
    #[cfg(feature = "tokio")]
    pub(super) late: Option<Duration>,
    #[cfg(feature = "tokio")]
    pub(super) late_to_end: Option<Duration>,
    pub(super) measure_bodies: bool,
}

impl Watchers {
    fn new(site: &Arc<SiteWatchers>) -> Self {
        let monitors = &site.monitors;
        Self {
            #[cfg(feature = "tokio")]
            late: monitors.iter().filter_map(|it| it.late()).min(),
            #[cfg(feature = "tokio")]
            late_to_end: monitors.iter().filter_map(|it| it.late_to_end()).min(),
            measure_bodies: monitors.iter().any(|it| it.measures_bodies()),
            site: Arc::clone(site),
        }
    }

    /// Returns the number by which the guard rails know that they are among these.
    pub(super) fn number(&self) -> u64 {
        self.site.number
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.site.hub
    }

    pub(super) fn now(&self) -> Duration {
        self.site.hub.clock.now()
    }

    /// Passes each guard rail on, judges those for which that returns `true`, and reports what is broken.
    pub(super) fn judge_those(&self, now: Duration, is_due: impl Fn(&Monitor) -> bool) {
        for monitor in self.monitors() {
            if is_due(monitor)
                && let Some(breach) = monitor.judge(now, &CallsOf(monitor))
            {
                self.site.hub.breached(&breach, monitor.stops());
            }
        }
    }

    pub(super) fn monitors(&self) -> impl Iterator<Item = &Monitor> {
        self.site.monitors.iter().map(|monitor| &**monitor)
    }
}

impl fmt::Debug for Watchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watchers")
            .field("monitors", &self.site.monitors)
            .finish_non_exhaustive()
    }
}

/// The guard rails of a site. They know it by its number for as long as a call may have it.
struct SiteWatchers {
    hub: Arc<Hub>,
    monitors: Arc<[Arc<Monitor>]>,
    number: u64,
}

impl Drop for SiteWatchers {
    fn drop(&mut self) {
        self.monitors.iter().for_each(|it| it.leave(self.number));
    }
}

/// The guard rails of a site, once for each stripe: a call counts itself among those who hold them, and
/// must not write for that where other threads write.
pub(crate) struct StripedWatchers {
    site: Arc<SiteWatchers>,
    stripes: Box<[OnceLock<Arc<Watchers>>]>,
}

impl StripedWatchers {
    pub(crate) fn new(hub: &Arc<Hub>, monitors: &Arc<[Arc<Monitor>]>) -> Self {
        /// No two have the same number.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Relaxed);
        monitors.iter().for_each(|it| it.join(number));
        let site = SiteWatchers {
            hub: Arc::clone(hub),
            monitors: Arc::clone(monitors),
            number,
        };
        Self {
            site: Arc::new(site),
            stripes: (0..stripe::count()).map(|_| OnceLock::new()).collect(),
        }
    }

    /// Returns those of this thread.
    pub(crate) fn here(&self) -> &Arc<Watchers> {
        let make = || Arc::new(Watchers::new(&self.site));
        self.stripes[stripe::index()].get_or_init(make)
    }
}

impl fmt::Debug for StripedWatchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StripedWatchers")
            .field("monitors", &self.site.monitors)
            .finish_non_exhaustive()
    }
}
