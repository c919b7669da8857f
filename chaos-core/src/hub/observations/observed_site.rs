//! `ObservedSite`: what is counted of the calls of a site for one observed rule.

use std::time::Duration;

use crate::{
    call::{
        marks::{Fate, KEY_GROUPS, Mark},
        meter::{CallMeter, CallStats},
    },
    guard_rail::outcomes::CallEnd,
};

/// The groups of calls that are told apart.
const GROUPS: usize = 3;
const UNMATCHED: usize = 0;
const SPARED: usize = 1;
const HIT: usize = 2;

/// The counts of the calls of one site, for one observation. Calls add to them without a lock.
#[derive(Debug)]
pub(crate) struct ObservedSite {
    /// The number of the observation.
    pub(crate) observation: u64,
    /// The name of the site. Several sites of one name are counted together.
    pub(crate) name: Box<str>,
    /// Whether the site is in code, where nothing measures how calls end.
    pub(crate) is_in_code: bool,
    calls: CallMeter<GROUPS>,
    /// Present for a rule with a key: the spared calls of each group of keys, and then those that were hit.
    keys: Option<CallMeter<{ 2 * KEY_GROUPS }>>,
}

/// What was counted of the calls of one site.
#[derive(Debug)]
pub(crate) struct OutcomeReading {
    pub(crate) unmatched: CallStats,
    pub(crate) spared: CallStats,
    pub(crate) hit: CallStats,
    /// For each group of keys: calls and failures of those that were hit, and of those that were spared.
    pub(crate) keys: Option<Vec<[(u64, u64); 2]>>,
}

impl ObservedSite {
    pub(crate) fn new(observation: u64, name: &str, is_in_code: bool, has_key: bool) -> Self {
        Self {
            observation,
            name: name.into(),
            is_in_code,
            // No call is late.
            calls: CallMeter::new((!is_in_code).then_some(Duration::MAX)),
            keys: has_key.then(|| CallMeter::new(None)),
        }
    }

    /// Counts a call whose head is there, or whose caller has left. Who has left gets no answer, so the call has failed
    /// in each group alike: otherwise the groups could not be compared.
    pub(crate) fn end(&self, mark: Option<Mark>, taken: Duration, end: CallEnd) {
        let has_failed = match end {
            CallEnd::Answered { failed } => failed,
            CallEnd::Left => true,
        };
        self.add(mark, taken, has_failed);
    }

    /// Counts a call that passes a site in code.
    pub(crate) fn pass(&self, mark: Mark) {
        self.add(Some(mark), Duration::ZERO, false);
    }

    fn add(&self, mark: Option<Mark>, taken: Duration, has_failed: bool) {
        let group = match mark.map(Mark::fate) {
            None => UNMATCHED,
            Some(Fate::Spared) => SPARED,
            Some(Fate::Hit) => HIT,
        };
        self.calls.add(group, taken, has_failed);
        if let (Some(mark), Some(keys)) = (mark, &self.keys) {
            let first = match mark.fate() {
                Fate::Spared => 0,
                Fate::Hit => KEY_GROUPS,
            };
            keys.add(first + mark.key_group(), taken, has_failed);
        }
    }

    /// Returns what was counted so far.
    pub(crate) fn read(&self) -> OutcomeReading {
        let mut reading = [(); GROUPS].map(|()| CallStats::new(true));
        self.calls.read(&mut reading);
        let [unmatched, spared, hit] = reading;
        OutcomeReading {
            unmatched,
            spared,
            hit,
            keys: self.keys.as_ref().map(Self::read_keys),
        }
    }

    fn read_keys(keys: &CallMeter<{ 2 * KEY_GROUPS }>) -> Vec<[(u64, u64); 2]> {
        let mut reading = [(); 2 * KEY_GROUPS].map(|()| CallStats::new(false));
        keys.read(&mut reading);
        let counted = |stats: &CallStats| (stats.calls, stats.failed);
        let (spared, hit) = reading.split_at(KEY_GROUPS);
        let groups = hit.iter().zip(spared);
        groups
            .map(|(hit, spared)| [counted(hit), counted(spared)])
            .collect()
    }
}
