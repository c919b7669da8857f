//! Whether a rule fires in the plain way, which takes none of what few rules have.

use crate::{
    call::site_kind::{SiteKind, SiteKinds},
    fault::Fault,
    rule::{Mode, Rule},
};

/// What it takes for a rule to fire in the plain way: its one fault waits and goes on, or ends the call at once, and
/// nothing bounds it but its limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlainRule {
    /// The kinds of sites where the fault can happen.
    kinds: SiteKinds,
    pub(crate) is_shadow: bool,
    pub(crate) ends_call: bool,
    /// Whether the rule fires on each call that it hits: it has no limit, and is no shadow rule.
    pub(crate) always_fires: bool,
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
        let is_shadow = rule.mode == Mode::Shadow;
        is_plain.then(|| Self {
            kinds: Fault::site_kinds(fault),
            is_shadow,
            ends_call,
            always_fires: trigger.limit.is_none() && !is_shadow,
        })
    }

    /// Returns whether the fault can happen at a site of this kind.
    pub(crate) fn can_happen_at(&self, kind: SiteKind) -> bool {
        self.kinds.have(kind)
    }
}
