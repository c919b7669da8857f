//! What a deed holds on to that outlives the decision: the rule, and the right to be under way.

use std::{sync::Arc, time::Duration};

use crate::{armed::Armed, decision::firing::Active, hub::Hub, name::RuleId};

/// One injection under way: counted as active for as long as any clone of it is alive.
///
/// A deed that goes on after the call was decided, such as a slow body, keeps one, waits through it,
/// and stops when it is over.
#[derive(Clone, Debug)]
pub struct ActiveCall(Arc<Active>);

impl ActiveCall {
    pub(crate) fn new(active: &Arc<Active>) -> Self {
        Self(Arc::clone(active))
    }

    /// The rule.
    #[must_use]
    pub fn rule(&self) -> &RuleId {
        &self.0.rule.rule.id
    }

    /// Whether its rule is over: halted, changed, deleted or past its deadline. Then the deed stops,
    /// and what is left of the call goes on as if nothing had been.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.hub.is_over(&self.0.rule)
    }

    /// Waits for `time`, counted from this call and not from the first poll, or until the rule is
    /// over. tokio's timer adds about a millisecond.
    ///
    /// Cancel-safe: dropping the future ends the wait. Outside a tokio runtime, it holds the thread
    /// when it is polled.
    ///
    /// # Panics
    /// In a tokio runtime that was built without its timer.
    #[cfg(feature = "tokio")]
    pub fn wait(&self, time: Duration) -> impl Future<Output = ()> + Send + use<> {
        let Active { rule, hub } = &*self.0;
        rule.gate.wait(hub.at_most(time, rule))
    }

    /// The same, holding the thread.
    pub fn wait_blocking(&self, time: Duration) {
        let Active { rule, hub } = &*self.0;
        rule.gate.wait_blocking(hub.at_most(time, rule));
    }

    /// Waits until the rule is over. Cancel-safe.
    #[cfg(feature = "tokio")]
    pub fn over(&self) -> impl Future<Output = ()> + Send + use<> {
        self.wait(crate::plan::bytes::LONGEST)
    }

    /// Marks this rule as one that burns; `false` if it does already.
    pub(crate) fn begin_burn(&self) -> bool {
        self.0.rule.arming.begin_burn()
    }

    pub(crate) fn end_burn(&self) {
        self.0.rule.arming.end_burn();
    }
}

impl Hub {
    pub(crate) fn is_over(&self, rule: &Armed) -> bool {
        rule.gate.is_open() || rule.arming.has_expired(self.clock.now())
    }

    /// `time`, cut at the deadline of the rule.
    pub(crate) fn at_most(&self, time: Duration, rule: &Armed) -> Duration {
        match rule.arming.deadline() {
            Some(deadline) => time.min(deadline.saturating_sub(self.clock.now())),
            None => time,
        }
    }
}
