//! The evidence that calls which a rule hits fare worse than those that it spares, second by second.

use chaos_gameday::{EProcess, Group, design_effect};

use crate::commands::run::groups::SiteOutcome;

/// The evidence in one phase.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    process: Option<EProcess>,
    /// What was known at the last look.
    last: (Group, Group),
}

impl Evidence {
    /// Takes in what the groups have counted since the beginning of the phase, and returns the value of the test.
    pub(super) fn value(&mut self, allowed: f64, outcome: &SiteOutcome) -> f64 {
        let (hit, spared) = (&outcome.hit, &outcome.spared);
        let (hit, spared) = (
            Group::of(hit.calls, hit.failed),
            Group::of(spared.calls, spared.failed),
        );
        let process = (self.process).get_or_insert_with(|| EProcess::new(allowed));
        process.add(&hit.since(&self.last.0), &spared.since(&self.last.1));
        self.last = (hit, spared);
        if let Some(effect) = design_effect(&outcome.keys) {
            process.set_calls_together(effect);
        }
        process.value()
    }
}
