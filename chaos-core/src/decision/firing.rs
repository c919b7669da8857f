//! A rule that fired on a call: what it has taken, what is left to do, and what it gives back.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use crate::{
    armed::{Armed, draw::Hit},
    call::{Call, site_kind::SiteKind},
    dice::Dice,
    fault::{Fault, step::Step},
    gate::Gate,
    hub::Hub,
    plan::Plan,
    policy::{
        Policy,
        bounds::Bounds,
        limit::{Limit, take},
        spending,
    },
    rule::Mode,
    trigger::{
        attempts::{Digest, digest},
        budget::Budget,
        replay::By,
    },
};

/// Counts as active until it is dropped.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) rule: Arc<Armed>,
    pub(crate) hub: Arc<Hub>,
}

impl Active {
    /// One of the places that the rule has, and one of all places, if both have one.
    fn enter(rule: &Arc<Armed>, hub: &Arc<Hub>, policy: &Policy) -> Result<Self, Limit> {
        let max = policy.max_active_of(rule.rule.trigger.max_active);
        if !rule.counters.enter(max) {
            return Err(Limit::MaxActive);
        }
        let max = policy.active.map_or(u64::MAX, |max| max.get().into());
        if !take(&hub.active, max) {
            rule.counters.leave();
            return Err(Limit::PolicyActive);
        }
        let (rule, hub) = (Arc::clone(rule), Arc::clone(hub));
        Ok(Self { rule, hub })
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.rule.counters.leave();
        self.hub.active.fetch_sub(1, Relaxed);
    }
}

/// What a call has taken of budgets: few rules and policies have any.
#[derive(Debug)]
struct Spent {
    bounds: Arc<Bounds>,
    total: bool,
    overall: spending::Charge,
    own: spending::Charge,
}

impl Spent {
    /// One injection with such a delay, if there is room for it everywhere; `None` if nothing is bounded.
    fn of(
        rule: &Armed,
        bounds: &Arc<Bounds>,
        delay: Duration,
        now: Duration,
    ) -> Result<Option<Box<Self>>, Limit> {
        let Bounds {
            policy,
            spent,
            spending,
            ..
        } = &**bounds;
        let budget = &rule.rule.trigger.budget;
        let unbounded = Budget::new();
        if *budget == unbounded && policy.budget == unbounded && policy.total.is_none() {
            return Ok(None);
        }
        let own = rule.arming.spending.take(budget, delay, now)?;
        let overall = spending.take(&policy.budget, delay, now);
        let overall = overall.map_err(|limit| {
            rule.arming.spending.put_back(own);
            match limit {
                Limit::BudgetShare => Limit::PolicyShare,
                _ => Limit::PolicyDelay,
            }
        })?;
        let taken = Box::new(Self {
            bounds: Arc::clone(bounds),
            total: policy.total.is_some(),
            overall,
            own,
        });
        if let Some(total) = policy.total
            && !take(spent, total.get())
        {
            rule.arming.spending.put_back(own);
            spending.put_back(overall);
            return Err(Limit::PolicyTotal);
        }
        Ok(Some(taken))
    }

    fn put_back(&self, rule: &Armed) {
        rule.arming.spending.put_back(self.own);
        self.bounds.spending.put_back(self.overall);
        if self.total {
            self.bounds.spent.fetch_sub(1, Relaxed);
        }
    }
}

/// What a call has taken of what a rule has a limited number of. Given back when it is dropped,
/// unless it was used.
#[derive(Debug)]
struct Permits {
    rule: Arc<Armed>,
    limit: bool,
    /// In a box: few rules have any.
    attempt: Option<Box<Digest>>,
    spent: Option<Box<Spent>>,
    used: bool,
}

impl Permits {
    /// One try of the call's request, and one of the rule's injections, if both are left.
    fn of(rule: &Arc<Armed>, call: &Call<'_>, now: Duration) -> Option<Self> {
        let mut taken = Self {
            rule: Arc::clone(rule),
            limit: false,
            attempt: None,
            spent: None,
            used: false,
        };
        let trigger = &rule.rule.trigger;
        if let (Some(first), Some(attempts)) = (&trigger.first_attempts, &rule.arming.attempts) {
            let request = digest(&first.key.of(call, &rule.rule.matcher)?);
            if !attempts.take(request, first.n, now) {
                return None;
            }
            taken.attempt = Some(Box::new(request));
        }
        if let Some(limit) = trigger.limit {
            if !rule.arming.progress.spend(limit.get()) {
                rule.counters.count_overflow(Limit::Limit);
                return None;
            }
            taken.limit = true;
        }
        Some(taken)
    }
}

impl Drop for Permits {
    fn drop(&mut self) {
        if self.used {
            return;
        }
        let arming = &self.rule.arming;
        if self.limit {
            arming.progress.refund();
        }
        if let Some(spent) = &self.spent {
            spent.put_back(&self.rule);
        }
        if let (Some(request), Some(attempts)) = (&self.attempt, &arming.attempts) {
            attempts.refund(**request);
        }
    }
}

/// A rule that fired on a call, with what is left to do.
///
/// It is injected, and counted, when its first step begins. If that never comes (the caller left,
/// or the rule was stopped while an earlier rule delayed the call), dropping it gives back what it
/// took of the rule's limit.
#[derive(Debug)]
pub(crate) struct Firing {
    pub(crate) rule: Arc<Armed>,
    pub(crate) active: Arc<Active>,
    pub(crate) steps: VecDeque<Step>,
    chosen: Option<Arc<str>>,
    pub(crate) dice: Dice,
    taken: Permits,
    by: By,
    begun: bool,
    /// What opens when the pause that comes next is released.
    pause: Option<Arc<Gate>>,
}

impl Firing {
    /// Fires `rule` on a call that it hit, if it still may: what costs most is asked last.
    pub(crate) fn of(
        rule: &Arc<Armed>,
        Hit { mut dice, by }: Hit,
        call: &Call<'_>,
        (site, kind): (&'static str, SiteKind),
        hub: &Arc<Hub>,
    ) -> Option<Self> {
        let now = hub.clock.now();
        if rule.arming.has_expired(now) {
            rule.note_expiry();
            return None;
        }
        let bounds = hub.bounds.load_full();
        let policy = &bounds.policy;
        let can_happen =
            |fault: &Fault| fault.surfaces().have(kind) && policy.permits(fault).is_ok();
        if !rule.rule.faults.iter().any(can_happen) {
            return None;
        }
        let trigger = &rule.rule.trigger;
        let age = rule.arming.age(now);
        if !policy.rate.keeps(trigger.share_at(age), &mut dice) {
            return None;
        }
        let mut taken = Permits::of(rule, call, now)?;
        if rule.rule.mode == Mode::Shadow || policy.shadow_only {
            rule.counters.count_shadowed();
            taken.used = true;
            rule.log(by);
            return None;
        }
        let spared = |limit| rule.counters.count_overflow(limit);
        let active = Active::enter(rule, hub, policy).map_err(spared).ok()?;
        let faults = &rule.rule.faults;
        let scale = trigger.scale_at(age);
        let chooses = faults.iter().any(|fault| matches!(fault, Fault::OneOf(_)));
        let (mut steps, mut names) = (VecDeque::with_capacity(faults.len()), Vec::new());
        for fault in faults {
            let Some(fault) = fault.chosen(&mut dice, can_happen) else {
                continue;
            };
            let step = fault.step(&rule.rule.id, site, &mut dice).scaled(scale);
            steps.push_back(policy.bounded(step));
            names.extend(chooses.then(|| fault.name()));
            // What was chosen may end the call where another option would not have.
            if fault.ends_call() {
                break;
            }
        }
        let delay = steps.iter().map(Step::planned_delay).sum();
        taken.spent = Spent::of(rule, &bounds, delay, now).map_err(spared).ok()?;
        Some(Self {
            steps,
            chosen: chooses.then(|| names.join("+").into()),
            rule: Arc::clone(rule),
            active: Arc::new(active),
            dice,
            taken,
            by,
            begun: false,
            pause: None,
        })
    }

    /// The names of what happens, in order: of a rule that chooses, those that it chose.
    pub(crate) fn fault_names(&self) -> Arc<str> {
        Arc::clone(
            self.chosen
                .as_ref()
                .unwrap_or_else(|| self.rule.fault_names()),
        )
    }

    /// Listens for a release, if a pause comes next: whoever sees it counted may release it at once.
    pub(crate) fn expect_release(&mut self) {
        let pauses = |step: &Step| matches!(step, Step::Plan(Plan::Wait(wait)) if wait.is_pause());
        if self.pause.is_none() && self.steps.front().is_some_and(pauses) {
            self.pause = Some(self.rule.arming.pauses.gate());
        }
    }

    /// Where a pause waits.
    pub(crate) fn pause(&mut self) -> Arc<Gate> {
        let expected = self.pause.take();
        expected.unwrap_or_else(|| self.rule.arming.pauses.gate())
    }

    /// Counts the injection, the first time only; says whether it was the first.
    pub(crate) fn begin(&mut self) -> bool {
        let first = !std::mem::replace(&mut self.begun, true);
        if first {
            self.taken.used = true;
            self.rule.counters.count_injected();
            self.rule.log(std::mem::replace(&mut self.by, By::Chance));
        }
        first
    }

    pub(crate) fn ends_call(&self) -> bool {
        self.steps.iter().any(Step::ends_call)
    }

    /// All its delays together.
    pub(crate) fn delay(&self) -> Duration {
        self.steps.iter().map(Step::delay).sum()
    }
}
