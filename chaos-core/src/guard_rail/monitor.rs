//! An armed guard rail: what it has measured, and whether it has tripped.
//!
//! A call adds to counts and takes no lock. What a judgement reads is behind one, which no call waits for, with
//! one exception: a call whose body fails corrects what its head was counted as.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, Release, SeqCst},
            fence,
        },
    },
    time::Duration,
};

use fnv::FnvHashSet;

use crate::{
    call::meter::nanos,
    guard_rail::{
        GuardRail, Then,
        breach::Breach,
        injected_by::InjectedSoFar,
        outcomes::{CHECK_INTERVAL, CLEAN, CallEnd, Case, INJECTED, Meters, Outcomes, next_slot},
        under_way::CallsUnderWay,
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
    meters: Meters,
    // What calls read of it, and few of them write. Only `asked` orders anything.
    /// How often the guard rails of the process had been reset at the last reset of this one.
    resets: AtomicU64,
    /// The nanoseconds at which the window's next slot begins.
    next_slot: AtomicU64,
    /// The nanoseconds from which on any call judges.
    next_judgement: AtomicU64,
    /// After how many more calls there are enough for the bounds; 0 if there are, or nothing has failed.
    missing: AtomicU64,
    /// Whether a breach was reported.
    has_tripped: AtomicBool,
    /// Whether a call wants to be judged. Who has held the lock looks when it is done, so that nobody waits.
    asked: AtomicBool,
    outcomes: Mutex<Outcomes>,
    /// The numbers of the groups of guard rails, one for each site, that this is among. Edits write them.
    groups: Mutex<FnvHashSet<u64>>,
}

/// How often guard rails have been reset, all of the process together.
static RESETS: AtomicU64 = AtomicU64::new(0);

/// The start of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallStart {
    pub(crate) begun: Duration,
    /// How often guard rails had been reset by then, all of the process together.
    pub(crate) resets: u64,
}

impl CallStart {
    /// Returns the start of a call that begins now.
    pub(crate) fn at(now: Duration) -> Self {
        Self {
            begun: now,
            resets: RESETS.load(Relaxed),
        }
    }

    /// Returns how long the call has taken so far.
    pub(crate) fn taken(&self, now: Duration) -> Duration {
        now.saturating_sub(self.begun)
    }
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
            rule,
            meters: Meters::new(rail),
            resets: AtomicU64::new(0),
            next_slot: AtomicU64::new(0),
            next_judgement: AtomicU64::new(0),
            missing: AtomicU64::new(0),
            has_tripped: AtomicBool::new(false),
            asked: AtomicBool::new(false),
            outcomes: Mutex::new(Outcomes::new(rail)),
            groups: Mutex::default(),
        }
    }

    /// Returns whether it measures at the site named `site`.
    pub(crate) fn aims_at(&self, site: &str) -> bool {
        self.site.matches(site)
    }

    /// Joins the guard rails of a site, which have this number.
    pub(crate) fn join(&self, group: u64) {
        self.groups().insert(group);
    }

    /// Leaves the guard rails of a site.
    pub(crate) fn leave(&self, group: u64) {
        self.groups().remove(&group);
    }

    /// Returns the numbers of the guard rails that it is among. None is added or removed meanwhile.
    pub(crate) fn groups(&self) -> MutexGuard<'_, FnvHashSet<u64>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Returns whether it matters how bodies end, and when.
    pub(crate) fn measures_bodies(&self) -> bool {
        self.rail.error_ratio.is_some() || self.rail.latency_to_end.is_some()
    }

    /// Counts the head of a call, or its end, if no body follows. Returns whether to judge now.
    pub(crate) fn end(
        &self,
        start: CallStart,
        injected: InjectedSoFar,
        now: Duration,
        end: CallEnd,
        has_body: bool,
    ) -> bool {
        if !self.counts(start, injected) {
            return false;
        }
        let taken = start.taken(now);
        let head = self.has_failed(end, taken, injected, self.rail.latency);
        let is_asked = self.advance(now);
        if let Some(has_failed) = head {
            self.meters.heads.add(group(injected), taken, has_failed);
        }
        if !has_body {
            self.add_end(taken, injected, end);
        }
        self.is_due(now, head == Some(true)) || is_asked
    }

    /// Counts the end of a call whose body has ended. Returns whether to judge now.
    pub(crate) fn end_body(
        &self,
        start: CallStart,
        injected: InjectedSoFar,
        now: Duration,
        end: CallEnd,
    ) -> bool {
        if !self.counts(start, injected) {
            return false;
        }
        let is_asked = self.advance(now);
        self.add_end(start.taken(now), injected, end);
        self.is_due(now, false) || is_asked
    }

    fn add_end(&self, taken: Duration, injected: InjectedSoFar, end: CallEnd) {
        let Some(meter) = &self.meters.ends else {
            return;
        };
        if let Some(has_failed) = self.has_failed(end, taken, injected, self.rail.latency_to_end) {
            meter.add(group(injected), taken, has_failed);
        }
    }

    /// Counts a call as failed whose head, which was there at `answered`, was no failure. Returns whether to
    /// judge now.
    pub(crate) fn fail(
        &self,
        start: CallStart,
        injected: InjectedSoFar,
        answered: Duration,
        now: Duration,
    ) -> bool {
        if self.rail.error_ratio.is_none() || !self.counts(start, injected) {
            return false;
        }
        let mut outcomes = self.outcomes();
        outcomes.advance(&self.rail, &self.meters, now);
        outcomes.fail(&self.rail, &self.meters, answered, group(injected));
        self.is_due(now, true)
    }

    /// Returns whether a call counts. What an overlay injects is nobody else's business, but for the policy.
    pub(crate) fn counts(&self, start: CallStart, injected: InjectedSoFar) -> bool {
        start.resets >= self.resets.load(Relaxed)
            && (self.rule.is_none() || !injected.is_by_overlay())
    }

    /// Returns whether a call has failed; `None` if it does not count, because the caller has left.
    fn has_failed(
        &self,
        end: CallEnd,
        taken: Duration,
        injected: InjectedSoFar,
        bound: Option<(f64, Duration)>,
    ) -> Option<bool> {
        match end {
            CallEnd::Answered { failed } => Some(failed),
            CallEnd::Left if injected.is_by_anyone() && taken > self.rail.answered_within() => {
                Some(true)
            }
            // Nobody knows what the answer would have been, but it was late already.
            CallEnd::Left => bound
                .is_some_and(|(_, longest)| taken > longest)
                .then_some(false),
        }
    }

    /// Begins the next slot of the window, if it is time, unless a judgement does so. Returns whether another call
    /// wanted to be judged meanwhile.
    #[inline(always)]
    fn advance(&self, now: Duration) -> bool {
        nanos(now) >= self.next_slot.load(Relaxed) && self.begin_slot(now)
    }

    #[cold]
    #[inline(never)]
    fn begin_slot(&self, now: Duration) -> bool {
        let Some(mut outcomes) = self.try_outcomes() else {
            return false;
        };
        outcomes.advance(&self.rail, &self.meters, now);
        self.next_slot.store(next_slot(&self.rail, now), Relaxed);
        drop(outcomes);
        self.is_asked()
    }

    /// Returns whether a call that was counted is to judge. A call that has failed is, and the first for which
    /// there are enough, and one from time to time.
    fn is_due(&self, now: Duration, has_failed: bool) -> bool {
        if self.has_tripped.load(Relaxed) {
            return false;
        }
        has_failed && self.rail.error_ratio.is_some()
            || nanos(now) >= self.next_judgement.load(Relaxed)
            || self.missing.load(Relaxed) > 0 && self.missing.fetch_sub(1, Relaxed) == 1
    }

    /// Returns the breach of a bound, the first time that one is broken since it began to measure
    /// or to measure anew. While another call judges, that one judges once more.
    pub(crate) fn judge(&self, now: Duration, under_way: &dyn CallsUnderWay) -> Option<Breach> {
        self.asked.store(true, Release);
        loop {
            // With the one in `is_asked`: either the other call sees that it is asked, or this one gets the lock.
            fence(SeqCst);
            let mut outcomes = self.try_outcomes()?;
            if !self.asked.swap(false, SeqCst) || self.has_tripped.load(Relaxed) {
                return None;
            }
            let breach = outcomes.judge(&Case {
                rail: &self.rail,
                meters: &self.meters,
                under_way,
                now,
            });
            let next = nanos(now.saturating_add(CHECK_INTERVAL));
            self.next_judgement.store(next, Relaxed);
            self.missing.store(outcomes.missing, Relaxed);
            if let Some(breach) = breach {
                self.has_tripped.store(true, Relaxed);
                return Some(Breach {
                    rule: self.rule.clone(),
                    site: self.site.to_string(),
                    ..breach
                });
            }
            drop(outcomes);
            if !self.is_asked() {
                return None;
            }
        }
    }

    /// Returns whether a call wants to be judged that did not get the lock. Whoever has released it judges then.
    fn is_asked(&self) -> bool {
        fence(SeqCst);
        self.asked.load(Relaxed)
    }

    /// Measures anew: forgets all calls, those under way included, and trips again.
    pub(crate) fn reset(&self) {
        let mut outcomes = self.outcomes();
        // No other reset has the same number, and calls that begin from now on have this or a later one.
        let resets = RESETS.fetch_add(1, Relaxed) + 1;
        self.resets.store(resets, Relaxed);
        outcomes.reset(&self.meters);
        self.next_judgement.store(0, Relaxed);
        self.missing.store(0, Relaxed);
        self.has_tripped.store(false, Relaxed);
    }

    /// Measures anew if it has tripped.
    pub(crate) fn reset_tripped(&self) {
        if self.has_tripped.load(Relaxed) {
            self.reset();
        }
    }

    /// Returns what a judgement reads. Nobody else judges meanwhile.
    pub(super) fn outcomes(&self) -> MutexGuard<'_, Outcomes> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_outcomes(&self) -> Option<MutexGuard<'_, Outcomes>> {
        match self.outcomes.try_lock() {
            Ok(outcomes) => Some(outcomes),
            Err(TryLockError::Poisoned(outcomes)) => Some(outcomes.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

fn group(injected: InjectedSoFar) -> usize {
    if injected.is_by_anyone() {
        INJECTED
    } else {
        CLEAN
    }
}
