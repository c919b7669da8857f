//! `Decision`: the rules that fired on one call, handed out as plans, one after the other.

pub(crate) mod active_call;
pub(crate) mod asked;
pub(crate) mod burn_threads;
pub(crate) mod firing;
pub(crate) mod overlay_rules;
pub(crate) mod reservation;
pub(crate) mod site_rules;
pub(crate) mod watched_body;
pub(crate) mod watched_call;

#[cfg(feature = "tokio")]
mod look;
mod monitored;

pub use self::{
    active_call::ActiveCall,
    asked::Asked,
    watched_body::WatchedBody,
    watched_call::{WatchedCall, WatchedFuture},
};

use std::{process, sync::Arc};

use crate::{
    call::site_kind::SiteKind,
    decision::firing::Firing,
    fault::{Fault, custom::CustomFault, step::Step},
    guard_rail::{
        injected_by::InjectedBy,
        monitor::{self, Monitor},
    },
    hub::{Hub, closures::CustomCall},
    plan::{Plan, Wait, WaitKind},
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
/// A rule that is halted, changed, deleted or past its deadline when its turn comes hands out no plan. A
/// rule that was counted already hands out its first plan nevertheless: after a halt in between, a wait
/// ends at once, and an answer is given. Dropping the decision abandons the plans that are left.
#[derive(Debug)]
pub struct Decision(Box<Pending>);

/// Boxed, so that the answer to a call that is left alone, as most are, is one word.
#[derive(Debug)]
struct Pending {
    site: &'static str,
    kind: SiteKind,
    hub: Arc<Hub>,
    current: Option<Firing>,
    rest: std::vec::IntoIter<Firing>,
    marks: bool,
    /// Whether a rule of an overlay fired.
    of_overlay: bool,
    /// Whether a plan that was handed out has ended the call.
    has_ended: bool,
    monitors: Option<Arc<[Arc<Monitor>]>>,
}

impl Decision {
    pub(crate) fn new(
        (site, kind): (&'static str, SiteKind),
        hub: Arc<Hub>,
        fired: Vec<Firing>,
        marks: bool,
    ) -> Self {
        let mut rest = fired.into_iter();
        let current = rest.next();
        Self(Box::new(Pending {
            site,
            kind,
            hub,
            current,
            rest,
            marks,
            of_overlay: false,
            has_ended: false,
            monitors: None,
        }))
    }

    /// Makes a decision without plans.
    pub(crate) fn nothing(here: (&'static str, SiteKind), hub: &Arc<Hub>) -> Self {
        Self::new(here, Arc::clone(hub), Vec::new(), true)
    }

    /// Records that a rule of an overlay fired, for the guard rails that watch the call, or the one in which it
    /// is made.
    pub(crate) fn of_overlay(mut self) -> Self {
        monitor::note_overlay();
        self.0.of_overlay = true;
        self
    }

    /// Adds the guard rails that watch the call.
    pub(crate) fn watched_by(mut self, monitors: &Arc<[Arc<Monitor>]>) -> Self {
        self.0.monitors = Some(Arc::clone(monitors));
        self
    }

    /// Returns whether an answer that a fault changes is to carry the mark of its rule, as set by
    /// [`Site::mark`](crate::Site::mark).
    #[must_use]
    pub fn marks(&self) -> bool {
        self.0.marks
    }

    /// Returns what measures the call for guard rails, if any watch it.
    ///
    /// An integration that sees the outcome of calls takes it once, before the first plan. There may be
    /// no plan at all.
    #[must_use]
    pub fn watched_call(&mut self) -> Option<Box<WatchedCall>> {
        let monitors = self.0.monitors.take()?;
        // What is injected from now on is noted while the call is served.
        let injected = InjectedBy::new(self.0.of_overlay);
        Some(Box::new(WatchedCall::new(&self.0.hub, &monitors, injected)))
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
    pub fn next_plan_if(&mut self, mut begins: impl FnMut(&Plan) -> bool) -> Option<Plan> {
        let pending = &mut *self.0;
        loop {
            let firing = pending.current.as_mut()?;
            if pending.hub.is_over(&firing.rule) {
                pending.current = pending.rest.next();
                continue;
            }
            firing.expect_release();
            let Some(step) = firing.steps.pop_front() else {
                pending.current = pending.rest.next();
                continue;
            };
            // A closure may have ended the call, which nobody knew when the rules fired.
            if pending.has_ended && !step.acts_on_response_at(pending.kind) {
                continue;
            }
            let begins_now = match &step {
                Step::Plan(plan) => begins(plan),
                _ => true,
            };
            // A closure may ask for a cut that cannot act. The call goes on then.
            let cuts_nothing = !begins_now && matches!(step, Step::Plan(Plan::Cut(_)));
            pending.has_ended |= step.ends_call_at(pending.kind) && !cuts_nothing;
            if begins_now {
                // It is counted, so it happens: a halt that comes now ends only what follows.
                firing.active.begin();
            }
            match step {
                Step::Plan(plan) => return Some(plan),
                Step::Burn(burn) => {
                    burn_threads::start(burn, &ActiveCall::new(&firing.active));
                }
                Step::Custom(custom) => pending.ask(&custom),
                Step::Panic => {
                    panic!(
                        "injected at {} by rule {}",
                        pending.site, firing.rule.rule.id
                    )
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
        let pending = &mut *self.0;
        let firings = pending.current.take().into_iter();
        let firings = firings.chain(std::mem::take(&mut pending.rest));
        let live = firings.filter(|firing| !pending.hub.is_over(&firing.rule));
        pending.rest = live.collect::<Vec<_>>().into_iter();
        pending.current = pending.rest.next();
        pending.current.is_some()
    }

    /// Waits as a plan says, or until its rule is over: halted, changed, deleted or past its deadline.
    /// Tokio's timer adds about a millisecond.
    ///
    /// Cancel-safe: dropping the future ends the wait. A `block` holds the thread, and so does any wait
    /// outside a tokio runtime.
    ///
    /// # Panics
    /// Panics in a tokio runtime that was built without its timer.
    #[cfg(feature = "tokio")]
    pub async fn wait(&mut self, wait: Wait) {
        let Some(firing) = &mut self.0.current else {
            return;
        };
        let time = self.0.hub.at_most(wait.time, &firing.rule);
        match wait.kind {
            WaitKind::Delay | WaitKind::Hang => {
                self.0.hub.hold_at(&firing.rule.gate);
                firing.rule.gate.wait(time).await;
            }
            WaitKind::Block => {
                self.0.hub.hold_at(&firing.rule.gate);
                firing.rule.gate.wait_blocking(time);
            }
            WaitKind::Pause => {
                let released = firing.pause();
                self.0.hub.hold_at(&released);
                if !firing.rule.gate.is_open() {
                    released.wait(time).await;
                }
            }
        }
    }

    /// Waits as a plan says, or until its rule is over, holding the thread.
    pub fn wait_blocking(&mut self, wait: Wait) {
        let Some(firing) = &mut self.0.current else {
            return;
        };
        let time = self.0.hub.at_most(wait.time, &firing.rule);
        let released = match wait.kind {
            WaitKind::Delay | WaitKind::Hang | WaitKind::Block => Arc::clone(&firing.rule.gate),
            WaitKind::Pause => firing.pause(),
        };
        self.0.hub.hold_at(&released);
        if !firing.rule.gate.is_open() {
            released.wait_blocking(time);
        }
    }

    /// Returns what an action keeps that outlives this decision; `None` when no plan is left.
    ///
    /// It belongs to the rule of the plan that was handed out last, so take it together with the plan.
    #[must_use]
    pub fn active_call(&self) -> Option<ActiveCall> {
        let firing = self.0.current.as_ref()?;
        Some(ActiveCall::new(&firing.active))
    }
}

impl Pending {
    /// Calls a closure of the application, and makes the fault that it returns the next step.
    fn ask(&mut self, custom: &CustomFault) {
        let Some(firing) = &mut self.current else {
            return;
        };
        let rule = &firing.rule.rule.id;
        let call = CustomCall {
            site: self.site,
            rule,
            arguments: &custom.arguments,
        };
        let Some(fault) = self.hub.closures.ask(custom, &call) else {
            return;
        };
        let can_happen = |fault: &Fault| {
            fault.site_kinds().have(self.kind)
                && self.hub.bounds.load().policy.permits(fault).is_ok()
                // A closure that names itself would be called without end.
                && !matches!(fault, Fault::Custom(_))
        };
        if let Some(chosen) = fault.chosen(&mut firing.dice, can_happen) {
            let step = chosen.step(rule, self.site, &mut firing.dice);
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
