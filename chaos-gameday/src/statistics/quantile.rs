//! Quantiles of latencies, with their intervals by order statistics.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, DiscreteCDF};

use super::group::Group;

/// A quantile of the latencies of a group, with its 95 % interval by order statistics: it assumes nothing of how latencies are
/// distributed, but that calls are independent.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Quantile {
    /// The quantile, such as 0.99.
    pub quantile: f64,
    /// The least that the latency can be, in nanoseconds: where its bucket begins.
    pub at_least: u64,
    /// The most that the latency can be, in nanoseconds: where its bucket ends.
    pub at_most: u64,
    /// The lower end of the interval, in nanoseconds, where a bucket begins; `None` if there are too few calls to know one.
    pub lower: Option<u64>,
    /// The upper end of the interval, in nanoseconds, where a bucket ends; `None` if there are too few calls to know one.
    pub upper: Option<u64>,
}

impl Group {
    /// Returns a quantile of the latencies, more than 0 and less than 1; `None` without latencies, or out of this range.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<Quantile> {
        let timed = self.timed();
        if timed == 0 || !(quantile > 0.0 && quantile < 1.0) {
            return None;
        }
        // The number of calls below the quantile is binomial, so its own quantiles are the ranks of the interval.
        let below = Binomial::new(quantile, timed).ok()?;
        let (low, high) = (
            calls_below(&below, timed, 0.025),
            calls_below(&below, timed, 0.975) + 1,
        );
        // 0.99 of 100 is more than 99, by the last bit.
        let rank = (quantile * timed as f64 - 1e-9).ceil() as u64;
        let at_most = self.ranked(rank.clamp(1, timed))?;
        Some(Quantile {
            quantile,
            at_least: bucket_start(at_most),
            at_most,
            lower: self.ranked(low).map(bucket_start),
            upper: self.ranked(high),
        })
    }
}

/// Returns where the bucket begins that ends at `end`, in nanoseconds. Buckets are those of chaos-core: sixteen in each power of
/// two, and none narrower than 64 nanoseconds. A bucket of other histograms is taken for at least as wide.
fn bucket_start(end: u64) -> u64 {
    let units = end.saturating_sub(1) >> 6;
    let in_power = units.checked_ilog2().unwrap_or(0).saturating_sub(4);
    (units >> in_power << in_power) << 6
}

/// Returns the `share`-quantile of the number of calls below the quantile. The search of statrs 0.18 itself panics for few calls.
fn calls_below(below: &Binomial, calls: u64, share: f64) -> u64 {
    let (mut low, mut high) = (0, calls);
    while low < high {
        let middle = low.midpoint(high);
        if below.cdf(middle) < share {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
