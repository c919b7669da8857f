//! The steps of a rule that fires: how they are made of its faults, and in which order they are executed.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use crate::{
    armed::Armed,
    call::{Call, site_kind::SiteKind},
    decision::{firing::Before, site_rules::Here},
    dice::Dice,
    fault::{Fault, step::Step},
    policy::Policy,
};

/// The steps that are left, in order. Most rules have one, and that takes no allocation.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    next: Option<Step>,
    /// Nothing without a next one.
    rest: Option<Box<Rest>>,
}

/// The steps after the next one, in order.
#[derive(Debug)]
struct Rest(VecDeque<Step>);

impl Steps {
    /// Returns the next step.
    pub(crate) fn next(&self) -> Option<&Step> {
        self.next.as_ref()
    }

    /// Removes the next step.
    pub(crate) fn pop(&mut self) -> Option<Step> {
        let next = self.next.take();
        if let Some(Rest(rest)) = self.rest.as_deref_mut() {
            self.next = rest.pop_front();
        }
        next
    }

    /// Adds a step before all others.
    pub(crate) fn push_front(&mut self, step: Step) {
        if let Some(next) = self.next.replace(step) {
            self.rest().push_front(next);
        }
    }

    /// Returns the next step, if there is no other.
    pub(crate) fn only(&self) -> Option<&Step> {
        let is_last = |_: &&Step| self.rest.as_ref().is_none_or(|rest| rest.0.is_empty());
        self.next.as_ref().filter(is_last)
    }

    /// Returns all steps in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Step> {
        let rest = self.rest.as_ref().map(|rest| rest.0.iter());
        self.next.iter().chain(rest.unwrap_or_default())
    }

    /// Returns the sum of what `time` returns for each step.
    #[inline]
    pub(crate) fn total(&self, time: fn(&Step) -> Duration) -> Duration {
        match (&self.next, &self.rest) {
            (None, _) => Duration::ZERO,
            (Some(only), None) => time(only),
            _ => self.iter().map(time).sum(),
        }
    }

    /// Returns whether one of them calls a closure of the application.
    #[inline]
    pub(crate) fn has_custom(&self) -> bool {
        let is_custom = |step: &Step| matches!(step, Step::Custom(_));
        self.next.as_ref().is_some_and(is_custom)
            || (self.rest.as_ref()).is_some_and(|rest| rest.0.iter().any(is_custom))
    }

    /// Adds a step after all others.
    pub(crate) fn push(&mut self, step: Step) {
        if self.next.is_none() {
            self.next = Some(step);
        } else {
            self.rest().push_back(step);
        }
    }

    /// Returns the steps after the next one, to add to them. There is room for one at first, because thousands of
    /// calls may be held at once.
    fn rest(&mut self) -> &mut VecDeque<Step> {
        let one = || Box::new(Rest(VecDeque::with_capacity(1)));
        &mut self.rest.get_or_insert_with(one).0
    }
}

/// The names of the faults that happen on a call.
#[derive(Debug)]
pub(crate) enum FaultNames {
    /// The names of the rule itself, which has no choice of faults.
    OfRule,
    One(&'static str),
    /// Several names, joined by `+`.
    Several(Box<str>),
}

impl FaultNames {
    fn add(&mut self, name: &'static str) {
        *self = match self {
            Self::OfRule => Self::One(name),
            Self::One(first) => Self::Several(format!("{first}+{name}").into()),
            Self::Several(names) => Self::Several(format!("{names}+{name}").into()),
        };
    }

    /// Returns the names in order, joined by `+`.
    pub(crate) fn text(&self, rule: &Armed) -> Arc<str> {
        match self {
            Self::OfRule => Arc::clone(rule.fault_names()),
            Self::One(name) => Arc::from(*name),
            Self::Several(names) => Arc::from(&**names),
        }
    }
}

/// Returns whether a fault, or an option of a choice, can happen at a site of this kind. There is no policy where it
/// bounds nothing.
#[inline]
pub(crate) fn can_happen(fault: &Fault, kind: SiteKind, policy: Option<&Policy>) -> bool {
    fault.site_kinds().have(kind) && policy.is_none_or(|policy| policy.permits(fault).is_ok())
}

/// What bounds the steps of a rule on one call.
pub(crate) struct Bounded<'c> {
    pub(crate) call: &'c Call<'c>,
    pub(crate) here: Here,
    /// `None` where it bounds nothing.
    pub(crate) policy: Option<&'c Policy>,
    /// By what times and sizes are multiplied.
    pub(crate) scale: f64,
}

/// Makes the steps of a rule on one call. Returns `None` if there is nothing that it could do to the call.
pub(crate) fn make(
    rule: &Armed,
    bounded: &Bounded<'_>,
    dice: &mut Dice,
    before: Before,
) -> Option<(Steps, FaultNames)> {
    let Bounded {
        call,
        here: (site, kind),
        policy,
        scale,
    } = *bounded;
    let Before {
        mut has_ended,
        mut delayed,
        ..
    } = before;
    let mut steps = Steps::default();
    let mut names = FaultNames::OfRule;
    for fault in &rule.rule.faults {
        let chosen = fault.chosen(dice, |fault| can_happen(fault, kind, policy));
        let Some(chosen) = chosen else {
            continue;
        };
        let mut step = chosen.step(&rule.rule.id, rule.answers(), site, dice);
        if scale != 1.0 {
            step = step.scaled(scale);
        }
        if has_ended && !step.acts_on_response_at(kind) || !step.can_act_on(call) {
            continue;
        }
        if let Some(policy) = policy {
            step = policy.bounded(step);
            if let Some(longest) = policy.delay {
                let Some(cut) = step.waiting_at_most(longest.saturating_sub(delayed)) else {
                    continue;
                };
                step = cut;
                delayed += step.planned_delay();
            }
        }
        // The option that was chosen may end the call where another would not.
        has_ended |= step.ends_call_at(kind);
        if rule.chooses {
            names.add(chosen.name());
        }
        steps.push(step);
    }
    steps.next().is_some().then_some((steps, names))
}
