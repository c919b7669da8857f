//! A rule that fired on a call: the steps that are left, and what it gives back if they never begin.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::{
    armed::{Armed, draw::Hit},
    call::{Call, hit_call::HitCall, site_kind::SiteKind},
    decision::{
        active_call::{Active, ActiveSlot},
        reservation::{BudgetReservation, Reservation},
    },
    dice::Dice,
    fault::{Fault, step::Step},
    gate::Gate,
    hub::Hub,
    plan::Plan,
    rule::Mode,
    trigger::replay::Turn,
};

/// A rule that fired on a call, with the steps that are left.
///
/// The rule is injected, and counted, when its first step begins. That never happens if the caller left,
/// if the rule was stopped while an earlier rule delayed the call, or if the call has nothing that a step
/// could act on.
#[derive(Debug)]
pub(crate) struct Firing {
    pub(crate) rule: Arc<Armed>,
    pub(crate) active: Arc<Active>,
    pub(crate) steps: VecDeque<Step>,
    pub(crate) dice: Dice,
    /// Opens when the pause that comes next is released.
    pause: Option<Arc<Gate>>,
}

/// What the rules that fired before do to a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Before {
    /// Whether one of them ends the call, so that only what acts on its response can happen.
    pub(crate) has_ended: bool,
    /// How long they delay the call.
    pub(crate) delayed: Duration,
    /// Whether one of them came with a token. It may hold the call as long as it likes, so what others have
    /// active on the call counts as the token's.
    pub(crate) of_token: bool,
}

impl Firing {
    /// Returns how long the steps delay the call, as planned.
    pub(crate) fn planned_delay(&self) -> Duration {
        self.steps.iter().map(Step::planned_delay).sum()
    }

    /// Fires `rule` on a call that it hit, unless a limit or the policy spares the call. The checks that cost
    /// most come last.
    pub(crate) fn of(
        rule: &Arc<Armed>,
        hit: Hit,
        call: &Call<'_>,
        (site, kind): (&'static str, SiteKind),
        hub: &Arc<Hub>,
        before: Before,
    ) -> Option<Self> {
        let Before {
            mut has_ended,
            mut delayed,
            of_token,
        } = before;
        let now = hub.clock.now();
        if rule.arming.has_expired(now) {
            rule.note_expiry();
            return None;
        }
        let bounds = hub.bounds.load_full();
        let policy = &bounds.policy;
        let can_happen =
            |fault: &Fault| fault.site_kinds().have(kind) && policy.permits(fault).is_ok();
        if !rule.rule.faults.iter().any(can_happen) {
            return None;
        }
        let trigger = &rule.rule.trigger;
        let key = trigger.deciding_key();
        let key = key.and_then(|key| key.of(call, &rule.rule.matcher));
        let turn = Turn {
            ordinal: hit.ordinal(),
            key: key.as_deref(),
        };
        let mut dice = rule.arming.draw.dice_behind(turn);
        let age = rule.arming.age(now);
        if !policy.rate.keeps(trigger.share_at(age), &mut dice) {
            return None;
        }
        let mut reservation = Reservation::of(rule, call, now)?;
        if rule.rule.mode == Mode::Shadow || policy.shadow_only {
            rule.counters.count_shadowed();
            *reservation.used.get_mut() = true;
            rule.log(&turn.into());
            return None;
        }
        let spared = |limit| rule.counters.count_overflow(limit);
        let of_token = of_token || rule.is_of_token();
        let slot = ActiveSlot::enter(rule, hub, policy, of_token);
        let slot = slot.map_err(spared).ok()?;
        let faults = &rule.rule.faults;
        let scale = trigger.scale_at(age);
        let chooses = faults.iter().any(|fault| matches!(fault, Fault::OneOf(_)));
        let (mut steps, mut names) = (VecDeque::with_capacity(faults.len()), Vec::new());
        for fault in faults {
            let Some(fault) = fault.chosen(&mut dice, can_happen) else {
                continue;
            };
            let step = fault.step(&rule.rule.id, site, &mut dice).scaled(scale);
            if has_ended && !step.acts_on_response_at(kind) || !step.can_act_on(call) {
                continue;
            }
            let mut step = policy.bounded(step);
            if let Some(longest) = policy.delay {
                let Some(cut) = step.waiting_at_most(longest.saturating_sub(delayed)) else {
                    continue;
                };
                step = cut;
                delayed += step.planned_delay();
            }
            // The option that was chosen may end the call where another would not.
            has_ended |= step.ends_call_at(kind);
            steps.push_back(step);
            names.extend(chooses.then(|| fault.name()));
        }
        if steps.is_empty() {
            return None;
        }
        let planned_delay = steps.iter().map(Step::planned_delay).sum();
        reservation.budget = BudgetReservation::of(rule, &bounds, planned_delay, now)
            .map_err(spared)
            .ok()?;
        let active = Active {
            slot,
            reservation,
            site,
            chosen: chooses.then(|| names.join("+").into()),
            delay: steps.iter().map(Step::delay).sum(),
            by: turn.into(),
            call: Mutex::new(Some(HitCall::of(call))),
        };
        Some(Self {
            steps,
            rule: Arc::clone(rule),
            active: Arc::new(active),
            dice,
            pause: None,
        })
    }

    /// Starts to listen for a release if a pause comes next. A test that sees the call counted may release
    /// it at once.
    pub(crate) fn expect_release(&mut self) {
        let pauses = |step: &Step| matches!(step, Step::Plan(Plan::Wait(wait)) if wait.is_pause());
        if self.pause.is_none() && self.steps.front().is_some_and(pauses) {
            self.pause = Some(self.rule.arming.pauses.gate());
        }
    }

    /// Returns the gate at which a pause waits.
    pub(crate) fn pause(&mut self) -> Arc<Gate> {
        let expected = self.pause.take();
        expected.unwrap_or_else(|| self.rule.arming.pauses.gate())
    }

    /// Returns whether a step ends the call at a site of this kind.
    pub(crate) fn ends_call_at(&self, kind: SiteKind) -> bool {
        self.steps.iter().any(|step| step.ends_call_at(kind))
    }
}
