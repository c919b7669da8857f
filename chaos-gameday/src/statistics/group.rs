//! How a group of calls fared.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a group of calls fared: how many there were, how many failed, and how long they took.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Group {
    /// The number of calls.
    pub calls: u64,
    /// The number of those that failed; at most `calls`.
    pub failed: u64,
    /// How long they took: upper bounds in nanoseconds, ascending, each with the number of calls that took at most as long
    /// and longer than the bound before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latencies: Vec<(u64, u64)>,
}

impl Group {
    /// Creates a group of `calls`, `failed` of which failed, without latencies.
    #[must_use]
    pub fn of(calls: u64, failed: u64) -> Self {
        Self {
            calls,
            failed,
            latencies: Vec::new(),
        }
    }

    /// Returns the part of the calls that failed, 0 to 1; `None` without calls.
    #[must_use]
    pub fn error_ratio(&self) -> Option<f64> {
        // Counts are read while they grow, and one that has failed may be read before it is counted as a call.
        let failed = self.failed.min(self.calls);
        (self.calls > 0).then(|| failed as f64 / self.calls as f64)
    }

    /// Adds the calls of another group.
    pub fn add(&mut self, other: &Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.failed = self.failed.saturating_add(other.failed);
        self.latencies.extend(&other.latencies);
        self.latencies.sort_unstable();
        self.latencies.dedup_by(|next, kept| {
            let is_same = next.0 == kept.0;
            if is_same {
                kept.1 = kept.1.saturating_add(next.1);
            }
            is_same
        });
    }

    /// Returns the calls that have been added since `earlier`, which is an older state of the same counts. Counts that have
    /// begun anew, and are smaller, are returned as they are.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        if self.calls < earlier.calls || self.failed < earlier.failed {
            return self.clone();
        }
        let before = |bound: u64| {
            let found = earlier.latencies.binary_search_by_key(&bound, |it| it.0);
            found.map_or(0, |at| earlier.latencies[at].1)
        };
        let latencies = self.latencies.iter();
        let latencies =
            latencies.map(|&(bound, count)| (bound, count.saturating_sub(before(bound))));
        Self {
            calls: self.calls - earlier.calls,
            failed: self.failed - earlier.failed,
            latencies: latencies.filter(|(_, count)| *count > 0).collect(),
        }
    }

    /// Returns the number of calls whose latency is known.
    pub(super) fn timed(&self) -> u64 {
        self.latencies.iter().map(|(_, count)| count).sum()
    }

    /// Returns the upper bound of the latency with this rank, counted from 1.
    pub(super) fn ranked(&self, rank: u64) -> Option<u64> {
        let mut seen = 0;
        self.latencies.iter().find_map(|&(bound, count)| {
            seen += count;
            (rank >= 1 && seen >= rank).then_some(bound)
        })
    }
}
