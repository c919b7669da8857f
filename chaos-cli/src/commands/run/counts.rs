//! What is counted in a run: calls by what became of them, and how many were hit.

use std::collections::BTreeMap;

use chaos_gameday::{
    Comparison, Experiment, error_ratio_difference, error_ratio_difference_by_keys,
};
use serde_json::Value;

use crate::commands::run::{
    evidence::Evidence,
    groups::{Outcomes, SiteOutcome},
    hits::Hits,
    target::Looks,
};

/// What is counted in a run.
#[derive(Default)]
pub(super) struct Counts {
    /// What became of calls in the present part.
    pub(super) outcomes: Outcomes,
    /// How many looks have been taken in.
    pub(super) looks: u64,
    /// The last counts of each port in the present part, by rule.
    known: Vec<BTreeMap<String, Value>>,
    pub(super) evidence: Evidence,
    /// How many calls were hit, at each port.
    pub(super) hits: Vec<Hits>,
    /// What became of calls in the parts that are over, in their order: the part, the rule and the site.
    over: Vec<(String, String, String, SiteOutcome)>,
}

impl Counts {
    /// Begins a part: what was counted before is none of its own.
    pub(super) fn begin_part(&mut self) {
        self.outcomes = Outcomes::default();
        self.known.clear();
        self.evidence = Evidence::default();
    }

    /// Begins a phase, before its rules are armed.
    pub(super) fn begin_phase(&mut self, name: &str, ports: usize) {
        self.hits.resize(ports, Hits::default());
        self.hits.iter_mut().for_each(|hits| hits.begin(name));
    }

    /// Takes in what the ports say. What cannot be asked keeps the counts that are known.
    pub(super) fn take_in(&mut self, looks: &Looks) {
        self.looks += 1;
        self.outcomes = Outcomes::of_looks(looks, &mut self.known);
        self.hits.resize(looks.len(), Hits::default());
        for (look, hits) in looks.iter().zip(&mut self.hits) {
            if let Ok(look) = look {
                hits.take_in(look);
            }
        }
    }

    /// Ends a part: what was counted in it goes into the comparisons. Parts are kept apart: where their rates differ, all
    /// calls together would make a difference of what is only the time.
    pub(super) fn end_part(&mut self, part: &str) {
        for (rule, site, outcome) in self.outcomes.iter() {
            let (part, rule, site) = (part.to_owned(), rule.to_owned(), site.to_owned());
            self.over.push((part, rule, site, outcome.clone()));
        }
        self.begin_part();
    }

    /// Returns how many calls were hit.
    pub(super) fn all_hits(&self) -> u64 {
        self.hits.iter().map(Hits::sum).sum()
    }

    /// Returns how many calls each rule has hit, by phase and rule.
    pub(super) fn hits_by_rule(&self) -> BTreeMap<(String, String), u64> {
        let mut all = BTreeMap::new();
        for (rule, hits) in self.hits.iter().flat_map(Hits::by_rule) {
            *all.entry(rule.clone()).or_default() += hits;
        }
        all
    }

    /// Returns the calls that rules have hit against those spared, in the parts that are over.
    pub(super) fn comparisons(&self, experiment: &Experiment) -> Vec<Comparison> {
        let all = self.over.iter();
        let all = all.map(|(phase, rule, site, outcome)| Comparison {
            phase: phase.clone(),
            site: site.clone(),
            rule: rule.clone(),
            hit: outcome.hit.clone(),
            spared: outcome.spared.clone(),
            error_ratio: if experiment.not_comparable(phase, rule).is_some() {
                None
            } else if outcome.keys.is_empty() {
                error_ratio_difference(&outcome.hit, &outcome.spared)
            } else {
                error_ratio_difference_by_keys(&outcome.keys)
            },
        });
        all.collect()
    }
}
