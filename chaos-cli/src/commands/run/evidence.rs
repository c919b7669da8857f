//! The evidence that calls which a rule hits fare worse than those that it spares, second by second.

use chaos_gameday::{EProcess, Group, design_effect};

use crate::commands::run::groups::SiteOutcome;

/// What came to the groups of a comparison, second by second, in one phase.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    seconds: Vec<(Group, Group)>,
    /// What was known at the last look.
    last: (Group, Group),
    /// The greatest number of calls, so far, that seem to fail together.
    together: f64,
}

impl Evidence {
    /// Takes in what the groups have counted since the beginning of the phase, and returns the value of the test.
    pub(super) fn value(&mut self, allowed: f64, outcome: &SiteOutcome) -> f64 {
        let (hit, spared) = (&outcome.hit, &outcome.spared);
        let (hit, spared) = (
            Group::of(hit.calls, hit.failed),
            Group::of(spared.calls, spared.failed),
        );
        self.seconds
            .push((hit.since(&self.last.0), spared.since(&self.last.1)));
        self.last = (hit, spared);
        if let Some(effect) = design_effect(&outcome.keys) {
            self.together = self.together.max(effect);
        }
        // What is known of keys by now counts for the seconds before, too.
        let mut process = EProcess::new(allowed).calls_together(self.together);
        for (hit, spared) in &self.seconds {
            process.add(hit, spared);
        }
        process.value()
    }
}
