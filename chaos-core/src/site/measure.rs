//! How a layer's site measures calls for guard rails.

use std::sync::{Arc, atomic::Ordering};

use crate::{
    call::Call,
    decision::{Decision, WatchedCall, site_rules::SiteRules},
    site::Site,
};

impl Site {
    /// Begins to measure a call for guard rails, if any watch it. `decision` is what was decided about it.
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

    /// Returns a decision without plans. For an integration whose calls are measured by what executes decisions.
    #[doc(hidden)]
    #[must_use]
    pub fn decide_nothing(&self) -> Decision {
        Decision::new((self.name, self.kind), true)
    }

    #[cold]
    #[inline(never)]
    fn begin_to_measure(
        &self,
        call: &Call<'_>,
        decision: Option<&Decision>,
    ) -> Option<WatchedCall> {
        let guard = self.rules.load();
        let rules = guard.as_ref()?;
        let watchers = rules.watchers()?;
        // Exempt calls do not say how the calls fare that may be hit.
        if decision.is_none() && self.exempts(&rules.hub, call) {
            return None;
        }
        let now = rules.hub.clock.now();
        // The end of a guard rail is not noticed by asking the rules.
        if now >= rules.last_end() {
            self.make_idle(rules);
        }
        let of_overlay = decision.is_some_and(Decision::is_of_overlay);
        // What is injected from now on is noted while the call is served.
        WatchedCall::begin(watchers, now, of_overlay)
    }

    /// Returns the site to idle, unless it has other rules by now.
    pub(super) fn make_idle(&self, seen: &Arc<SiteRules>) {
        // A writer that holds the lock installs something newer.
        let Ok(mut writing) = self.writer.try_lock() else {
            return;
        };
        let is_current = (self.rules.load().as_ref()).is_some_and(|now| Arc::ptr_eq(now, seen));
        if is_current {
            self.store(&mut writing, None);
        }
    }
}
