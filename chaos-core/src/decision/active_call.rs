//! One injection under way: counted as active, and able to wait until its rule is over.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use crate::{
    armed::Armed,
    hub::Hub,
    name::RuleId,
    policy::{
        Policy,
        limit::{Limit, take},
    },
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
        &self.0.rule.rule.id
    }

    /// Returns whether the rule is over: halted, changed, deleted or past its deadline.
    ///
    /// The action stops then, and the rest of the call proceeds as if there had been no fault.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.hub.is_over(&self.0.rule)
    }

    /// Waits for `time`, counted from this call and not from the first poll, or until the rule is over.
    /// Tokio's timer adds about a millisecond.
    ///
    /// Cancel-safe: dropping the future ends the wait. Outside a tokio runtime, the future holds the
    /// thread when it is polled.
    ///
    /// # Panics
    /// In a tokio runtime that was built without its timer.
    #[cfg(feature = "tokio")]
    pub fn wait(&self, time: Duration) -> impl Future<Output = ()> + Send + use<> {
        let Active { rule, hub } = &*self.0;
        rule.gate.wait(hub.at_most(time, rule))
    }

    /// Waits for `time`, or until the rule is over, holding the thread.
    pub fn wait_blocking(&self, time: Duration) {
        let Active { rule, hub } = &*self.0;
        rule.gate.wait_blocking(hub.at_most(time, rule));
    }

    /// Waits until the rule is over, for at most a day.
    ///
    /// Cancel-safe: dropping the future ends the wait.
    ///
    /// # Panics
    /// In a tokio runtime that was built without its timer.
    #[cfg(feature = "tokio")]
    pub fn over(&self) -> impl Future<Output = ()> + Send + use<> {
        self.wait(crate::plan::bytes::LONGEST)
    }

    /// Marks the rule as one that burns. Returns `false` if it burns already.
    pub(crate) fn begin_burn(&self) -> bool {
        self.0.rule.arming.begin_burn()
    }

    /// Marks the rule as one that does not burn.
    pub(crate) fn end_burn(&self) {
        self.0.rule.arming.end_burn();
    }
}

/// Counts as an injection under way until it is dropped.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) rule: Arc<Armed>,
    pub(crate) hub: Arc<Hub>,
}

impl Active {
    /// Enters one of the active injections that the rule may have, and one of those that the policy allows
    /// in all. The error is the limit that has no room.
    pub(crate) fn enter(rule: &Arc<Armed>, hub: &Arc<Hub>, policy: &Policy) -> Result<Self, Limit> {
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

impl Hub {
    /// Returns whether a rule is over: halted, changed, deleted or past its deadline.
    pub(crate) fn is_over(&self, rule: &Armed) -> bool {
        rule.gate.is_open() || rule.arming.has_expired(self.clock.now())
    }

    /// Returns `time`, cut off at the deadline of the rule.
    pub(crate) fn at_most(&self, time: Duration, rule: &Armed) -> Duration {
        match rule.arming.deadline() {
            Some(deadline) => time.min(deadline.saturating_sub(self.clock.now())),
            None => time,
        }
    }
}
