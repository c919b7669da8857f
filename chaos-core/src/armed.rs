//! A rule in force: the rule with its counts, its progress, its gate and its deadline.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    call::Call,
    clock::Clock,
    dice::{self, Dice},
    gate::Gate,
    plan::Plan,
    rule::{Mode, Rule},
    tally::{Progress, Tally},
};

/// What a site holds of each rule that aims at it.
#[derive(Debug)]
pub(crate) struct Armed {
    pub(crate) rule: Arc<Rule>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) gate: Arc<Gate>,
    /// On the injector's clock.
    pub(crate) deadline: Option<Duration>,
    progress: Arc<Progress>,
    /// The seed, mixed with the id.
    stream: Option<u64>,
    pub(crate) fault_names: Arc<str>,
    /// Set when the deadline was seen to have passed. Only ever goes from false to true, and
    /// orders nothing: relaxed.
    expired: AtomicBool,
}

impl Armed {
    fn new(rule: Arc<Rule>, tally: Arc<Tally>, now: Duration) -> Self {
        Self {
            tally,
            gate: Arc::default(),
            deadline: rule.lifetime.deadline(now),
            progress: Arc::default(),
            stream: rule.trigger.seed.map(|seed| dice::stream(seed, &rule.id)),
            fault_names: rule.fault_names().into(),
            expired: AtomicBool::new(false),
            rule,
        }
    }

    /// Puts `rule` in force after `before`, the rule that had its id, if there was one.
    ///
    /// An unchanged rule goes on; one that was off, or that had expired and is put again, is armed
    /// anew with its counts kept; anything else starts from nothing.
    pub(crate) fn succeed(
        before: Option<&Arc<Self>>,
        rule: Arc<Rule>,
        put: bool,
        now: Duration,
    ) -> Arc<Self> {
        let Some(before) = before.filter(|before| rule.continues(&before.rule)) else {
            return Arc::new(Self::new(rule, Arc::default(), now));
        };
        let rearmed = put && before.has_expired(now);
        if *rule == *before.rule && !rearmed {
            return Arc::clone(before);
        }
        if rule.enabled != before.rule.enabled || rearmed {
            return Arc::new(Self::new(rule, Arc::clone(&before.tally), now));
        }
        let gate = Arc::clone(&before.gate);
        Arc::new(before.go_on(rule, gate))
    }

    /// The same arming behind a new gate: what a halt leaves for `resume`.
    pub(crate) fn behind_new_gate(&self) -> Arc<Self> {
        Arc::new(self.go_on(Arc::clone(&self.rule), Arc::default()))
    }

    fn go_on(&self, rule: Arc<Rule>, gate: Arc<Gate>) -> Self {
        Self {
            rule,
            gate,
            tally: Arc::clone(&self.tally),
            deadline: self.deadline,
            progress: Arc::clone(&self.progress),
            stream: self.stream,
            fault_names: Arc::clone(&self.fault_names),
            expired: AtomicBool::new(self.expired.load(Ordering::Relaxed)),
        }
    }

    pub(crate) fn has_expired(&self, now: Duration) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
    }

    /// Whether it can still act: enabled, and not expired.
    pub(crate) fn is_live(&self, now: Duration) -> bool {
        self.rule.enabled && !self.has_expired(now)
    }

    /// Whether the data path has seen it expire.
    pub(crate) fn is_known_expired(&self) -> bool {
        self.expired.load(Ordering::Relaxed)
    }

    /// Asks the rule about one call.
    pub(crate) fn consult(
        self: &Arc<Self>,
        call: &Call<'_>,
        site: &'static str,
        clock: &Clock,
    ) -> Verdict {
        let Rule {
            matcher,
            trigger,
            faults,
            ..
        } = &*self.rule;
        if self.is_known_expired() {
            return Verdict::Expired;
        }
        if !matcher.matches(call) {
            return Verdict::Pass;
        }
        self.tally.count_matched();
        let mut dice = Dice::Thread;
        if trigger.counts_calls() {
            let ordinal = self.progress.next_ordinal();
            if !trigger.takes(ordinal) {
                return Verdict::Pass;
            }
            if let Some(stream) = self.stream {
                dice = Dice::seeded(stream, ordinal);
            }
        }
        if !trigger.hits(|| dice.draw()) {
            return Verdict::Pass;
        }
        // The clock is read only here, where the rule is about to fire.
        if self.has_expired(clock.now()) {
            self.expired.store(true, Ordering::Relaxed);
            return Verdict::Expired;
        }
        if trigger
            .limit
            .is_some_and(|limit| !self.progress.spend(limit.get()))
        {
            return Verdict::Pass;
        }
        if self.rule.mode == Mode::Shadow {
            self.tally.count_shadowed();
            return Verdict::Pass;
        }
        if !self
            .tally
            .enter(trigger.max_active.map(|max| max.get().into()))
        {
            self.refund();
            return Verdict::Pass;
        }
        let plan = |fault: &crate::fault::Fault| fault.plan(&self.rule.id, site, &mut dice);
        Verdict::Fire(Firing {
            plans: faults.iter().map(plan).collect::<Vec<_>>().into_iter(),
            rule: Arc::clone(self),
            begun: false,
        })
    }

    fn refund(&self) {
        if self.rule.trigger.limit.is_some() {
            self.progress.refund();
        }
    }
}

/// What a rule says of a call.
pub(crate) enum Verdict {
    Pass,
    Expired,
    Fire(Firing),
}

/// A rule that fired on a call, with the deeds that are left to do.
///
/// It is injected, and counted, when its first deed begins. If that never comes (the caller left,
/// or the rule was stopped while an earlier rule delayed the call), dropping it gives back what it
/// took of the rule's limit.
#[derive(Debug)]
pub(crate) struct Firing {
    pub(crate) rule: Arc<Armed>,
    pub(crate) plans: std::vec::IntoIter<Plan>,
    begun: bool,
}

impl Firing {
    /// Counts the injection, the first time only; says whether it was the first.
    pub(crate) fn begin(&mut self) -> bool {
        let first = !std::mem::replace(&mut self.begun, true);
        if first {
            self.rule.tally.count_injected();
        }
        first
    }

    pub(crate) fn ends_call(&self) -> bool {
        self.plans.as_slice().iter().any(Plan::ends_call)
    }

    /// All its delays together.
    pub(crate) fn delay(&self) -> Duration {
        let delay = |plan: &Plan| match plan {
            Plan::Wait(delay) => *delay,
            Plan::Answer(_) | Plan::Fail(_) => Duration::ZERO,
        };
        self.plans.as_slice().iter().map(delay).sum()
    }
}

impl Drop for Firing {
    fn drop(&mut self) {
        self.rule.tally.leave();
        if !self.begun {
            self.rule.refund();
        }
    }
}
