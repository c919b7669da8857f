//! How the rules of a site fire on a call that they hit, in order.

use std::{ops::ControlFlow, sync::Arc};

use super::{Here, SiteRules, acts_on_response};
use crate::{
    armed::{Armed, Verdict, draw::Hit},
    call::Call,
    decision::{Decision, firing::Firing, outcome_notes},
};

/// One call, and the rules that have fired on it so far.
pub(crate) struct Evaluation<'c> {
    pub(crate) call: &'c Call<'c>,
    pub(crate) here: Here,
    /// Whether the call is exempt: its rules are asked, and none fires.
    pub(crate) is_exempt: bool,
    /// The rules that have fired. In the caller, so that it is not moved with this.
    pub(crate) decision: &'c mut Decision,
    /// Whether a rule that fired ends the call. Then only what acts on the response can happen.
    pub(crate) has_ended: bool,
}

impl SiteRules {
    /// Notes that an observed rule leaves a call alone, unless the call is exempt.
    #[cold]
    #[inline(never)]
    fn note_spared(&self, evaluation: &Evaluation<'_>, rule: &Armed) {
        if !evaluation.is_exempt {
            outcome_notes::note_spared(&self.hub, rule, evaluation.call, evaluation.here);
        }
    }

    /// Fires one rule that hit. Breaks with whether the rule is final if no other rule is to be asked.
    ///
    /// A function of its own, so that a call on which no rule fires does not pay for its variables.
    #[inline(never)]
    fn fire_one(
        &self,
        evaluation: &mut Evaluation<'_>,
        rule: &Arc<Armed>,
        hit: Hit,
    ) -> ControlFlow<bool> {
        // The rules are asked about exempt calls too, because each call takes an ordinal.
        if evaluation.is_exempt {
            if !self.hub.is_halted() {
                rule.counters.note_exempt();
            }
            return ControlFlow::Continue(());
        }
        let (call, here) = (evaluation.call, evaluation.here);
        let before = evaluation.decision.before(evaluation.has_ended);
        let Some(firing) = Firing::of(rule, hit, call, here, &self.hub, before) else {
            // A rule that is over spares nothing.
            if self.is_observed && !rule.arming.is_over_by(&self.hub.clock) {
                self.note_spared(evaluation, rule);
            }
            return ControlFlow::Continue(());
        };
        evaluation.has_ended |= firing.ends_call_at(here.1);
        evaluation.decision.push(firing);
        let is_final = rule.rule.is_final;
        if is_final || (evaluation.has_ended && !self.acts_on_responses) {
            return ControlFlow::Break(is_final);
        }
        ControlFlow::Continue(())
    }

    /// Fires the rules that hit, in order and starting at position `from`. If a `hit` is given, the rule
    /// at `from` has been asked already. After a rule that ends the call, only those that act on the
    /// response are asked. Breaks after a rule that is final.
    pub(crate) fn fire(
        &self,
        evaluation: &mut Evaluation<'_>,
        from: usize,
        hit: Option<Hit>,
    ) -> ControlFlow<()> {
        let call = evaluation.call;
        if evaluation.has_ended && !self.acts_on_responses {
            return ControlFlow::Continue(());
        }
        let is_final = |is_final| match is_final {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let mut next = from;
        if let Some(hit) = hit {
            if let ControlFlow::Break(ends) = self.fire_one(evaluation, &self.rules[from], hit) {
                return is_final(ends);
            }
            next += 1;
        }
        // At most sites there is no other.
        if next == self.rules.len() {
            return ControlFlow::Continue(());
        }
        let asked = self.each(call, next, |_, rule, known| {
            if evaluation.has_ended && !acts_on_response(rule) {
                return ControlFlow::Continue(());
            }
            match rule.consult(call, &self.hub, known) {
                Verdict::Hit(hit) => self.fire_one(evaluation, rule, hit),
                Verdict::Spared if self.is_observed => {
                    self.note_spared(evaluation, rule);
                    ControlFlow::Continue(())
                }
                _ => ControlFlow::Continue(()),
            }
        });
        match asked {
            ControlFlow::Break(ends) => is_final(ends),
            ControlFlow::Continue(()) => ControlFlow::Continue(()),
        }
    }
}
