//! An armed guard rail: what it has measured, and whether it has tripped. Also how it learns that a
//! call was injected at another site while it was served.

use std::{
    cell::RefCell,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    guard_rail::{
        GuardRail, Then,
        breach::Breach,
        injected_by::InjectedBy,
        outcomes::{CallEnd, CallStart, Outcomes},
    },
    matcher::glob::SiteGlob,
    name::RuleId,
};

/// One guard rail, from the moment its rule is armed or its policy is set.
#[derive(Debug)]
pub(crate) struct Monitor {
    rail: GuardRail,
    site: SiteGlob,
    /// The rule that it belongs to; `None` for the policy.
    rule: Option<RuleId>,
    /// Counters and latencies of the window, and whether their breach was reported.
    outcomes: Mutex<Outcomes>,
}

impl Monitor {
    /// Creates the monitor of a rule's guard rail. The rule aims at the sites `aims_at`.
    pub(crate) fn of_rule(rail: &GuardRail, rule: &RuleId, aims_at: &SiteGlob) -> Self {
        let site = rail.site.as_ref().unwrap_or(aims_at);
        Self::new(rail, site, Some(rule.clone()))
    }

    /// Creates the monitor of a policy's guard rail, which measures at every site unless it names
    /// some.
    pub(crate) fn of_policy(rail: &GuardRail) -> Self {
        let any = "**".parse().expect("a pattern");
        Self::new(rail, rail.site.as_ref().unwrap_or(&any), None)
    }

    fn new(rail: &GuardRail, site: &SiteGlob, rule: Option<RuleId>) -> Self {
        Self {
            rail: rail.clone(),
            site: site.clone(),
            // An overlay's injections are nobody else's business, but for the policy.
            outcomes: Mutex::new(Outcomes::new(rule.is_none())),
            rule,
        }
    }

    /// Returns whether it measures at the site named `site`.
    pub(crate) fn aims_at(&self, site: &str) -> bool {
        self.site.matches(site)
    }

    /// Returns the rule that it stops when it trips, or `None` if it stops all injection.
    pub(crate) fn stops(&self) -> Option<&RuleId> {
        self.rule
            .as_ref()
            .filter(|_| self.rail.then == Then::Disarm)
    }

    /// Returns the time after which a call without a response breaks the latency bound, or counts as
    /// failed. Only tokio has a timer that can wait for it.
    #[cfg(feature = "tokio")]
    pub(crate) fn late(&self) -> Option<Duration> {
        let latency = self.rail.latency.map(|(_, longest)| longest);
        let errors = self.rail.error_ratio.map(|_| self.rail.answered_within());
        let bounds = [latency, errors, self.late_to_end()];
        bounds.into_iter().flatten().min()
    }

    /// Returns the time after which a call whose body has not ended breaks the bound of the latency to the end.
    #[cfg(feature = "tokio")]
    pub(crate) fn late_to_end(&self) -> Option<Duration> {
        self.rail.latency_to_end.map(|(_, longest)| longest)
    }

    /// Records that a call begins. `injected` is set while it is under way.
    pub(crate) fn begin(&self, now: Duration, injected: &Arc<InjectedBy>) -> CallStart {
        self.outcomes().begin(now, injected)
    }

    /// Records that a call ended.
    pub(crate) fn end(&self, start: CallStart, now: Duration, end: CallEnd) {
        self.outcomes().end(start, &self.rail, now, end);
    }

    /// Returns whether it measures when bodies end.
    pub(crate) fn measures_bodies(&self) -> bool {
        self.rail.latency_to_end.is_some()
    }

    /// Records that the head of a call is there, and that a body follows.
    pub(crate) fn begin_body(&self, start: CallStart) {
        if self.measures_bodies() {
            self.outcomes().begin_body(start, &self.rail);
        }
    }

    /// Records that the body of a call ended.
    pub(crate) fn end_body(&self, start: CallStart, now: Duration, end: CallEnd) {
        if self.measures_bodies() {
            self.outcomes().end_body(start, &self.rail, now, end);
        }
    }

    /// Records that a call failed whose head, which was there at `answered`, was no failure.
    pub(crate) fn fail(
        &self,
        start: CallStart,
        answered: Duration,
        now: Duration,
        injected: &InjectedBy,
    ) {
        self.outcomes()
            .fail(start, &self.rail, answered, now, injected);
    }

    /// Returns the breach of a bound, the first time that one is broken since it began to measure
    /// or to measure anew.
    pub(crate) fn judge(&self, now: Duration) -> Option<Breach> {
        let breach = self.outcomes().trip(&self.rail, now)?;
        Some(Breach {
            rule: self.rule.clone(),
            site: self.site.to_string(),
            ..breach
        })
    }

    /// Measures anew: forgets all calls, those under way included, and trips again.
    pub(crate) fn reset(&self) {
        self.outcomes().reset();
    }

    /// Measures anew if it has tripped.
    pub(crate) fn reset_tripped(&self) {
        let mut outcomes = self.outcomes();
        if outcomes.has_tripped() {
            outcomes.reset();
        }
    }

    fn outcomes(&self) -> MutexGuard<'_, Outcomes> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

thread_local! {
    /// For each watched call that this thread is serving right now, who has injected into it.
    static SERVED: RefCell<Vec<Arc<InjectedBy>>> = const { RefCell::new(Vec::new()) };
}

/// Marks every watched call that this thread is serving as injected.
pub(crate) fn note_injection() {
    each_served(InjectedBy::note_injection);
}

/// Marks every watched call that this thread is serving as one on which a rule of an overlay fired.
pub(crate) fn note_overlay() {
    each_served(InjectedBy::note_overlay);
}

fn each_served(note: fn(&InjectedBy)) {
    // A thread whose storage is destroyed serves no call any more.
    let _ = SERVED.try_with(|served| served.borrow().iter().for_each(|call| note(call)));
}

/// Registers a watched call as being served on this thread, until it is dropped.
pub(crate) struct Serving(());

impl Serving {
    /// Registers a call. `injected` is set if a fault is injected into it meanwhile.
    pub(crate) fn new(injected: &Arc<InjectedBy>) -> Self {
        SERVED.with_borrow_mut(|served| served.push(Arc::clone(injected)));
        Self(())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = SERVED.try_with(|served| served.borrow_mut().pop());
    }
}
