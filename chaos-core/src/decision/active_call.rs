//! One injection under way: counted as active, and able to wait until its rule is over.

use std::{
    io, mem,
    ops::Deref,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use http::HeaderValue;

use crate::{
    armed::Armed,
    call::hit_call::HitCall,
    decision::{outcome_notes::note_hit, reservation::Taken, steps::FaultNames},
    hub::{Hub, observer::Injection},
    name::RuleId,
    plan::Injected,
    trigger::replay::By,
};

/// One injection under way. It counts as active for as long as any clone of it is alive.
///
/// An action that goes on after the call was decided, such as throttling a body, keeps a clone, waits
/// through it, and stops when the rule is over.
#[derive(Clone, Debug)]
pub struct ActiveCall(Arc<Active>);

impl ActiveCall {
    /// Returns the id of the rule.
    #[must_use]
    pub fn rule(&self) -> &RuleId {
        &self.0.rule.rule.id
    }

    /// Returns the id of the rule as the value of a header.
    #[must_use]
    pub fn mark(&self) -> &HeaderValue {
        self.0.rule.mark()
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

    /// Returns whether the rule is over: halted, changed, deleted or past its deadline, or its leash is over.
    ///
    /// The action stops then, and the rest of the call proceeds as if there had been no fault.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.is_over()
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
        let Active { rule, hub, .. } = &*self.0;
        hub.hold_at(&rule.gate);
        rule.gate.wait(hub.at_most(time, rule), rule.arming.leash())
    }

    /// Waits for `time`, or until the rule is over, holding the thread.
    pub fn wait_blocking(&self, time: Duration) {
        let Active { rule, hub, .. } = &*self.0;
        hub.hold_at(&rule.gate);
        let leash = rule.arming.leash();
        (rule.gate).wait_blocking(hub.at_most(time, rule), leash.as_ref());
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
        self.0.hub.reserve_memory(bytes)
    }

    /// Gives back memory that was reserved.
    pub(crate) fn release_memory(&self, bytes: u64) {
        self.0.hub.release_memory(bytes);
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

/// A rule that fired on a call. It is injected, and counted, when it begins; if it never does, dropping
/// this gives back what was taken of the rule's limits.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) rule: Arc<Armed>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) taken: Taken,
    /// Whether the injection has begun: then nothing is given back. It orders nothing: relaxed.
    pub(crate) has_begun: AtomicBool,
    pub(crate) site: &'static str,
    pub(crate) names: FaultNames,
    pub(crate) delay: Duration,
    /// `None` if it was hit by chance, as most calls are.
    pub(crate) by: Option<Box<By>>,
    /// What is known of the call, if anyone is to be told. Taken when the injection begins: thousands of calls
    /// may be held then.
    pub(crate) call: Mutex<Option<Arc<HitCall>>>,
}

impl Active {
    /// Counts the injection and reports it, the first time that it is called.
    pub(crate) fn begin(&self) {
        if self.has_begun.swap(true, Relaxed) {
            return;
        }
        let Self { rule, hub, .. } = self;
        rule.counters.count_injected();
        rule.log(|| self.by.as_deref().cloned().unwrap_or(By::Chance));
        note_hit(hub, rule, self.site, self.by.as_deref());
        hub.report(|| Injection {
            site: self.site,
            rule: rule.rule.id.clone(),
            fault: self.names.text(rule),
            delay: self.delay,
            call: self.lock_call().take().unwrap_or_else(HitCall::unknown),
        });
    }

    fn lock_call(&self) -> MutexGuard<'_, Option<Arc<HitCall>>> {
        self.call.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the rule is over: halted, changed, deleted or past its deadline, or its leash is over.
    pub(crate) fn is_over(&self) -> bool {
        self.hub.is_over(&self.rule)
    }

    /// Moves the contents into another place. What is left holds nothing, and gives nothing back.
    fn moved(&mut self) -> Self {
        Self {
            rule: Arc::clone(&self.rule),
            hub: Arc::clone(&self.hub),
            taken: mem::take(&mut self.taken),
            has_begun: AtomicBool::new(*self.has_begun.get_mut()),
            site: self.site,
            names: mem::replace(&mut self.names, FaultNames::OfRule),
            delay: self.delay,
            by: self.by.take(),
            call: Mutex::new(self.lock_call().take()),
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        let has_begun = *self.has_begun.get_mut();
        self.taken.put_back(&self.rule, &self.hub, has_begun);
    }
}

/// An [`Active`] of a decision: in the decision itself until something shares it, as few calls need that.
#[derive(Debug)]
pub(crate) enum MaybeShared {
    Own(Active),
    Shared(Arc<Active>),
}

impl MaybeShared {
    /// Returns a handle that may outlive the decision.
    pub(crate) fn share(&mut self) -> ActiveCall {
        let shared = match self {
            Self::Own(own) => Arc::new(own.moved()),
            Self::Shared(shared) => return ActiveCall(Arc::clone(shared)),
        };
        *self = Self::Shared(Arc::clone(&shared));
        ActiveCall(shared)
    }
}

impl Deref for MaybeShared {
    type Target = Active;

    fn deref(&self) -> &Active {
        match self {
            Self::Own(own) => own,
            Self::Shared(shared) => shared,
        }
    }
}

impl Hub {
    /// Returns whether a rule is over: halted, changed, deleted or past its deadline, or its leash is over.
    pub(crate) fn is_over(&self, rule: &Armed) -> bool {
        // A halt opens the gates where calls wait, and leaves the others to a resume, which opens them before it ends
        // the halt. So the gate is read last.
        self.is_halted() || rule.gate.is_open() || rule.arming.is_over_by(&self.clock)
    }

    /// Returns `time`, cut off at the rule's own deadline.
    pub(crate) fn at_most(&self, time: Duration, rule: &Armed) -> Duration {
        match rule.arming.deadline() {
            Some(deadline) => time.min(deadline.saturating_sub(self.clock.now())),
            None => time,
        }
    }
}
