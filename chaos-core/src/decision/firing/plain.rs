//! A rule that fired in the plain way, as most do: it has one plan, which waits or ends the call.

use std::{io, mem, sync::Arc, time::Duration};

use bytes::Bytes;
use http::HeaderValue;

use crate::{
    armed::{Armed, plain::PlainRule},
    call::{Call, hit_call::HitCall},
    decision::{
        firing::held_rule::HeldRule,
        outcome_notes::note_hit,
        reservation::{Taken, spare},
        site_rules::SiteRules,
    },
    dice::Dice,
    fault::{ErrorFault, Fault, step::Step},
    hub::{Hub, observer::Injection},
    plan::{Plan, Wait, injected::Injected},
    policy::limit::Limit,
};

/// A rule that fired in the plain way, until its plan begins and is over. What a call holds of it is little, and
/// takes no allocation.
#[derive(Debug)]
pub(crate) struct PlainFiring {
    held: Arc<HeldRule>,
    /// What is known of the call, if anyone is to be told when the injection begins.
    call: Option<Arc<HitCall>>,
    /// `None` if the plan ends the call. That plan is made when it is asked for.
    wait: Option<Wait>,
    is_limited: bool,
    /// Whether the plan is to be handed out.
    is_pending: bool,
    has_begun: bool,
    /// Whether another holds what was taken.
    is_moved: bool,
}

/// What is left of a rule that fired in the plain way, for one whose steps may be any.
pub(crate) struct PlainParts {
    pub(crate) rule: Arc<Armed>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) taken: Taken,
    pub(crate) call: Option<Arc<HitCall>>,
    pub(crate) delay: Duration,
    pub(crate) has_begun: bool,
    /// The plan, unless it was handed out.
    pub(crate) step: Option<Step>,
}

/// Returns whether a plain rule fires on a call that it hit by chance: its limit does not spare the call, and it is no
/// shadow rule, which only counts. The call is not exempt, and the rule has not expired.
#[inline]
pub(crate) fn takes(plain: &PlainRule, rule: &Armed) -> bool {
    if let Some(limit) = rule.rule.trigger.limit
        && !rule.arming.progress.spend(limit.get())
    {
        spare(rule, Limit::Limit);
        return false;
    }
    if plain.is_shadow {
        rule.counters.count_shadowed();
    }
    !plain.is_shadow
}

/// Returns whether a plain rule spares calls that it hits now: its limit is used up, or it is a shadow rule.
#[inline]
pub(crate) fn is_to_spare(plain: &PlainRule, rule: &Armed) -> bool {
    let limit = rule.rule.trigger.limit;
    let is_used_up = || limit.is_some_and(|limit| rule.arming.progress.spent() >= limit.get());
    plain.is_shadow || is_used_up()
}

/// Counts a call that a plain rule matches, hits by chance and [is to spare](is_to_spare). The call is not exempt, and the
/// rule has not expired.
#[inline]
pub(crate) fn spare_hit(plain: &PlainRule, rule: &Armed) {
    rule.counters.count_matched();
    // The limit is not asked again: a call may have given back what it took of it.
    if plain.is_shadow {
        takes(plain, rule);
    } else {
        spare(rule, Limit::Limit);
    }
}

/// Fails a call in plain code at once by a plain rule that ends the call, and counts the injection. The rule
/// [takes](takes) the call. Returns `None` if it is over, or its fault is no error.
#[inline]
pub(crate) fn fail(
    rule: &Armed,
    hub: &Hub,
    call: &Call<'_>,
    site: &'static str,
) -> Option<Injected> {
    // It may be over since the call has loaded it: a halt may even have ended again.
    if rule.gate.is_open() {
        return None;
    }
    let fault = rule.rule.faults.first()?;
    let injected = fault.injected(&rule.rule.id, rule.answers(), site)?;
    rule.counters.count_injected();
    note_hit(hub, rule, site, None);
    hub.report(|| Injection {
        site,
        rule: rule.rule.id.clone(),
        fault: Arc::clone(rule.fault_names()),
        delay: Duration::ZERO,
        call: match hub.wants_calls() {
            true => HitCall::of(call),
            false => HitCall::unknown(),
        },
    });
    Some(injected)
}

impl PlainFiring {
    /// Fires the rule at a position, which [takes](takes) the call.
    #[inline(always)]
    pub(crate) fn of(
        rules: &SiteRules,
        at: usize,
        plain: &PlainRule,
        call: &Call<'_>,
        site: &'static str,
    ) -> Self {
        let held = Arc::clone(rules.held(at));
        let HeldRule { rule, hub } = &*held;
        let is_limited = rule.rule.trigger.limit.is_some();
        rule.counters.enter_unbounded();
        hub.enter_unbounded();
        let mut fired = Self {
            held,
            call: None,
            wait: None,
            is_limited,
            is_pending: true,
            has_begun: false,
            is_moved: false,
        };
        if !plain.ends_call {
            fired.draw_wait(site);
        }
        // Code of the application may panic here, which gives back what was taken.
        if fired.hub().wants_calls() {
            fired.call = Some(HitCall::of(call));
        }
        fired
    }

    #[inline(always)]
    pub(crate) fn rule(&self) -> &Arc<Armed> {
        &self.held.rule
    }

    #[inline(always)]
    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.held.hub
    }

    #[cold]
    fn draw_wait(&mut self, site: &'static str) {
        if let Some(Step::Plan(Plan::Wait(wait))) = self.step(site) {
            self.wait = Some(wait);
        }
    }

    /// Returns what the rule's fault does.
    #[inline]
    fn step(&self, site: &'static str) -> Option<Step> {
        let rule = self.rule();
        let fault = rule.rule.faults.first()?;
        Some(fault.step(&rule.rule.id, rule.answers(), site, &mut Dice::Thread))
    }

    /// Returns the plan, which has not been handed out.
    #[inline]
    fn plan(&self, site: &'static str) -> Option<Plan> {
        if let Some(wait) = self.wait {
            return Some(Plan::Wait(wait));
        }
        match self.step(site)? {
            Step::Plan(plan) => Some(plan),
            _ => None,
        }
    }

    /// Hands out the plan, once, unless the rule is over. Counts the injection if `begins` returns `true` for the
    /// plan.
    #[inline]
    pub(crate) fn next_plan(
        &mut self,
        site: &'static str,
        begins: impl FnOnce(&Plan) -> bool,
    ) -> Option<Plan> {
        if !mem::replace(&mut self.is_pending, false) || self.is_over() {
            return None;
        }
        let plan = self.plan(site)?;
        if begins(&plan) {
            self.begin(site);
        }
        Some(plan)
    }

    /// Begins the plan, as [`next_plan`](Self::next_plan) does, if it is the error of an `error` fault.
    #[inline]
    pub(crate) fn next_failure(&mut self, site: &'static str) -> Option<Failure<'_>> {
        let is_error = matches!(&*self.rule().rule.faults, [Fault::Error(_)]);
        if !is_error || !self.is_pending || self.is_over() {
            return None;
        }
        self.is_pending = false;
        self.begin(site);
        let rule = &**self.rule();
        match &*rule.rule.faults {
            [Fault::Error(error)] => Some(Failure { rule, error, site }),
            _ => None,
        }
    }

    /// Counts the injection and reports it.
    #[inline]
    fn begin(&mut self, site: &'static str) {
        self.has_begun = true;
        let call = self.call.take();
        let (rule, hub) = (self.rule(), self.hub());
        rule.counters.count_injected();
        note_hit(hub, rule, site, None);
        hub.report(|| Injection {
            site,
            rule: rule.rule.id.clone(),
            fault: Arc::clone(rule.fault_names()),
            delay: self.wait.map_or(Duration::ZERO, Wait::delay),
            call: call.unwrap_or_else(HitCall::unknown),
        });
    }

    /// Returns whether the plan is to be handed out, and ends the call.
    #[inline]
    pub(crate) fn ends_call(&self) -> bool {
        self.is_pending && self.wait.is_none()
    }

    /// Returns how long the plan delays the call.
    pub(crate) fn planned_delay(&self) -> Duration {
        let pending = self.wait.filter(|_| self.is_pending);
        pending.map_or(Duration::ZERO, Wait::time)
    }

    /// Returns whether the rule is over: halted, changed, deleted or past its deadline.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.hub().is_over(self.rule())
    }

    /// Takes everything apart. What is left of it gives nothing back.
    pub(crate) fn take(&mut self, site: &'static str) -> PlainParts {
        let plan = mem::replace(&mut self.is_pending, false).then(|| self.plan(site));
        self.is_moved = true;
        PlainParts {
            rule: Arc::clone(self.rule()),
            hub: Arc::clone(self.hub()),
            taken: Taken::plain(self.is_limited),
            call: self.call.take(),
            delay: self.wait.map_or(Duration::ZERO, Wait::delay),
            has_begun: self.has_begun,
            step: plan.flatten().map(Step::Plan),
        }
    }
}

impl Drop for PlainFiring {
    #[inline]
    fn drop(&mut self) {
        if self.is_moved {
            return;
        }
        let rule = self.rule();
        rule.counters.leave();
        self.hub().leave();
        if self.is_limited && !self.has_begun {
            rule.arming.progress.refund();
        }
    }
}

/// The error of an `error` fault that a call fails with, for an integration that cannot return errors. Most of what
/// it knows was made when the rule first failed a call, so that it takes no allocation.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'d> {
    rule: &'d Armed,
    error: &'d ErrorFault,
    site: &'static str,
}

impl Failure<'_> {
    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.error.kind()
    }

    /// Returns the message of the rule.
    #[must_use]
    pub fn message(&self) -> &str {
        self.error.message()
    }

    /// Returns the line of text that [`Injected::to_line`](crate::Injected::to_line) returns for the error.
    #[must_use]
    pub fn line(&self) -> Bytes {
        let id = &self.rule.rule.id;
        let make = || self.error.injected(id, self.site).to_line().into();
        self.rule.line(self.site, make)
    }

    /// Returns the id of the rule as the value of a header.
    #[must_use]
    pub fn mark(&self) -> &HeaderValue {
        self.rule.mark()
    }
}
