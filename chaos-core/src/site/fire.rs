//! What a site does when a rule hits a call: in the plain way, or in the general one.

use std::sync::Arc;

use crate::{
    armed::{Armed, draw::Hit},
    call::Call,
    decision::{
        Decision,
        firing::plain::{self, PlainFiring},
        site_rules::{Evaluation, SiteRules},
    },
    hub::{Hub, reentrancy},
    site::{Site, state::EACH_SPARED},
};

impl Site {
    /// Settles an HTTP request in [a state](crate::SiteState::may_spare_each) in which the only rule hits each call and may
    /// spare it, if the path suffices. Returns whether the request is left alone. If not, nothing was done.
    ///
    /// Cold, because only calls of an armed site come here.
    #[doc(hidden)]
    #[cold]
    #[inline(never)]
    #[must_use]
    pub fn spares_each(&self, path: &str) -> bool {
        let guard = self.rules.load();
        let Some(site_rules) = guard.as_ref() else {
            return false;
        };
        if site_rules.number != EACH_SPARED || self.peer.is_to_ask() {
            return false;
        }
        let (rule, hub) = (&site_rules.rules[0], &site_rules.hub);
        let Some(plain) = rule.plain_at(self.kind) else {
            return false;
        };
        if !plain::is_to_spare(plain, rule)
            || !rule.precheck.hits_if_it_matches()
            || hub.bounds_hits()
            || self.is_exempt_by(hub, Some(path))
            || rule.arming.is_over_by(&hub.clock)
        {
            return false;
        }
        plain::spare_hit(plain, rule);
        true
    }

    /// Fires the rule that hit, and those after it that hit too.
    #[cold]
    #[inline(never)]
    pub(super) fn fire(
        &self,
        site_rules: &Arc<SiteRules>,
        from: usize,
        hit: Hit,
        call: &Call<'_>,
    ) -> Option<Decision> {
        self.fire_by(
            site_rules,
            from,
            hit,
            call,
            |_, _| None,
            |decision| decision,
        )
    }

    /// Fires the rule that hit, as [`decide_by`](Self::decide_by) says. A plain rule after which no other is asked fires
    /// here, because that is what most do.
    #[inline(always)]
    pub(super) fn fire_by<T>(
        &self,
        site_rules: &Arc<SiteRules>,
        from: usize,
        hit: Hit,
        call: &Call<'_>,
        fail: impl FnOnce(&Armed, &Hub) -> Option<T>,
        decided: impl FnOnce(Decision) -> T,
    ) -> Option<T> {
        self.peer.ask(call);
        let (rule, hub) = (&site_rules.rules[from], &site_rules.hub);
        let Some(plain) = rule.plain_at(self.kind) else {
            return self.fire_any(site_rules, from, hit, call).map(decided);
        };
        if !site_rules.are_over_after(from, plain)
            || hub.bounds_hits()
            || self.is_exempt(hub, call)
            || rule.arming.is_over_by(&hub.clock)
        {
            return self.fire_any(site_rules, from, hit, call).map(decided);
        }
        if !plain::takes(plain, rule) {
            return None;
        }
        if plain.ends_call
            && let Some(failed) = fail(rule, hub)
        {
            return Some(failed);
        }
        let fired = PlainFiring::of(site_rules, from, plain, call, self.name);
        let here = (self.name, self.kind);
        Some(decided(Decision::plain(here, self.marks(), fired)))
    }

    /// Fires the rule that hit, whatever it takes to fire, and those after it that hit too.
    #[cold]
    #[inline(never)]
    fn fire_any(
        &self,
        site_rules: &Arc<SiteRules>,
        from: usize,
        hit: Hit,
        call: &Call<'_>,
    ) -> Option<Decision> {
        let mut decision = Decision::new((self.name, self.kind), self.marks());
        let mut evaluation = self.evaluate(&site_rules.hub, call, &mut decision);
        let _ = site_rules.fire(&mut evaluation, from, Some(hit));
        if decision.is_empty() {
            self.retire(site_rules);
            return None;
        }
        Some(decision)
    }

    /// Starts the evaluation of a call on which no rule has fired yet.
    #[inline]
    pub(super) fn evaluate<'c>(
        &self,
        hub: &Hub,
        call: &'c Call<'c>,
        decision: &'c mut Decision,
    ) -> Evaluation<'c> {
        Evaluation {
            call,
            here: (self.name, self.kind),
            decision,
            is_exempt: self.is_exempt(hub, call),
            has_ended: false,
        }
    }

    /// Returns whether no rule fires on the call, whichever hits it.
    #[inline(always)]
    fn is_exempt(&self, hub: &Hub, call: &Call<'_>) -> bool {
        self.is_exempt_by(hub, call.path())
    }

    #[inline(always)]
    fn is_exempt_by(&self, hub: &Hub, path: Option<&str>) -> bool {
        // A site may still hold rules when a halt begins, because an edit works on them.
        hub.is_halted()
            || reentrancy::is_notifying()
            || path.is_some_and(|path| self.exempts_path(hub, path))
    }
}
