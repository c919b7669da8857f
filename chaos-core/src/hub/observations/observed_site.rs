//! `ObservedSite`: what is counted of the calls of a site for one observed rule.

use std::time::Duration;

use super::key_counts::{KeyCounts, KeyOutcomes};
use crate::{
    call::{
        fates::{Fate, KeyedFate},
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
    /// Present for a rule with a key.
    keys: Option<KeyCounts>,
}

/// What was counted of the calls of one site.
#[derive(Debug)]
pub(crate) struct OutcomeReading {
    pub(crate) unmatched: CallStats,
    pub(crate) spared: CallStats,
    pub(crate) hit: CallStats,
    pub(crate) keys: Option<Vec<KeyOutcomes>>,
}

impl ObservedSite {
    pub(crate) fn new(observation: u64, name: &str, is_in_code: bool, has_key: bool) -> Self {
        Self {
            observation,
            name: name.into(),
            is_in_code,
            // No call is late.
            calls: CallMeter::new((!is_in_code).then_some(Duration::MAX)),
            keys: has_key.then(KeyCounts::new),
        }
    }

    /// Counts a call whose head is there, or whose caller has left. A call whose caller has left counts as failed in every
    /// group.
    pub(crate) fn end(&self, fate: Option<KeyedFate>, taken: Duration, end: CallEnd) {
        let has_failed = match end {
            CallEnd::Answered { failed } => failed,
            CallEnd::Left => true,
        };
        self.add(fate, taken, has_failed);
    }

    /// Counts a call that passes a site in code.
    pub(crate) fn pass(&self, fate: KeyedFate) {
        self.add(Some(fate), Duration::ZERO, false);
    }

    fn add(&self, fate: Option<KeyedFate>, taken: Duration, has_failed: bool) {
        let group = match fate.map(KeyedFate::fate) {
            None => UNMATCHED,
            Some(Fate::Spared) => SPARED,
            Some(Fate::Hit) => HIT,
        };
        self.calls.add(group, taken, has_failed);
        if let (Some(fate), Some(keys)) = (fate, &self.keys) {
            keys.add(fate, has_failed);
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
            keys: self.keys.as_ref().map(KeyCounts::read),
        }
    }
}
