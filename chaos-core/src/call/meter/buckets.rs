//! The buckets of a histogram of latencies: sixteen in each power of two, so that the middle of a bucket is at
//! most 3.1 percent off any latency in it.

use std::{
    array,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Buckets of one power of two, as a power of two.
const BITS: u32 = 4;
const IN_ONE: usize = 1 << BITS;
/// The nanoseconds of the smallest bucket, as a power of two: below about a microsecond, all buckets are as
/// wide as this.
const UNIT_BITS: u32 = 6;
/// The last power of two. The last bucket takes in all that is longer than a day, which breaks any bound.
const LAST_POWER: u32 = 40;

/// The number of buckets.
pub(super) const COUNT: usize = IN_ONE + IN_ONE * (LAST_POWER - BITS + 1) as usize;

/// The number of calls in each bucket. It never wraps: 32 bits would be full after a day of 50,000 calls a second.
#[derive(Debug)]
pub(super) struct Buckets([AtomicU64; COUNT]);

impl Default for Buckets {
    fn default() -> Self {
        Self(array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Buckets {
    #[inline]
    pub(super) fn add(&self, latency: Duration) {
        self.0[index_of(latency)].fetch_add(1, Relaxed);
    }

    pub(super) fn counts(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|count| count.load(Relaxed))
    }
}

/// Returns the nanoseconds of a time, at most those of 584 years.
#[inline]
pub(crate) fn nanos(time: Duration) -> u64 {
    let seconds = time.as_secs().saturating_mul(1_000_000_000);
    seconds.saturating_add(time.subsec_nanos().into())
}

/// Returns the index of the bucket of a latency.
#[inline]
pub(super) fn index_of(latency: Duration) -> usize {
    let units = nanos(latency) >> UNIT_BITS;
    let Some(power) = units.checked_ilog2().filter(|power| *power >= BITS) else {
        return units as usize;
    };
    let in_power = (units >> (power - BITS)) as usize - IN_ONE;
    let index = IN_ONE + IN_ONE * (power - BITS) as usize + in_power;
    index.min(COUNT - 1)
}

/// Returns the shortest latency of a bucket, in seconds; the number of buckets is that of one past the last.
pub(super) fn start_of(index: usize) -> f64 {
    start_nanos(index) as f64 / 1e9
}

/// Returns the shortest latency of a bucket, in nanoseconds; the number of buckets is that of one past the last.
pub(super) fn start_nanos(index: usize) -> u64 {
    let units = match index.checked_sub(IN_ONE) {
        None => index as u64,
        Some(above) => ((IN_ONE + above % IN_ONE) as u64) << (above / IN_ONE),
    };
    units << UNIT_BITS
}

#[cfg(test)]
impl Buckets {
    /// Adds many calls at once.
    pub(super) fn add_many(&self, latency: Duration, calls: u64) {
        self.0[index_of(latency)].fetch_add(calls, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_latency_is_in_its_bucket() {
        for nanos in (0..50).flat_map(|power| {
            let power = 1_u64 << power;
            [power - 1, power, power + power / 3, power + power / 2 + 7]
        }) {
            let index = index_of(Duration::from_nanos(nanos));
            let seconds = nanos as f64 / 1e9;
            assert!(start_of(index) <= seconds, "{nanos}");
            assert!(
                index == COUNT - 1 || seconds < start_of(index + 1),
                "{nanos}"
            );
        }
        let day = Duration::from_secs(24 * 60 * 60);
        assert!(index_of(day) < COUNT - 1);
        assert_eq!(index_of(Duration::MAX), COUNT - 1);
        assert_eq!(index_of(Duration::ZERO), 0);
    }
}
