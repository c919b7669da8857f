//! What was decided about one call: the rules that fired, and their deeds in order.

use std::{sync::Arc, time::Duration};

use crate::{
    armed::{Armed, Firing},
    observer::{Hub, Injection},
    plan::Plan,
};

/// The deeds to do to one call. An adapter is a loop over it:
///
/// ```
/// # use chaos_core::{Decision, Injected, Plan};
/// async fn carry_out(mut decision: Decision) -> Result<(), Injected> {
///     while let Some(plan) = decision.next_plan() {
///         match plan {
///             Plan::Wait(delay) => decision.wait(delay).await,
///             Plan::Answer(answer) => return Err(answer.into_injected()),
///             Plan::Fail(injected) => return Err(injected),
///         }
///     }
///     Ok(())
/// }
/// ```
///
/// Rules that are halted, changed, deleted or past their deadline by the time it is their turn do
/// nothing more. Dropping the decision abandons what is left.
#[derive(Debug)]
pub struct Decision(Box<Parts>);

/// In a box: a call that is left alone, which is most of them, makes room for one word.
#[derive(Debug)]
struct Parts {
    site: &'static str,
    hub: Arc<Hub>,
    current: Option<Firing>,
    rest: std::vec::IntoIter<Firing>,
}

impl Decision {
    pub(crate) fn new(site: &'static str, hub: Arc<Hub>, fired: Vec<Firing>) -> Self {
        let mut rest = fired.into_iter();
        let current = rest.next();
        Self(Box::new(Parts {
            site,
            hub,
            current,
            rest,
        }))
    }

    /// The next deed. The first of each rule counts the injection and tells the observers.
    pub fn next_plan(&mut self) -> Option<Plan> {
        let parts = &mut *self.0;
        loop {
            let firing = parts.current.as_mut()?;
            if !parts.hub.is_over(&firing.rule) {
                if firing.begin() {
                    parts.hub.tell(&Injection {
                        site: parts.site,
                        rule: firing.rule.rule.id.clone(),
                        fault: Arc::clone(&firing.rule.fault_names),
                        delay: firing.delay(),
                    });
                    // Whoever was told may have halted it.
                    continue;
                }
                if let Some(plan) = firing.plans.next() {
                    return Some(plan);
                }
            }
            parts.current = parts.rest.next();
        }
    }

    /// Waits for `delay`, or until the rule that asked for it is over: halted, changed, deleted or
    /// past its deadline. tokio's timer adds about a millisecond.
    ///
    /// Cancel-safe: dropping the future ends the wait. Outside a tokio runtime, it holds the thread.
    ///
    /// # Panics
    /// In a tokio runtime that was built without its timer.
    #[cfg(feature = "tokio")]
    pub async fn wait(&mut self, delay: Duration) {
        if let Some(firing) = &self.0.current {
            let delay = self.0.hub.at_most(delay, &firing.rule);
            match tokio::runtime::Handle::try_current() {
                Ok(_) => firing.rule.gate.wait(delay).await,
                Err(_) => firing.rule.gate.wait_blocking(delay),
            }
        }
    }

    /// The same, holding the thread.
    pub fn wait_blocking(&mut self, delay: Duration) {
        if let Some(firing) = &self.0.current {
            let delay = self.0.hub.at_most(delay, &firing.rule);
            firing.rule.gate.wait_blocking(delay);
        }
    }
}

impl Hub {
    fn is_over(&self, rule: &Armed) -> bool {
        rule.gate.is_open() || rule.has_expired(self.clock.now())
    }

    fn at_most(&self, delay: Duration, rule: &Armed) -> Duration {
        match rule.deadline {
            Some(deadline) => delay.min(deadline.saturating_sub(self.clock.now())),
            None => delay,
        }
    }
}
