//! The processor time of a thread, which other programs of the machine change less than they change the time of day.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Calls `work`, and returns the processor time that this thread spent in it, with its result.
pub(crate) fn spent<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = now();
    let result = work();
    (now() - start, result)
}

/// Returns the least processor time of several calls of `work`, and the median.
pub(crate) fn best_and_median(
    rounds: usize,
    mut work: impl FnMut(usize) -> Duration,
) -> (Duration, Duration) {
    let mut times: Vec<_> = (1..=rounds).map(&mut work).collect();
    times.sort();
    (times[0], times[times.len() / 2])
}

fn now() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}
