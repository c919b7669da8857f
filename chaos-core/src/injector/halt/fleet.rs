//! The halt of a fleet of which the process is a part: only the fleet ends it, and it frees nobody else.

use crate::{
    audit::{EntryDraft, action::Action, actor::Actor},
    injector::{Injector, halt_hooks::HaltHook, holders::Halter},
    rule::rule_set::ChangeError,
};

impl Injector {
    /// Halts for a fleet in the name of `actor`, whose reason becomes that of the fleet's hold.
    pub(crate) fn halt_for_fleet_by(&self, actor: &Actor, fleet: &str) -> bool {
        let held = self.hold(actor, &Halter::Fleet(fleet));
        let what = match &held {
            Some(names) => format!("for the fleet {fleet}, already held by {names}"),
            None => format!("for the fleet {fleet}"),
        };
        self.note_at(
            self.0.rules.load().generation,
            actor,
            EntryDraft::of(Action::Halt).what(what),
        );
        self.notify();
        held.is_none()
    }

    /// Ends the hold of a fleet in the name of `actor`, and resumes if nobody else holds.
    pub(crate) fn resume_for_fleet_by(
        &self,
        actor: &Actor,
        fleet: &str,
    ) -> Result<bool, ChangeError> {
        let (halts, others) = {
            let mut holders = self.0.holders();
            match holders.are_alone(fleet) {
                true => (holders.halts(), None),
                false if holders.end_fleet(fleet) => (0, holders.names()),
                false => return Ok(false),
            }
        };
        let Some(others) = others else {
            let first = || self.0.holders().first();
            let resume = || self.end_holds(actor, halts, true);
            let ask = |hook: &dyn HaltHook| hook.before_fleet_resume();
            return self.0.halt_hooks.resume(ask, resume, first);
        };
        let what = format!("ended the hold of the fleet {fleet}, still held by {others}");
        let draft = EntryDraft::of(Action::Resume).what(what);
        self.note_at(self.0.rules.load().generation, actor, draft);
        self.notify();
        Ok(true)
    }
}
