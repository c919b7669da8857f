//! Whether a rule fires in the plain way, which takes none of what few rules have.

use std::num::NonZeroU64;

use crate::{
    call::site_kind::{SiteKind, SiteKinds},
    fault::Fault,
    rule::{Mode, Rule},
};

/// What it takes for a rule to fire in the plain way: its one fault waits and goes on, or ends the call at once, and
/// nothing bounds it but a limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlainRule {
    /// The kinds of sites where the fault can happen.
    kinds: SiteKinds,
    pub(crate) limit: Option<NonZeroU64>,
    pub(crate) is_shadow: bool,
    pub(crate) ends_call: bool,
}

impl PlainRule {
    /// Returns `None` if the rule needs more.
    pub(super) fn of(rule: &Rule) -> Option<Self> {
        let [fault] = &*rule.faults else {
            return None;
        };
        let trigger = &rule.trigger;
        let ends_call = fault.ends_at_once();
        let is_plain = (ends_call || fault.only_waits())
            && trigger.max_active.is_none()
            && trigger.first_attempts.is_none()
            && trigger.budget.is_none();
        is_plain.then(|| Self {
            kinds: Fault::site_kinds(fault),
            limit: trigger.limit,
            is_shadow: rule.mode == Mode::Shadow,
            ends_call,
        })
    }

    /// Returns whether the fault can happen at a site of this kind.
    pub(crate) fn can_happen_at(&self, kind: SiteKind) -> bool {
        self.kinds.have(kind)
    }
}
