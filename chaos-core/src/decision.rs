//! `Decision`: the rules that fired on one call, handed out as plans, one after the other.

pub(crate) mod active_call;
pub(crate) mod asked;
pub(crate) mod burn_threads;
pub(crate) mod fired;
pub(crate) mod firing;
pub(crate) mod outcome_notes;
pub(crate) mod overlay_rules;
pub(crate) mod reservation;
pub(crate) mod site_meter;
pub(crate) mod site_rules;
pub(crate) mod steps;
pub(crate) mod watched_body;
pub(crate) mod watched_call;
pub(crate) mod watchers;

#[cfg(feature = "tokio")]
mod look;
mod measured_calls;

pub use self::{
    active_call::ActiveCall,
    asked::Asked,
    firing::plain::Failure,
    watched_body::WatchedBody,
    watched_call::{WatchedCall, WatchedFuture},
};

use std::{process, sync::Arc, time::Duration};

use http::HeaderValue;

#[cfg(feature = "tokio")]
use crate::plan::WaitKind;
use crate::{
    call::site_kind::SiteKind,
    decision::{
        active_call::Active,
        fired::Fired,
        firing::{Before, Firing, plain::PlainFiring},
        site_rules::Here,
    },
    dice::Dice,
    fault::{Fault, custom::CustomFault, prepared::PreparedAnswers, step::Step},
    guard_rail::injected_by,
    hub::closures::CustomCall,
    plan::{Plan, Wait},
};

/// The decision about one call: an iterator of [`Plan`]s, which an integration executes in order.
///
/// ```
/// # use chaos_core::{Decision, Injected, Plan};
/// async fn execute(mut decision: Decision) -> Result<(), Injected> {
///     let mut result = Ok(());
///     while let Some(plan) = decision.next_plan() {
///         match plan {
///             Plan::Wait(wait) => decision.wait(wait).await,
///             // It may come after a plan that ends the call, and delays the error then.
///             Plan::WaitAfter(wait) => decision.wait(wait.into()).await,
///             Plan::Answer(answer) => result = Err(answer.into_injected()),
///             Plan::Fail(injected) => result = Err(injected),
///             Plan::Cut(cut) => result = Err(cut.into_injected()),
///             // A site in code has neither headers nor a body.
///             Plan::Headers(..) | Plan::Bytes(..) => {}
///         }
///     }
///     result
/// }
/// ```
///
/// A rule that is halted, changed, deleted, past its deadline or whose leash is over when its turn comes hands out no plan. A
/// rule that was counted already hands out its first plan nevertheless: after a halt in between, a wait
/// ends at once, and an answer is given. Dropping the decision abandons the plans that are left.
#[derive(Debug)]
pub struct Decision {
    site: &'static str,
    kind: SiteKind,
    fired: Fired,
    marks: bool,
    /// Whether a rule of an overlay fired.
    of_overlay: bool,
    /// Whether a plan that was handed out has ended the call.
    has_ended: bool,
}

impl Decision {
    /// Makes a decision without plans.
    #[inline(always)]
    pub(crate) fn new((site, kind): Here, marks: bool) -> Self {
        Self {
            site,
            kind,
            fired: Fired::Nothing,
            marks,
            of_overlay: false,
            has_ended: false,
        }
    }

    /// Makes a decision of one rule that fired in the plain way.
    #[inline(always)]
    pub(crate) fn plain(here: Here, marks: bool, firing: PlainFiring) -> Self {
        let (site, kind) = here;
        Self {
            site,
            kind,
            fired: Fired::Plain(firing),
            marks,
            of_overlay: false,
            has_ended: false,
        }
    }

    /// Adds a rule that has fired.
    pub(crate) fn push(&mut self, firing: Firing) {
        self.fired.push(firing, self.site);
    }

    /// Returns whether no rule has fired.
    pub(crate) fn is_empty(&self) -> bool {
        self.fired.is_nothing()
    }

    /// Returns what the rules that have fired do to the call. `has_ended`: whether one of them ends it.
    pub(crate) fn before(&self, has_ended: bool) -> Before {
        let (delayed, of_token) = match &self.fired {
            Fired::Nothing => (Duration::ZERO, false),
            Fired::Plain(plain) => (plain.planned_delay(), false),
            Fired::Any(firings) => (
                firings.iter().map(Firing::planned_delay).sum(),
                (firings.iter()).any(|firing| firing.active.taken.is_of_token()),
            ),
        };
        Before {
            has_ended,
            delayed,
            of_token,
        }
    }

    /// Records that a rule of an overlay fired, for the guard rails that watch the call, or the one in which it
    /// is made.
    pub(crate) fn of_overlay(mut self) -> Self {
        injected_by::note_overlay();
        self.of_overlay = true;
        self
    }

    /// Returns whether a rule of an overlay fired.
    pub(crate) fn is_of_overlay(&self) -> bool {
        self.of_overlay
    }

    /// Returns whether an answer that a fault changes is to carry the mark of its rule, as set by
    /// [`Site::mark`](crate::Site::mark).
    #[must_use]
    pub fn marks(&self) -> bool {
        self.marks
    }

    /// Returns whether there is no more than one plan, which answers or fails the call at once. An integration may then
    /// execute it in a shorter way.
    #[must_use]
    pub fn ends_at_once(&self) -> bool {
        let only = match &self.fired {
            Fired::Nothing => return false,
            Fired::Plain(plain) => return plain.ends_call(),
            Fired::Any(firings) => firings.only(),
        };
        match only.and_then(|firing| firing.steps.only()) {
            Some(Step::Plan(Plan::Answer(answer))) => answer.after_messages().is_none(),
            Some(Step::Plan(Plan::Fail(_))) => true,
            _ => false,
        }
    }

    /// Returns the next plan. The first one of each rule counts the injection and notifies observers.
    /// After a plan that ends the call, only those that act on its response are returned.
    ///
    /// Actions that need no integration are executed here: burning, calling a closure of the
    /// application, and ending the process.
    ///
    /// # Panics
    /// Panics if a rule injects a panic.
    pub fn next_plan(&mut self) -> Option<Plan> {
        self.next_plan_if(|_| true)
    }

    /// Returns the next plan, as [`next_plan`](Self::next_plan) does, and counts the injection only if
    /// `begins` returns `true` for it. For any other plan, the caller has [`ActiveCall::begin`] count the
    /// injection when it begins to execute the plan, which may be never.
    ///
    /// # Panics
    /// Panics if a rule injects a panic.
    #[inline]
    pub fn next_plan_if(&mut self, mut begins: impl FnMut(&Plan) -> bool) -> Option<Plan> {
        let Fired::Plain(plain) = &mut self.fired else {
            return self.next_of_any(&mut begins);
        };
        let plan = plain.next_plan(self.site, begins);
        if plan.is_none() {
            self.fired = Fired::Nothing;
        }
        plan
    }

    /// Begins the only plan of a decision that [ends the call at once](Self::ends_at_once), if that is the error of an
    /// `error` fault: counts the injection and notifies observers, as [`next_plan`](Self::next_plan) does. For an
    /// integration that has a response in the place of the error. Any other decision is left as it is.
    #[inline]
    pub fn next_failure(&mut self) -> Option<Failure<'_>> {
        match &mut self.fired {
            Fired::Plain(plain) => plain.next_failure(self.site),
            _ => None,
        }
    }

    /// Returns the next plan of rules that did not fire in the plain way.
    #[inline(never)]
    fn next_of_any(&mut self, begins: &mut dyn FnMut(&Plan) -> bool) -> Option<Plan> {
        loop {
            let Fired::Any(firings) = &mut self.fired else {
                return None;
            };
            let firing = &mut firings.current;
            if firing.steps.next().is_none() || firing.active.is_over() {
                self.fired.advance();
                continue;
            }
            firing.expect_release();
            let Some(step) = firing.steps.pop() else {
                continue;
            };
            // A closure may have ended the call, which nobody knew when the rules fired.
            if self.has_ended && !step.acts_on_response_at(self.kind) {
                continue;
            }
            let begins_now = match &step {
                Step::Plan(plan) => begins(plan),
                _ => true,
            };
            // A closure may ask for a cut that cannot act. The call goes on then.
            let cuts_nothing = !begins_now && matches!(step, Step::Plan(Plan::Cut(_)));
            self.has_ended |= step.ends_call_at(self.kind) && !cuts_nothing;
            if begins_now {
                // It is counted, so it happens: a halt that comes now ends only what follows.
                firing.active.begin();
            }
            match step {
                Step::Plan(plan) => return Some(plan),
                Step::Burn(burn) => burn_threads::start(*burn, &firing.active.share()),
                Step::Custom(custom) => self.ask(&custom),
                Step::Panic => {
                    let rule = &firing.active.rule.rule.id;
                    panic!("injected at {} by rule {rule}", self.site)
                }
                Step::Exit => process::exit(1),
            }
        }
    }

    /// Drops the rules that are over, which would hand out no plan, so that they are no longer active. Returns
    /// whether any rule is left.
    ///
    /// An integration calls it if it keeps decisions that it has not begun to execute.
    pub fn drop_over(&mut self) -> bool {
        self.fired.drop_over();
        !self.fired.is_nothing()
    }

    /// Waits as a plan says, or until its rule is over: halted, changed, deleted or past its deadline, or its leash is over.
    /// Tokio's timer adds about a millisecond.
    ///
    /// Cancel-safe: dropping the future ends the wait. A `block` holds the thread, and so does any wait
    /// outside a tokio runtime.
    ///
    /// # Panics
    /// Panics in a tokio runtime that was built without its timer.
    #[cfg(feature = "tokio")]
    pub async fn wait(&mut self, wait: Wait) {
        let released = wait.is_pause().then(|| self.fired.pause()).flatten();
        let Some((rule, hub)) = self.fired.current() else {
            return;
        };
        let (time, leash) = (hub.at_most(wait.time, rule), rule.arming.leash());
        let gate = Arc::clone(&rule.gate);
        hub.hold_at(released.as_ref().unwrap_or(&gate));
        match (wait.kind, released) {
            (WaitKind::Block, _) => gate.wait_blocking(time, leash.as_ref()),
            (WaitKind::Pause, Some(released)) => {
                if !gate.is_open() {
                    released.wait(time, leash).await;
                }
            }
            (WaitKind::Delay | WaitKind::Hang | WaitKind::Pause, _) => {
                gate.wait(time, leash).await;
            }
        }
    }

    /// Waits as a plan says, or until its rule is over, holding the thread.
    pub fn wait_blocking(&mut self, wait: Wait) {
        let released = wait.is_pause().then(|| self.fired.pause()).flatten();
        let Some((rule, hub)) = self.fired.current() else {
            return;
        };
        let (time, leash) = (hub.at_most(wait.time, rule), rule.arming.leash());
        let gate = Arc::clone(&rule.gate);
        let released = released.unwrap_or_else(|| Arc::clone(&gate));
        hub.hold_at(&released);
        if !gate.is_open() {
            released.wait_blocking(time, leash.as_ref());
        }
    }

    /// Returns what an action keeps that outlives this decision; `None` when no plan is left.
    ///
    /// It belongs to the rule of the plan that was handed out last, so take it together with the plan.
    #[must_use]
    pub fn active_call(&mut self) -> Option<ActiveCall> {
        let firings = self.fired.any(self.site)?;
        Some(firings.current.active.share())
    }

    /// Returns the id of the rule of the plan that was handed out last, as the value of a header.
    #[must_use]
    pub fn mark(&self) -> Option<&HeaderValue> {
        self.fired.current().map(|(rule, _)| rule.mark())
    }

    /// Calls a closure of the application, and makes the fault that it returns the next step.
    fn ask(&mut self, custom: &CustomFault) {
        let Fired::Any(firings) = &mut self.fired else {
            return;
        };
        let firing = &mut firings.current;
        let Active { rule, hub, .. } = &*firing.active;
        let rule = &rule.rule.id;
        let call = CustomCall {
            site: self.site,
            rule,
            arguments: &custom.arguments,
        };
        let Some(fault) = hub.closures.ask(custom, &call) else {
            return;
        };
        let can_happen = |fault: &Fault| {
            steps::can_happen(fault, self.kind, Some(&hub.bounds.load().policy))
                // A closure that names itself would be called without end.
                && !matches!(fault, Fault::Custom(_))
        };
        let dice = firing.dice.get_or_insert_with(|| Box::new(Dice::Thread));
        if let Some(chosen) = fault.chosen(dice, can_happen) {
            let answers = PreparedAnswers::default();
            let step = chosen.step(rule, &answers, self.site, dice);
            firing.steps.push_front(step);
        } else {
            tracing::warn!(
                target: "chaos",
                site = self.site,
                rule = rule.as_str(),
                fault = fault.name(),
                closure = &*custom.name,
                "the closure returned a fault that cannot happen at this site",
            );
        }
    }
}
