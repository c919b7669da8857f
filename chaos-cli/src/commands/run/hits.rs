//! How many calls the rules of a run have hit at a port.

use std::collections::BTreeMap;

use crate::{client::answer::number, commands::run::target::PortLook};

/// How many calls the rules of a run have hit at a port. The counts of a rule begin anew in each phase.
#[derive(Clone, Debug, Default)]
pub(super) struct Hits {
    rules: BTreeMap<String, RuleHits>,
    /// Whether the phases have begun.
    is_injecting: bool,
    /// How many calls the rules have matched in shadow mode, and would have hit.
    pub(super) matched: u64,
    pub(super) shadowed: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct RuleHits {
    /// In the phases that are over.
    before: u64,
    /// In the present one, as far as it is known.
    now: u64,
}

impl Hits {
    pub(super) fn take_in(&mut self, look: &PortLook) {
        if !self.is_injecting {
            self.matched = self.matched.max(look.sum("matched"));
            self.shadowed = self.shadowed.max(look.sum("shadowed"));
            return;
        }
        for (id, rule) in &look.rules {
            let hits = self.rules.entry(id.clone()).or_default();
            // A rule that somebody has made anew tells less.
            hits.now = hits.now.max(number(&rule["stats"], "injected"));
        }
    }

    /// Begins a phase.
    pub(super) fn begin(&mut self) {
        self.is_injecting = true;
        for hits in self.rules.values_mut() {
            hits.before += std::mem::take(&mut hits.now);
        }
    }

    pub(super) fn sum(&self) -> u64 {
        self.by_rule().map(|(_, hits)| hits).sum()
    }

    /// Returns the hits of each rule that was seen.
    pub(super) fn by_rule(&self) -> impl Iterator<Item = (&str, u64)> {
        let rules = self.rules.iter();
        rules.map(|(id, hits)| (id.as_str(), hits.before + hits.now))
    }
}
