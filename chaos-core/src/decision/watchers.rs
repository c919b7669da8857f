//! What measures the calls of a site, as one call holds it: guard rails, and the meter of who watches the site.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{measured_calls::CallsOf, site_meter::SiteMeter};
use crate::{
    call::{fates::CallFates, stripe},
    guard_rail::{
        injected_by::InjectedSoFar,
        monitor::{CallStart, Monitor},
        outcomes::CallEnd,
    },
    hub::{Hub, observations::observed_site::ObservedSite},
};

/// What measures the calls of a site. Aligned, so that the counts of those who hold the ones of different stripes share
/// no cache line.
#[repr(align(64))]
pub(crate) struct Watchers {
    site: Arc<SiteWatchers>,
    /// After which time a call without a head, or a body that has not ended, is to be judged.
    #[cfg(feature = "tokio")]
    pub(super) late: Option<Duration>,
    #[cfg(feature = "tokio")]
    pub(super) late_to_end: Option<Duration>,
    pub(super) measure_bodies: bool,
    /// Whether the calls are counted for observed rules.
    pub(super) is_observed: bool,
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
            is_observed: !site.observers.is_empty(),
            site: Arc::clone(site),
        }
    }

    /// Returns the number by which the guard rails and the meter know that they are among these.
    pub(super) fn number(&self) -> u64 {
        self.site.number
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.site.hub
    }

    pub(super) fn now(&self) -> Duration {
        self.site.hub.clock.now()
    }

    /// Returns the meter of the site, if someone watches it.
    #[inline]
    pub(crate) fn meter(&self) -> Option<&SiteMeter> {
        self.site.meter.as_deref()
    }

    /// Returns what counts the calls of the site for observed rules.
    pub(super) fn observers(&self) -> &[Arc<ObservedSite>] {
        &self.site.observers
    }

    /// Returns the fates of a call that begins, for those.
    #[cold]
    #[inline(never)]
    pub(super) fn begin_fates(&self) -> CallFates {
        CallFates::new(self.observers().iter().map(|site| site.observation))
    }

    /// Counts a call whose head is there, or whose caller has left, if someone watches the site.
    #[inline]
    pub(super) fn count_head(
        &self,
        start: CallStart,
        injected: InjectedSoFar,
        now: Duration,
        end: CallEnd,
    ) {
        if let Some(meter) = self.meter() {
            meter.end(start.taken(now), injected, end);
        }
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

/// What measures the calls of a site, as the site is given it. Most sites have nothing of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct SiteMonitors {
    /// The guard rails, and until when they watch.
    pub(crate) rails: Option<(Arc<[Arc<Monitor>]>, Duration)>,
    /// The meter of a site that someone watches.
    pub(crate) meter: Option<Arc<SiteMeter>>,
    /// What counts the calls of a layer's site for observed rules.
    pub(crate) observers: Vec<Arc<ObservedSite>>,
}

impl SiteMonitors {
    /// Returns what is left of these when all guard rails are over.
    pub(crate) fn without_rails(self) -> Self {
        Self {
            rails: None,
            ..self
        }
    }

    pub(super) fn are_none(&self) -> bool {
        self.rails.is_none() && !self.count()
    }

    pub(super) fn are_without_rails(&self) -> bool {
        self.rails.is_none() && self.count()
    }

    /// Returns whether calls are counted, because someone watches the site or observes a rule.
    fn count(&self) -> bool {
        self.meter.is_some() || !self.observers.is_empty()
    }

    /// Returns the meter if calls are counted in it when they pass.
    pub(super) fn meter_of_passes(&self) -> Option<&SiteMeter> {
        self.meter.as_deref().filter(|meter| meter.is_in_code())
    }

    /// Returns what measures calls from their beginning to their end, if anything does.
    pub(super) fn watchers(&self, hub: &Arc<Hub>) -> Option<Arc<StripedWatchers>> {
        let meter = self.meter.as_ref().filter(|meter| !meter.is_in_code());
        let rails = self.rails.as_ref().map(|(rails, _)| Arc::clone(rails));
        (rails.is_some() || meter.is_some() || !self.observers.is_empty()).then(|| {
            let rails = rails.unwrap_or_default();
            let (meter, observers) = (meter.cloned(), self.observers.clone());
            Arc::new(StripedWatchers::new(hub, rails, meter, observers))
        })
    }

    pub(super) fn are_the_same(&self, other: &Self) -> bool {
        let address = |monitors: &Self| monitors.meter.as_ref().map(Arc::as_ptr);
        let have_the_same_rails = match (&self.rails, &other.rails) {
            (None, None) => true,
            (Some((rails, until)), Some((others, others_until))) => {
                until == others_until
                    && rails.len() == others.len()
                    && (rails.iter().zip(&**others)).all(|(a, b)| Arc::ptr_eq(a, b))
            }
            _ => false,
        };
        let (mine, theirs) = (&self.observers, &other.observers);
        have_the_same_rails
            && address(self) == address(other)
            && mine.len() == theirs.len()
            && (mine.iter().zip(theirs)).all(|(a, b)| Arc::ptr_eq(a, b))
    }
}

/// The guard rails and the meter of a site. They know it by its number for as long as a call may have it.
struct SiteWatchers {
    hub: Arc<Hub>,
    monitors: Arc<[Arc<Monitor>]>,
    meter: Option<Arc<SiteMeter>>,
    observers: Vec<Arc<ObservedSite>>,
    number: u64,
}

impl Drop for SiteWatchers {
    fn drop(&mut self) {
        self.monitors.iter().for_each(|it| it.leave(self.number));
        self.meter.iter().for_each(|it| it.leave(self.number));
    }
}

/// What measures the calls of a site, once for each stripe: a call counts itself among those who hold it, and
/// must not write for that where other threads write.
pub(crate) struct StripedWatchers {
    site: Arc<SiteWatchers>,
    stripes: Box<[OnceLock<Arc<Watchers>>]>,
}

impl StripedWatchers {
    pub(crate) fn new(
        hub: &Arc<Hub>,
        monitors: Arc<[Arc<Monitor>]>,
        meter: Option<Arc<SiteMeter>>,
        observers: Vec<Arc<ObservedSite>>,
    ) -> Self {
        /// No two have the same number.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Relaxed);
        monitors.iter().for_each(|it| it.join(number));
        meter.iter().for_each(|it| it.join(number));
        let site = SiteWatchers {
            hub: Arc::clone(hub),
            monitors,
            meter,
            observers,
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
