//! How many calls the rules of a run have hit at a port.

use std::collections::BTreeMap;

use crate::{client::answer::number, commands::run::target::PortLook};

/// How many calls the rules of a run have hit at a port. The counts of a rule begin anew in each phase.
#[derive(Clone, Debug, Default)]
pub(super) struct Hits {
    /// By phase and rule.
    rules: BTreeMap<(String, String), u64>,
    /// The present phase, once the first has begun.
    phase: Option<String>,
    /// How many calls the rules have matched in shadow mode, and would have hit.
    pub(super) matched: u64,
    pub(super) shadowed: u64,
}

impl Hits {
    pub(super) fn take_in(&mut self, look: &PortLook) {
        let Some(phase) = &self.phase else {
            self.matched = self.matched.max(look.sum("matched"));
            self.shadowed = self.shadowed.max(look.sum("shadowed"));
            return;
        };
        for (id, rule) in &look.rules {
            let hits = self.rules.entry((phase.clone(), id.clone())).or_default();
            // A rule that somebody has made anew tells less.
            *hits = (*hits).max(number(&rule["stats"], "injected"));
        }
    }

    /// Begins a phase.
    pub(super) fn begin(&mut self, phase: &str) {
        self.phase = Some(phase.to_owned());
    }

    pub(super) fn sum(&self) -> u64 {
        self.rules.values().sum()
    }

    /// Returns the hits of each rule that was seen, by phase and rule.
    pub(super) fn by_rule(&self) -> impl Iterator<Item = (&(String, String), u64)> {
        self.rules.iter().map(|(rule, hits)| (rule, *hits))
    }
}
