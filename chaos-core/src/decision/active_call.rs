//! One injection under way: counted as active, and able to wait until its rule is over.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use crate::{
    armed::Armed,
    call::hit_call::HitCall,
    decision::reservation::Reservation,
    hub::{Hub, observer::Injection},
    name::RuleId,
    plan::Injected,
    policy::{
        Policy,
        limit::{Limit, share_of_tokens, take},
    },
    trigger::replay::By,
};

/// One injection under way. It counts as active for as long as any clone of it is alive.
///
/// An action that goes on after the call was decided, such as throttling a body, keeps a clone, waits
/// through it, and stops when the rule is over.
#[derive(Clone, Debug)]
pub struct ActiveCall(Arc<Active>);

impl ActiveCall {
    pub(crate) fn new(active: &Arc<Active>) -> Self {
        Self(Arc::clone(active))
    }

    /// Returns the id of the rule.
    #[must_use]
    pub fn rule(&self) -> &RuleId {
        &self.0.slot.rule.rule.id
    }

    /// Returns the error of this kind with which the injection fails a body, for example.
    #[must_use]
    pub fn injected(&self, kind: io::ErrorKind, message: &str) -> Injected {
        Injected::new(self.rule().clone(), self.0.site, kind, message.into())
    }

    /// Counts the injection and notifies observers, unless that was done already: by this method, or by
    /// [`Decision::next_plan`](crate::Decision::next_plan). Returns `false`, and counts nothing, if the
    /// rule is over; then the plan is not to be executed.
    ///
    /// An integration calls it for a plan that it has taken with
    /// [`Decision::next_plan_if`](crate::Decision::next_plan_if), when it begins to execute it.
    #[must_use]
    pub fn begin(&self) -> bool {
        let is_over = self.is_over();
        if !is_over {
            self.0.begin();
        }
        !is_over
    }

    /// Returns whether the rule is over: halted, changed, deleted or past its deadline.
    ///
    /// The action stops then, and the rest of the call proceeds as if there had been no fault.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.slot.hub.is_over(&self.0.slot.rule)
    }

    /// Waits for `time`, counted from this call and not from the first poll, or until the rule is over.
    /// Tokio's timer adds about a millisecond.
    ///
    /// Cancel-safe: dropping the future ends the wait. Outside a tokio runtime, the future holds the
    /// thread when it is polled.
    ///
    /// # Panics
    /// Panics in a tokio runtime that was built without its timer.
    #[cfg(feature = "tokio")]
    pub fn wait(&self, time: Duration) -> impl Future<Output = ()> + Send + use<> {
        let ActiveSlot { rule, hub, .. } = &self.0.slot;
        hub.hold_at(&rule.gate);
        rule.gate.wait(hub.at_most(time, rule))
    }

    /// Waits for `time`, or until the rule is over, holding the thread.
    pub fn wait_blocking(&self, time: Duration) {
        let ActiveSlot { rule, hub, .. } = &self.0.slot;
        hub.hold_at(&rule.gate);
        rule.gate.wait_blocking(hub.at_most(time, rule));
    }

    /// Waits until the rule is over, for at most a day.
    ///
    /// Cancel-safe: dropping the future ends the wait.
    ///
    /// # Panics
    /// Panics in a tokio runtime that was built without its timer.
    #[cfg(feature = "tokio")]
    pub fn over(&self) -> impl Future<Output = ()> + Send + use<> {
        self.wait(crate::plan::bytes::LONGEST)
    }

    /// Reserves memory to burn of what all rules of the injector may, and returns how much.
    pub(crate) fn reserve_memory(&self, bytes: u64) -> u64 {
        self.0.slot.hub.reserve_memory(bytes)
    }

    /// Gives back memory that was reserved.
    pub(crate) fn release_memory(&self, bytes: u64) {
        self.0.slot.hub.release_memory(bytes);
    }

    /// Marks the rule as one that burns. Returns `false` if it burns already.
    pub(crate) fn begin_burn(&self) -> bool {
        self.0.slot.rule.arming.begin_burn()
    }

    /// Marks the rule as one that does not burn.
    pub(crate) fn end_burn(&self) {
        self.0.slot.rule.arming.end_burn();
    }
}

/// A rule that fired on a call. It is injected, and counted, when it begins; if it never does, dropping
/// this gives back what was reserved of the rule's limits.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) slot: ActiveSlot,
    pub(crate) reservation: Reservation,
    pub(crate) site: &'static str,
    /// The names of the faults, for a rule that chooses.
    pub(crate) chosen: Option<Arc<str>>,
    pub(crate) delay: Duration,
    pub(crate) by: By,
    /// Taken when the injection begins: thousands of calls may be held then.
    pub(crate) call: Mutex<Option<Arc<HitCall>>>,
}

impl Active {
    /// Counts the injection and reports it, the first time that it is called.
    pub(crate) fn begin(&self) {
        if self.reservation.used.swap(true, Relaxed) {
            return;
        }
        let ActiveSlot { rule, hub, .. } = &self.slot;
        rule.counters.count_injected();
        rule.log(&self.by);
        let fault = self.chosen.as_ref().unwrap_or_else(|| rule.fault_names());
        let call = self
            .call
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        hub.report(&Injection {
            site: self.site,
            rule: rule.rule.id.clone(),
            fault: Arc::clone(fault),
            delay: self.delay,
            call: call.unwrap_or_default(),
        });
    }
}

/// One of the active injections of a rule, and of all of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct ActiveSlot {
    pub(crate) rule: Arc<Armed>,
    pub(crate) hub: Arc<Hub>,
    /// Whether it is one of those that tokens may have.
    pub(crate) of_token: bool,
}

impl ActiveSlot {
    /// Enters one of the active injections that the rule may have, and one of those that the policy allows
    /// in all, and tokens in all if it is `of_token`. The error is the limit that has no room.
    pub(crate) fn enter(
        rule: &Arc<Armed>,
        hub: &Arc<Hub>,
        policy: &Policy,
        of_token: bool,
    ) -> Result<Self, Limit> {
        let max = policy.max_active_of(rule.rule.trigger.max_active);
        if !rule.counters.enter(max) {
            return Err(Limit::MaxActive);
        }
        let max = policy.active.map_or(u64::MAX, |max| max.get().into());
        if of_token && !take(&hub.active_of_tokens, share_of_tokens(max)) {
            rule.counters.leave();
            return Err(Limit::PolicyActive);
        }
        if !take(&hub.active, max) {
            leave(rule, hub, of_token);
            return Err(Limit::PolicyActive);
        }
        let (rule, hub) = (Arc::clone(rule), Arc::clone(hub));
        Ok(Self {
            rule,
            hub,
            of_token,
        })
    }
}

impl Drop for ActiveSlot {
    fn drop(&mut self) {
        leave(&self.rule, &self.hub, self.of_token);
        self.hub.active.fetch_sub(1, Relaxed);
    }
}

/// Gives back what an active injection takes of its rule, and of what tokens may have.
fn leave(rule: &Armed, hub: &Hub, of_token: bool) {
    rule.counters.leave();
    if of_token {
        hub.active_of_tokens.fetch_sub(1, Relaxed);
    }
}

impl Hub {
    /// Returns whether a rule is over: halted, changed, deleted or past its deadline.
    pub(crate) fn is_over(&self, rule: &Armed) -> bool {
        // A halt opens the gates where calls wait, and leaves the others to a resume.
        rule.gate.is_open() || self.is_halted() || rule.arming.has_expired(self.clock.now())
    }

    /// Returns `time`, cut off at the deadline of the rule.
    pub(crate) fn at_most(&self, time: Duration, rule: &Armed) -> Duration {
        match rule.arming.deadline() {
            Some(deadline) => time.min(deadline.saturating_sub(self.clock.now())),
            None => time,
        }
    }
}
