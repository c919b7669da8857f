//! Counts and latencies of a group of calls.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The statistics of all calls, and of those that were not injected.
#[derive(Debug, Default)]
pub(super) struct Stats {
    pub(super) all: CallStats,
    pub(super) clean: CallStats,
}

impl Stats {
    /// Adds a call.
    pub(super) fn add(&mut self, latency: Duration, failed: bool, injected: bool) {
        self.all.add(latency, failed);
        if !injected {
            self.clean.add(latency, failed);
        }
    }
}

/// How many calls there were, how many of them failed, and how long they took.
#[derive(Debug)]
pub(super) struct CallStats {
    pub(super) calls: u64,
    pub(super) failed: u64,
    /// Microseconds, to two significant digits.
    latencies: Histogram<u32>,
}

impl Default for CallStats {
    fn default() -> Self {
        Self {
            calls: 0,
            failed: 0,
            latencies: Histogram::new(2).expect("2 digits are within its bounds"),
        }
    }
}

impl CallStats {
    /// Adds a call.
    #[inline]
    pub(super) fn add(&mut self, latency: Duration, failed: bool) {
        self.calls += 1;
        self.failed += u64::from(failed);
        let recorded = self.latencies.record(micros(latency));
        debug_assert!(recorded.is_ok(), "the histogram grows to a day");
    }

    /// Adds the calls of `other`.
    #[inline]
    pub(super) fn absorb(&mut self, other: &Self) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.latencies += &other.latencies;
    }

    /// Returns a quantile of the latencies, in seconds.
    #[inline]
    pub(super) fn quantile(&self, quantile: f64) -> f64 {
        self.latencies.value_at_quantile(quantile) as f64 / 1e6
    }
}

/// Returns the microseconds of `time`, at most those of a day: enough to break any bound.
fn micros(time: Duration) -> u64 {
    const DAY: u64 = 24 * 60 * 60 * 1_000_000;
    u64::try_from(time.as_micros()).map_or(DAY, |micros| micros.min(DAY))
}
