//! What a meter shows of a group of calls.

use std::time::Duration;

use super::buckets::{self, Buckets};

/// What a meter shows of each group.
pub(crate) type Reading<const GROUPS: usize> = [CallStats; GROUPS];

/// How many calls there were, how many of them failed or were late, and how long they took.
#[derive(Clone, Debug)]
pub(crate) struct CallStats {
    pub(crate) calls: u64,
    pub(crate) failed: u64,
    /// How many of the latencies were longer than the time after which calls are late.
    pub(crate) late: u64,
    /// The number of calls in each bucket of latencies; empty if no latencies are kept.
    latencies: Box<[u64]>,
}

impl CallStats {
    /// Creates the statistics of no calls.
    pub(crate) fn new(keeps_latencies: bool) -> Self {
        let buckets = if keeps_latencies { buckets::COUNT } else { 0 };
        Self {
            calls: 0,
            failed: 0,
            late: 0,
            latencies: vec![0; buckets].into(),
        }
    }

    pub(crate) fn clear(&mut self) {
        (self.calls, self.failed, self.late) = (0, 0, 0);
        self.latencies.fill(0);
    }

    /// Adds a call that has not failed.
    pub(crate) fn add(&mut self, latency: Duration, is_late: bool) {
        self.calls += 1;
        self.late += u64::from(is_late);
        if let Some(count) = self.latencies.get_mut(buckets::index_of(latency)) {
            *count += 1;
        }
    }

    /// Adds the calls of `other`.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.late += other.late;
        for (count, other) in self.latencies.iter_mut().zip(&other.latencies) {
            *count += other;
        }
    }

    pub(super) fn absorb_latencies(&mut self, buckets: &Buckets) {
        for (count, other) in self.latencies.iter_mut().zip(buckets.counts()) {
            *count += other;
        }
    }

    /// Leaves out the calls of `earlier`, which are among these.
    pub(crate) fn subtract(&mut self, earlier: &Self) {
        self.calls = self.calls.saturating_sub(earlier.calls);
        self.failed = self.failed.saturating_sub(earlier.failed);
        self.late = self.late.saturating_sub(earlier.late);
        for (count, earlier) in self.latencies.iter_mut().zip(&earlier.latencies) {
            *count = count.saturating_sub(*earlier);
        }
    }

    /// Returns whether the latency of any call is kept.
    pub(crate) fn has_latencies(&self) -> bool {
        self.latencies.iter().any(|count| *count > 0)
    }

    /// Returns the buckets of latencies that have calls: the nanoseconds at which each ends, and the number of its calls.
    pub(crate) fn histogram(&self) -> impl Iterator<Item = (u64, u64)> {
        let counts = self.latencies.iter().enumerate();
        let counts = counts.filter(|(_, count)| **count > 0);
        counts.map(|(index, count)| (buckets::start_nanos(index + 1), *count))
    }

    /// Returns a quantile of the latencies in seconds, at most 3.1 percent off, and 0 without any. It is above
    /// `late_after`, the meter's own, only if the latency is.
    pub(crate) fn quantile(&self, quantile: f64, late_after: Duration) -> f64 {
        let total: u64 = self.latencies.iter().sum();
        let rank = ((total as f64 * quantile).ceil() as u64).clamp(1, total.max(1));
        let mut below = 0;
        let reaches = |count: &u64| {
            below += count;
            below >= rank
        };
        let Some(index) = self.latencies.iter().position(reaches) else {
            return 0.0;
        };
        let late_after = late_after.as_secs_f64();
        let is_late = rank + self.late > total;
        let within = |edge: f64| match is_late {
            true => edge.max(late_after),
            false => edge.min(late_after),
        };
        let (start, end) = (buckets::start_of(index), buckets::start_of(index + 1));
        f64::midpoint(within(start), within(end))
    }
}
