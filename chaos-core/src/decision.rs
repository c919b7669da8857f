//! What was decided about one call: the rules that fired, and their deeds in order.

pub(crate) mod active_call;
pub(crate) mod burn_threads;
pub(crate) mod firing;
pub(crate) mod overlay_rules;
pub(crate) mod site_rules;
pub(crate) mod watched_call;

use std::{process, sync::Arc};

use crate::{
    call::site_kind::SiteKind,
    decision::{active_call::ActiveCall, firing::Firing, watched_call::WatchedCall},
    fault::{Fault, custom::CustomFault, step::Step},
    guard_rail::monitor::Monitor,
    hub::{Hub, closures::CustomCall, observer::Injection},
    plan::{Plan, Wait, WaitKind},
};

/// The deeds to do to one call. An adapter is a loop over it:
///
/// ```
/// # use chaos_core::{Decision, Injected, Plan};
/// async fn carry_out(mut decision: Decision) -> Result<(), Injected> {
///     while let Some(plan) = decision.next_plan() {
///         match plan {
///             Plan::Wait(wait) => decision.wait(wait).await,
///             Plan::WaitAfter(wait) => decision.wait(wait.into()).await,
///             Plan::Answer(answer) => return Err(answer.into_injected()),
///             Plan::Fail(injected) => return Err(injected),
///             Plan::Cut(cut) => return Err(cut.into_injected()),
///             // There are none at a site in code.
///             Plan::Headers(..) | Plan::Bytes(..) => {}
///         }
///     }
///     Ok(())
/// }
/// ```
///
/// Rules that are halted, changed, deleted or past their deadline by the time it is their turn do
/// nothing more. What was counted happens: a halt between the two finds a wait over and an answer given.
/// Dropping the decision abandons what is left.
#[derive(Debug)]
pub struct Decision(Box<Parts>);

/// In a box: a call that is left alone, which is most of them, makes room for one word.
#[derive(Debug)]
struct Parts {
    site: &'static str,
    kind: SiteKind,
    hub: Arc<Hub>,
    current: Option<Firing>,
    rest: std::vec::IntoIter<Firing>,
    marks: bool,
    watches: Option<Arc<[Arc<Monitor>]>>,
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
        Self(Box::new(Parts {
            site,
            kind,
            hub,
            current,
            rest,
            marks,
            watches: None,
        }))
    }

    /// Nothing is to be done.
    pub(crate) fn nothing(here: (&'static str, SiteKind), hub: &Arc<Hub>) -> Self {
        Self::new(here, Arc::clone(hub), Vec::new(), true)
    }

    pub(crate) fn watched_by(mut self, watches: &Arc<[Arc<Monitor>]>) -> Self {
        self.0.watches = Some(Arc::clone(watches));
        self
    }

    /// Whether an answer that is changed is to say so, as [`Site::mark`](crate::Site::mark) has it.
    #[must_use]
    pub fn marks(&self) -> bool {
        self.0.marks
    }

    /// What is to see how the call fares, if guard rails watch it: for an adapter that can tell, once,
    /// before the first plan. There may be no plan at all.
    #[must_use]
    pub fn watched_call(&mut self) -> Option<Box<WatchedCall>> {
        let watches = self.0.watches.take()?;
        let is_hit = self.0.current.is_some();
        Some(Box::new(WatchedCall::new(&self.0.hub, &watches, is_hit)))
    }

    /// The next deed. The first of each rule counts the injection and tells the observers.
    ///
    /// What needs no adapter is done here: burning, asking a closure of the application, and ending
    /// the process.
    ///
    /// # Panics
    /// If a rule says so.
    pub fn next_plan(&mut self) -> Option<Plan> {
        let parts = &mut *self.0;
        loop {
            let firing = parts.current.as_mut()?;
            if parts.hub.is_over(&firing.rule) {
                parts.current = parts.rest.next();
                continue;
            }
            firing.expect_release();
            if firing.begin() {
                parts.hub.report(&Injection {
                    site: parts.site,
                    rule: firing.rule.rule.id.clone(),
                    fault: firing.fault_names(),
                    delay: firing.delay(),
                });
                // It is counted, so it happens: a halt that comes only now ends what follows.
            }
            match firing.steps.pop_front() {
                None => parts.current = parts.rest.next(),
                Some(Step::Plan(plan)) => return Some(plan),
                Some(Step::Burn(burn)) => {
                    burn_threads::start(burn, &ActiveCall::new(&firing.active));
                }
                Some(Step::Custom(custom)) => parts.ask(&custom),
                Some(Step::Panic) => {
                    panic!("injected at {} by rule {}", parts.site, firing.rule.rule.id)
                }
                Some(Step::Exit) => process::exit(1),
            }
        }
    }

    /// Waits as a plan says, or until its rule is over: halted, changed, deleted or past its
    /// deadline. tokio's timer adds about a millisecond.
    ///
    /// Cancel-safe: dropping the future ends the wait. A `block` holds the thread, and so does
    /// everything outside a tokio runtime.
    ///
    /// # Panics
    /// In a tokio runtime that was built without its timer.
    #[cfg(feature = "tokio")]
    pub async fn wait(&mut self, wait: Wait) {
        let Some(firing) = &mut self.0.current else {
            return;
        };
        let time = self.0.hub.at_most(wait.time, &firing.rule);
        match wait.kind {
            WaitKind::Delay | WaitKind::Hang => firing.rule.gate.wait(time).await,
            WaitKind::Block => firing.rule.gate.wait_blocking(time),
            WaitKind::Pause => {
                let released = firing.pause();
                if !firing.rule.gate.is_open() {
                    released.wait(time).await;
                }
            }
        }
    }

    /// The same, holding the thread.
    pub fn wait_blocking(&mut self, wait: Wait) {
        let Some(firing) = &mut self.0.current else {
            return;
        };
        let time = self.0.hub.at_most(wait.time, &firing.rule);
        let released = match wait.kind {
            WaitKind::Delay | WaitKind::Hang | WaitKind::Block => Arc::clone(&firing.rule.gate),
            WaitKind::Pause => firing.pause(),
        };
        if !firing.rule.gate.is_open() {
            released.wait_blocking(time);
        }
    }

    /// What a deed holds on to that outlives this decision; `None` when all is done.
    ///
    /// Ask when the plan is handed out: it is for the rule of the last one.
    #[must_use]
    pub fn active_call(&self) -> Option<ActiveCall> {
        let firing = self.0.current.as_ref()?;
        Some(ActiveCall::new(&firing.active))
    }
}

impl Parts {
    /// Asks a closure of the application for a fault, and makes it the next one.
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
            fault.surfaces().have(self.kind)
                && self.hub.bounds.load().policy.permits(fault).is_ok()
                // A closure that names itself would be asked without end.
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
                "the closure {:?} asks for what cannot happen here",
                custom.name,
            );
        }
    }
}
