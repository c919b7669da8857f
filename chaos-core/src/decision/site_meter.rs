//! `SiteMeter`: what is counted of the calls of a site while someone watches it.

pub(crate) mod first_mismatches;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use fnv::{FnvHashMap, FnvHashSet};

use self::first_mismatches::{FirstMismatches, MismatchCounts};
use crate::{
    call::{
        Call,
        meter::{CallMeter, CallStats, nanos},
        seen::{Seen, SeenFacts},
        site_kind::SiteKind,
    },
    decision::measured_calls::each_injected,
    guard_rail::{injected_by::InjectedSoFar, outcomes::CallEnd},
    rule::Rule,
};

/// The groups of calls that are told apart.
const GROUPS: usize = 2;
const ALONE: usize = 0;
const INJECTED: usize = 1;

/// The time after which another call is looked at for its facts.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// The counts of the calls of one site. Calls add to them without a lock.
#[derive(Debug)]
pub(crate) struct SiteMeter {
    heads: CallMeter<GROUPS>,
    /// Whether the site is in code, where nothing measures how calls end.
    is_in_code: bool,
    seen: Seen,
    /// What rules that somebody asks about have against the calls that are looked at.
    mismatches: FirstMismatches,
    /// The nanoseconds from which on a call is looked at for its facts. It orders nothing: relaxed.
    next_look: AtomicU64,
    /// The numbers of the watchers of the site that have this meter. Edits write them.
    groups: Mutex<FnvHashSet<u64>>,
}

/// What a meter has counted: the calls that were left alone, and those into which a fault was injected.
pub(crate) type MeterReading = [CallStats; GROUPS];

impl SiteMeter {
    pub(crate) fn new(kind: SiteKind) -> Self {
        let is_in_code = kind.is_code();
        Self {
            // No call is late.
            heads: CallMeter::new((!is_in_code).then_some(Duration::MAX)),
            is_in_code,
            seen: Seen::new(),
            mismatches: FirstMismatches::default(),
            next_look: AtomicU64::new(0),
            groups: Mutex::default(),
        }
    }

    /// Returns whether the site is in code, where calls are counted when they pass.
    pub(crate) fn is_in_code(&self) -> bool {
        self.is_in_code
    }

    /// Counts a call that passes a site in code.
    pub(crate) fn pass(&self, is_hit: bool) {
        let group = if is_hit { INJECTED } else { ALONE };
        self.heads.add(group, Duration::ZERO, false);
    }

    /// Counts a call whose head is there, or whose caller has left. Who has left a call into which a fault was injected
    /// counts as one whom it failed. Other callers that leave do not count.
    #[inline]
    pub(super) fn end(&self, taken: Duration, injected: InjectedSoFar, end: CallEnd) {
        let is_injected = injected.is_by_anyone();
        let has_failed = match end {
            CallEnd::Answered { failed } => failed,
            CallEnd::Left if is_injected => true,
            CallEnd::Left => return,
        };
        let group = if is_injected { INJECTED } else { ALONE };
        self.heads.add(group, taken, has_failed);
    }

    /// Returns whether the next call is to be looked at for its facts.
    #[inline]
    pub(crate) fn is_to_look(&self, now: Duration) -> bool {
        nanos(now) >= self.next_look.load(Relaxed)
    }

    /// Looks at a call for its facts.
    #[cold]
    pub(crate) fn look_at(&self, call: &Call<'_>, now: Duration) {
        let next = nanos(now.saturating_add(LOOK_EVERY));
        self.next_look.store(next, Relaxed);
        self.seen.note(call);
        self.mismatches.note(call);
    }

    /// Compares the calls that are looked at with the conditions of a rule from now on, for who asks under this number.
    /// Returns whether it does: not at a site in code, whose calls are not looked at, and not for too many rules.
    pub(crate) fn compare(&self, number: u64, rule: &Arc<Rule>) -> bool {
        !self.is_in_code && self.mismatches.begin(number, rule)
    }

    /// Returns what the calls had against that rule, if they are compared with it.
    pub(crate) fn compared(&self, number: u64) -> Option<MismatchCounts> {
        self.mismatches.read(number)
    }

    /// Ends the comparison.
    pub(crate) fn end_compare(&self, number: u64) {
        self.mismatches.end(number);
    }

    /// Adds the facts of the calls to others.
    pub(crate) fn add_seen_to(&self, facts: &mut SeenFacts) {
        self.seen.add_to(facts);
    }

    /// Returns what was counted so far.
    pub(crate) fn read(&self) -> MeterReading {
        let mut reading = Self::nothing();
        self.heads.read(&mut reading);
        reading
    }

    /// Returns how many calls were counted so far.
    pub(crate) fn calls(&self) -> u64 {
        self.read().iter().map(|group| group.calls).sum()
    }

    /// Returns the reading of a meter that has counted nothing.
    pub(crate) fn nothing() -> MeterReading {
        [(); GROUPS].map(|()| CallStats::new(true))
    }

    /// Joins the watchers of the site that have this number.
    pub(super) fn join(&self, group: u64) {
        self.groups().insert(group);
    }

    /// Leaves watchers of the site.
    pub(super) fn leave(&self, group: u64) {
        self.groups().remove(&group);
    }

    fn groups(&self) -> MutexGuard<'_, FnvHashSet<u64>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns how many calls faults hold now, for each of the meters: those that wait for their heads, and into which a
/// fault was injected.
pub(crate) fn held<'m>(meters: impl Iterator<Item = &'m SiteMeter>) -> Vec<u64> {
    let mut by_group = FnvHashMap::default();
    let mut held = Vec::new();
    for meter in meters {
        by_group.extend(meter.groups().iter().map(|group| (*group, held.len())));
        held.push(0);
    }
    if !by_group.is_empty() {
        each_injected(|group| {
            if let Some(at) = by_group.get(&group) {
                held[*at] += 1;
            }
        });
    }
    held
}
