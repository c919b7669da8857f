//! How a site asks its rules while one of them is observed: each rule itself, so that it is known which calls are spared.

use std::{ops::ControlFlow, sync::Arc};

use crate::{
    call::Call,
    decision::{Decision, outcome_notes, overlay_rules, site_rules::SiteRules},
    site::Site,
};

impl Site {
    /// Asks the rules of overlays, if the call is in any, and the site's own, one of which is observed.
    #[cold]
    #[inline(never)]
    pub(super) fn ask_observed(&self, own: &Arc<SiteRules>, call: &Call<'_>) -> Option<Decision> {
        outcome_notes::forget();
        let hub = &own.hub;
        if hub.observations.are_over(hub.clock.now()) {
            hub.observations.try_to_end_lapsed();
        }
        self.peer.ask(call);
        let mut decision = Decision::new((self.name, self.kind), self.marks());
        let mut evaluation = self.evaluate(hub, call, &mut decision);
        let mut asked = ControlFlow::Continue(());
        if own.are_overlaid() {
            self.passed_outside_unless_entered();
            asked = overlay_rules::each_entered(self.address(), |rules| {
                rules.fire(&mut evaluation, 0, None)
            });
        }
        let of_overlay = !evaluation.decision.is_empty();
        if asked.is_continue() {
            let _ = own.fire(&mut evaluation, 0, None);
        }
        if decision.is_empty() {
            self.retire(own);
            return None;
        }
        Some(match of_overlay {
            true => decision.of_overlay(),
            false => decision,
        })
    }

    fn passed_outside_unless_entered(&self) {
        if !overlay_rules::any_entered() {
            self.passed_outside.note();
        }
    }
}
