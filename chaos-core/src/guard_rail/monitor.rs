//! A guard rail in force: what it has seen, and whether it has tripped. And what tells it that a call was
//! injected at another site.

use std::{
    cell::RefCell,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    guard_rail::{
        GuardRail, Then,
        breach::Breach,
        outcomes::{Begun, Outcomes},
    },
    matcher::glob::SiteGlob,
    name::RuleId,
};

/// One guard rail, from the moment its rule is armed.
#[derive(Debug)]
pub(crate) struct Monitor {
    rail: GuardRail,
    site: SiteGlob,
    /// Of a rule; else of the policy.
    rule: Option<RuleId>,
    outcomes: Mutex<Outcomes>,
    /// Orders nothing: relaxed.
    tripped: AtomicBool,
}

impl Monitor {
    /// One of a rule that aims at these sites.
    pub(crate) fn of_rule(rail: &GuardRail, rule: &RuleId, aims_at: &SiteGlob) -> Self {
        let site = rail.site.as_ref().unwrap_or(aims_at);
        Self::new(rail, site, Some(rule.clone()))
    }

    /// One of the policy: of any site, unless it says which.
    pub(crate) fn of_policy(rail: &GuardRail) -> Self {
        let any = "**".parse().expect("a pattern");
        Self::new(rail, rail.site.as_ref().unwrap_or(&any), None)
    }

    fn new(rail: &GuardRail, site: &SiteGlob, rule: Option<RuleId>) -> Self {
        Self {
            rail: rail.clone(),
            site: site.clone(),
            rule,
            outcomes: Mutex::new(Outcomes::new()),
            tripped: AtomicBool::new(false),
        }
    }

    pub(crate) fn aims_at(&self, site: &str) -> bool {
        self.site.matches(site)
    }

    /// The rule to be stopped when it trips; `None`: everything is.
    pub(crate) fn stops(&self) -> Option<&RuleId> {
        self.rule
            .as_ref()
            .filter(|_| self.rail.then == Then::Disarm)
    }

    /// After what time a call that is not answered is too late: for a timer, which is tokio's.
    #[cfg(feature = "tokio")]
    pub(crate) fn late(&self) -> Option<Duration> {
        self.rail.latency.map(|(_, longest)| longest)
    }

    pub(crate) fn begin(&self, now: Duration) -> Begun {
        self.outcomes().begin(now)
    }

    pub(crate) fn end(&self, begun: Begun, now: Duration, failed: bool, injected: bool) {
        self.outcomes()
            .end(begun, &self.rail, now, failed, injected);
    }

    /// What is broken, the first time that it is.
    pub(crate) fn judge(&self, now: Duration) -> Option<Breach> {
        let breach = self.outcomes().judge(&self.rail, now)?;
        let is_first = !self.tripped.swap(true, Ordering::Relaxed);
        is_first.then(|| Breach {
            rule: self.rule.clone(),
            site: self.site.to_string(),
            ..breach
        })
    }

    fn outcomes(&self) -> MutexGuard<'_, Outcomes> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

thread_local! {
    /// Of the watched calls that this thread is serving right now: whether they were injected.
    static SERVED: RefCell<Vec<Arc<AtomicBool>>> = const { RefCell::new(Vec::new()) };
}

/// Something was injected: into every call that is being served here.
pub(crate) fn note_injection() {
    let note = |served: &RefCell<Vec<Arc<AtomicBool>>>| {
        for injected in &*served.borrow() {
            injected.store(true, Ordering::Relaxed);
        }
    };
    // A thread that ends serves nobody any more.
    let _ = SERVED.try_with(note);
}

/// A watched call is being served on this thread until this is dropped.
pub(crate) struct Serving(());

impl Serving {
    pub(crate) fn new(injected: &Arc<AtomicBool>) -> Self {
        SERVED.with_borrow_mut(|served| served.push(Arc::clone(injected)));
        Self(())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = SERVED.try_with(|served| served.borrow_mut().pop());
    }
}
