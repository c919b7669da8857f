//! How a layer's site measures calls: for guard rails, and for who watches the site.

use std::{
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use crate::{
    call::{Call, site_kind::SiteKind},
    decision::{Decision, WatchedCall, outcome_notes, site_rules::SiteRules, watchers::Watchers},
    site::{Site, snapshot},
};

/// What a thread keeps of what measures the calls of a site, so that it measures calls without the rules. It keeps nothing
/// alive.
pub(super) struct KeptWatchers {
    watchers: Weak<Watchers>,
    /// When the last rule and the last guard rail end; `Duration::MAX` if there are none.
    last_end: Duration,
}

impl KeptWatchers {
    /// Returns what measures calls and its end, unless it is gone.
    #[inline]
    pub(super) fn get(&self) -> Option<(Arc<Watchers>, Duration)> {
        Some((self.watchers.upgrade()?, self.last_end))
    }
}

impl Site {
    /// Begins to measure a call, if guard rails do, or someone watches the site. `decision` is what was decided about it.
    ///
    /// An integration that sees the outcomes of calls does this for each call of an armed site, before the
    /// first plan. A call that is exempt and was not hit is not measured, and neither is any at a site that is no
    /// layer.
    #[inline(always)]
    #[must_use]
    pub fn measure(&self, call: &Call<'_>, decision: Option<&Decision>) -> Option<WatchedCall> {
        if crate::COMPILED_OUT || !self.is_measured.load(Ordering::Relaxed) {
            return None;
        }
        self.begin_to_measure(call, decision)
    }

    /// Begins to measure an HTTP request that is [to be measured](crate::FirstLook::is_to_be_measured), by its
    /// path and what this thread has kept. If that does not suffice, or the request is exempt, it returns `None`, and
    /// [`measure`](Self::measure) decides.
    #[doc(hidden)]
    #[cold]
    #[inline(never)]
    #[must_use]
    pub fn measure_by(&self, path: &str) -> Option<WatchedCall> {
        self.measure_by_kept(Some(path), None, None)
    }

    /// Returns a decision without plans. For an integration whose calls are measured by what executes decisions.
    #[doc(hidden)]
    #[must_use]
    pub fn decide_nothing(&self) -> Decision {
        Decision::new((self.name, self.kind), true)
    }

    /// Returns what a thread is to keep of what measures calls here, if anything does.
    pub(super) fn watchers_to_keep(&self, rules: &SiteRules) -> Option<KeptWatchers> {
        let watchers = rules.watchers().filter(|_| self.kind == SiteKind::Layer)?;
        Some(KeptWatchers {
            watchers: Arc::downgrade(watchers.here()),
            last_end: rules.last_end(),
        })
    }

    #[cold]
    #[inline(never)]
    fn begin_to_measure(
        &self,
        call: &Call<'_>,
        decision: Option<&Decision>,
    ) -> Option<WatchedCall> {
        let measured = (self.measure_by_kept(call.path(), decision, Some(call)))
            .or_else(|| self.measure_by_rules(call, decision));
        outcome_notes::hand_on(self.name, measured.as_ref());
        measured
    }

    /// Begins to measure a call by what this thread has kept, if that suffices. It does not if the call is to be looked
    /// at for its facts, and is not given.
    #[inline(always)]
    fn measure_by_kept(
        &self,
        path: Option<&str>,
        decision: Option<&Decision>,
        call: Option<&Call<'_>>,
    ) -> Option<WatchedCall> {
        let state = self.state.load(Ordering::Relaxed);
        let (watchers, last_end) = snapshot::watchers(state)?;
        let hub = watchers.hub();
        if decision.is_none() && path.is_some_and(|path| self.exempts_path(hub, path)) {
            return None;
        }
        let now = hub.clock.now();
        if now >= last_end {
            return None;
        }
        if let Some(meter) = watchers.meter().filter(|meter| meter.is_to_look(now)) {
            meter.look_at(call?, now);
        }
        begin(watchers, now, decision)
    }

    #[cold]
    #[inline(never)]
    fn measure_by_rules(
        &self,
        call: &Call<'_>,
        decision: Option<&Decision>,
    ) -> Option<WatchedCall> {
        let guard = self.rules.load();
        let rules = guard.as_ref()?;
        let watchers = rules.watchers()?;
        self.peer.ask(call);
        // Exempt calls do not say how the calls fare that may be hit.
        if decision.is_none() && self.exempts(&rules.hub, call) {
            return None;
        }
        let now = rules.hub.clock.now();
        // The end of a guard rail is not noticed by asking the rules.
        if now >= rules.last_end() {
            self.make_idle(rules);
        }
        let watchers = Arc::clone(watchers.here());
        if let Some(meter) = watchers.meter().filter(|meter| meter.is_to_look(now)) {
            meter.look_at(call, now);
        }
        begin(watchers, now, decision)
    }

    /// Returns the site to idle, unless it has other rules by now. If someone watches the site, its calls are measured
    /// on.
    pub(super) fn make_idle(&self, seen: &Arc<SiteRules>) {
        // A writer that holds the lock installs something newer.
        let Ok(mut writing) = self.writer.try_lock() else {
            return;
        };
        let is_current = (self.rules.load().as_ref()).is_some_and(|now| Arc::ptr_eq(now, seen));
        if is_current {
            self.store(&mut writing, seen.when_over());
        }
    }
}

/// Begins to measure a call. What is injected from now on is noted while the call is served.
#[inline(always)]
fn begin(
    watchers: Arc<Watchers>,
    now: Duration,
    decision: Option<&Decision>,
) -> Option<WatchedCall> {
    let of_overlay = decision.is_some_and(Decision::is_of_overlay);
    WatchedCall::begin(watchers, now, of_overlay)
}
