//! How a site asks its rules about a call: by what the thread has kept of them, or one by one.

use std::{
    ops::ControlFlow,
    sync::{Arc, atomic::Ordering},
};

use crate::{
    armed::{Armed, Verdict, draw::Hit},
    call::{Call, site_kind::SiteKind},
    decision::{Decision, firing::plain, overlay_rules, site_rules::SiteRules},
    hub::Hub,
    plan::injected::Injected,
    site::{
        Site,
        snapshot::{self, FirstLook},
        state::{EACH_HIT, EACH_SPARED, FIRST, IDLE, NEW},
    },
};

impl Site {
    /// Settles a call by what this thread has kept of the rules, if none of them reads calls and that is enough
    /// to leave the call alone. One that is not left alone goes on with [`decide_after`](Self::decide_after).
    #[doc(hidden)]
    #[inline(always)]
    #[must_use]
    pub fn first_look(&self) -> FirstLook {
        let state = self.state();
        match state.is_settled_unread() {
            true => state.look(),
            false => FirstLook::NOTHING,
        }
    }

    /// Asks the rules about one call. Returns `None` if the call is left alone.
    ///
    /// Cold, because only calls of an armed site come here. Most of those are left alone, so the code
    /// after a hit is out of line again.
    #[cold]
    #[inline(never)]
    pub fn decide(&self, call: &Call<'_>) -> Option<Decision> {
        self.decide_here(call)
    }

    /// Asks the rules about one call, inlined into a caller that is cold itself.
    #[inline(always)]
    pub(crate) fn decide_here(&self, call: &Call<'_>) -> Option<Decision> {
        let look = self.look_here(call);
        if look.leaves_alone() {
            return None;
        }
        self.decide_after(look, call)
    }

    /// Settles a call as far as what this thread has kept of the rules suffices.
    #[inline(always)]
    pub(crate) fn look_here(&self, call: &Call<'_>) -> FirstLook {
        let state = self.state();
        if state.is_settled_unread() {
            state.look()
        } else if !crate::COMPILED_OUT && state.0 >= FIRST {
            snapshot::look_at(state.0, call)
        } else {
            FirstLook::NOTHING
        }
    }

    /// Asks the rules about a call, from where a look has left it. Returns `None` if the call is left alone.
    #[doc(hidden)]
    #[cold]
    #[inline(never)]
    pub fn decide_after(&self, look: FirstLook, call: &Call<'_>) -> Option<Decision> {
        self.decide_by(look, call, |_, _| None, |decision| decision)
    }

    /// Asks the rules about a call in plain code, from where a look has left it. Returns the error if a plain rule fails
    /// the call: what is executed at once needs no decision.
    #[inline(always)]
    pub(crate) fn fail_or_decide(
        &self,
        look: FirstLook,
        call: &Call<'_>,
    ) -> Option<Result<Decision, Injected>> {
        let fail = |rule: &Armed, hub: &Hub| plain::fail(rule, hub, call, self.name);
        self.decide_by(look, call, |rule, hub| fail(rule, hub).map(Err), Ok)
    }

    /// Asks the rules about a call, from where a look has left it. `fail` is called for a plain rule that ends the call
    /// and nothing else, and may do so at once; `decided` with any other decision.
    #[inline(always)]
    fn decide_by<T>(
        &self,
        mut look: FirstLook,
        call: &Call<'_>,
        fail: impl FnOnce(&Armed, &Hub) -> Option<T>,
        decided: impl FnOnce(Decision) -> T,
    ) -> Option<T> {
        if crate::COMPILED_OUT {
            return None;
        }
        if look.needs_call() {
            look = snapshot::go_on(look, call);
        } else if look.knows_nothing() {
            let state = self.state();
            if state.is_settled_by_others() {
                look = snapshot::look_at(state.0, call);
            }
        }
        if look.leaves_alone() || look.is_to_be_measured() {
            return None;
        }
        let guard = self.rules.load();
        let number = guard.as_ref().map_or(0, |site_rules| site_rules.number);
        // If not, the rules have changed since the look, or nothing was kept of them.
        let goes_on = look.holds_for(number, call);
        let Some(site_rules) = guard.as_ref() else {
            return self.pass_first(call).map(decided);
        };
        if matches!(number, EACH_HIT | EACH_SPARED)
            && let rule = &site_rules.rules[0]
            && rule.precheck.hits_if_it_matches()
        {
            rule.counters.count_matched();
            return self.fire_by(site_rules, 0, Hit::BY_CHANCE, call, fail, decided);
        }
        if goes_on && look.is_hit() {
            return self.fire_by(site_rules, look.at(), Hit::BY_CHANCE, call, fail, decided);
        }
        if goes_on {
            return self.look_closer(site_rules, look.at(), call).map(decided);
        }
        if number >= FIRST {
            let rules = site_rules.rules.first_part();
            snapshot::keep(number, rules, self.watchers_to_keep(site_rules));
        }
        self.ask(site_rules, call).map(decided)
    }

    /// Asks all rules about a call.
    #[inline(always)]
    pub(super) fn ask(&self, site_rules: &Arc<SiteRules>, call: &Call<'_>) -> Option<Decision> {
        match site_rules.are_plain() {
            true => self.look_closer(site_rules, 0, call),
            false => self.ask_many(site_rules, call),
        }
    }

    /// Passes a call where no rule aims, and asks it for the address of its peer if none was asked.
    #[cold]
    #[inline(never)]
    fn pass_first(&self, call: &Call<'_>) -> Option<Decision> {
        self.peer.ask(call);
        // A site in code is new until it is registered.
        if self.kind == SiteKind::Layer {
            let (new, idle, order) = (NEW, IDLE, Ordering::Relaxed);
            let _ = self.state.compare_exchange(new, idle, order, order);
        }
        None
    }

    /// Asks the rules one by one; `from` is the first one that a glance does not settle.
    #[inline(never)]
    pub(super) fn look_closer(
        &self,
        site_rules: &Arc<SiteRules>,
        from: usize,
        call: &Call<'_>,
    ) -> Option<Decision> {
        let mut expired = false;
        let hit = site_rules.each(call, from, |at, rule, known| {
            match rule.consult(call, &site_rules.hub, known) {
                Verdict::Pass | Verdict::Spared => {}
                // Retired once, when all were asked: that looks at more than this rule.
                Verdict::Expired => expired = true,
                Verdict::Hit(hit) => return ControlFlow::Break((at, hit)),
            }
            ControlFlow::Continue(())
        });
        match hit {
            ControlFlow::Break((at, hit)) => self.fire(site_rules, at, hit, call),
            ControlFlow::Continue(()) => {
                if expired {
                    self.retire(site_rules);
                }
                None
            }
        }
    }

    /// Asks a site that has more than rules: overlays, or calls that are counted.
    #[inline(never)]
    fn ask_many(&self, own: &Arc<SiteRules>, call: &Call<'_>) -> Option<Decision> {
        if own.is_counted {
            return self.ask_counted(own, call);
        }
        self.ask_with_overlays(own, call)
    }

    /// Counts a call: for the policy, and if someone watches a site in code, or observes a rule.
    #[cold]
    #[inline(never)]
    fn ask_counted(&self, own: &Arc<SiteRules>, call: &Call<'_>) -> Option<Decision> {
        own.count_call();
        let decision = match own.is_observed {
            true => self.ask_observed(own, call),
            false => self.ask_with_overlays(own, call),
        };
        if let Some(meter) = own.meter_of_passes() {
            meter.pass(decision.is_some());
        }
        decision
    }

    /// Asks the rules of overlays, if the call is in any, and the site's own.
    #[inline(always)]
    fn ask_with_overlays(&self, own: &Arc<SiteRules>, call: &Call<'_>) -> Option<Decision> {
        if own.are_overlaid() {
            if !own.never_end() {
                self.retire(own);
            }
            if overlay_rules::any_entered() {
                return self.ask_entered(own, call);
            }
            self.passed_outside.note();
            if own.rules.is_empty() {
                return None;
            }
        }
        self.look_closer(own, 0, call)
    }

    /// Asks the rules of the overlays that the call is in, which few calls are, and then the site's own.
    #[inline(never)]
    fn ask_entered(&self, own: &Arc<SiteRules>, call: &Call<'_>) -> Option<Decision> {
        let mut decision = Decision::new((self.name, self.kind), self.marks());
        let mut evaluation = self.evaluate(&own.hub, call, &mut decision);
        let asked = overlay_rules::each_entered(self.address(), |rules| {
            rules.fire(&mut evaluation, 0, None)
        });
        if evaluation.decision.is_empty() {
            return self.look_closer(own, 0, call);
        }
        if asked.is_continue() {
            let _ = own.fire(&mut evaluation, 0, None);
        }
        Some(decision.of_overlay())
    }

    /// Returns the site to idle when every rule has expired. No timer or task takes part in that.
    #[cold]
    pub(super) fn retire(&self, seen: &Arc<SiteRules>) {
        if seen.are_over() {
            self.make_idle(seen);
        }
    }
}
