//! The schedule of a throttle: when which bytes are due. It reads no clock; times are arguments.

use std::{num::NonZeroU64, time::Duration};

/// How far a transfer may be behind its schedule and still catch up: more than a timer or a busy machine
/// is late, and less than a burst that anyone would notice. A sender or receiver that pauses for longer
/// does not get the time back.
const CATCH_UP: Duration = Duration::from_millis(100);

/// How long one quantum takes: long enough for a timer of a millisecond, short enough to look even.
const QUANTUM_MILLIS: u64 = 15;

/// The largest quantum: what HTTP/2 peers accept in one frame unless they say otherwise.
const LARGEST_QUANTUM: u64 = 16 * 1024;

/// The smallest quantum at 1 KiB/s and more: HTTP/2 peers allow only so many frames that are smaller.
const SMALLEST_QUANTUM: u64 = 256;

/// Lets bytes pass at a rate: byte `k` is due `k / rate` after the first byte was there.
///
/// Bytes pass in quanta, each when its last byte is due. When a quantum is due depends on the schedule
/// alone, so that late timers do not add up.
#[derive(Debug)]
pub(crate) struct Pacer {
    bytes_per_second: NonZeroU64,
    /// When the last byte that passed was due; `None` before the first.
    scheduled: Option<Duration>,
}

impl Pacer {
    pub(crate) fn new(bytes_per_second: NonZeroU64) -> Self {
        Self {
            bytes_per_second,
            scheduled: None,
        }
    }

    /// How many bytes pass at a time: those of 15 ms, at least 256 and at most 16 KiB. Below 1 KiB/s,
    /// those of a quarter of a second, at least one.
    pub(crate) fn quantum(&self) -> usize {
        let rate = self.bytes_per_second.get();
        let least = (rate / 4).clamp(1, SMALLEST_QUANTUM);
        let quantum = (rate.saturating_mul(QUANTUM_MILLIS) / 1000).clamp(least, LARGEST_QUANTUM);
        quantum as usize
    }

    /// Returns when the next `bytes` are due, which are there at `now`.
    ///
    /// To be called once before each [`pass`](Self::pass).
    pub(crate) fn due(&mut self, bytes: usize, now: Duration) -> Duration {
        let start = match self.scheduled {
            None => now,
            Some(scheduled) => scheduled.max(now.saturating_sub(CATCH_UP)),
        };
        self.scheduled = Some(start);
        start + self.time_of(bytes)
    }

    /// Moves the schedule on by `bytes` that have passed.
    pub(crate) fn pass(&mut self, bytes: usize) {
        let time = self.time_of(bytes);
        self.scheduled = self.scheduled.map(|scheduled| scheduled + time);
    }

    fn time_of(&self, bytes: usize) -> Duration {
        let nanos = (bytes as u64).saturating_mul(1_000_000_000) / self.bytes_per_second;
        Duration::from_nanos(nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn pacer(rate: u64) -> Pacer {
        Pacer::new(NonZeroU64::new(rate).unwrap())
    }

    #[test]
    fn quanta_suit_their_rates() {
        let rates = [1, 100, 1 << 10, 20_000, 200_000, 1_000_000, u64::MAX];
        let quanta = rates.map(|rate| pacer(rate).quantum());
        assert_eq!(quanta, [1, 25, 256, 300, 3000, 15_000, 16_384]);
    }

    #[test]
    fn a_quantum_is_due_when_its_last_byte_is() {
        let mut pacer = pacer(1_000);
        assert_eq!(pacer.due(100, millis(7)), millis(107));
        pacer.pass(100);
        assert_eq!(pacer.due(50, millis(107)), millis(157));
    }

    #[test]
    fn bytes_that_did_not_pass_are_not_charged() {
        let mut pacer = pacer(1_000);
        assert_eq!(pacer.due(100, millis(0)), millis(100));
        pacer.pass(10);
        assert_eq!(pacer.due(90, millis(100)), millis(100));
    }

    #[test]
    fn a_late_timer_costs_no_bandwidth() {
        let mut pacer = pacer(1_000);
        pacer.due(10, millis(0));
        pacer.pass(10);
        assert_eq!(pacer.due(10, millis(30)), millis(20), "it is due already");
    }

    #[test]
    fn a_pause_is_credited_with_100_ms_at_most() {
        let mut pacer = pacer(1_000);
        pacer.due(10, millis(0));
        pacer.pass(10);
        assert_eq!(pacer.due(10, millis(5_000)), millis(4_910));
    }
}
