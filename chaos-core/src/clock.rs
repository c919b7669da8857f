//! Time as the rules see it: one monotonic clock per injector, which a test can replace and move.
//!
//! Everything that asks "what time is it" asks here; no other file reads a clock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

#[cfg(not(feature = "tokio"))]
use std::time::Instant as Moment;
#[cfg(feature = "tokio")]
use tokio::time::Instant as Moment;

/// A monotonic clock. Times are durations since the clock was made.
///
/// The real clock follows tokio's, so a test under a paused runtime moves it with
/// `tokio::time::advance`. Without a runtime, use [`ManualClock`].
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    Monotonic(Moment),
    Manual(ManualClock),
}

impl Clock {
    /// The machine's monotonic clock.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads a clock"
    )]
    pub fn monotonic() -> Self {
        Self(Source::Monotonic(Moment::now()))
    }

    /// Time since this clock was made. It does not go back, except between a paused tokio runtime and
    /// threads outside of it.
    #[must_use]
    pub fn now(&self) -> Duration {
        match &self.0 {
            Source::Monotonic(start) => start.elapsed(),
            Source::Manual(clock) => clock.now(),
        }
    }

    /// The time on the wall, which can jump either way. The real clock asks the system, so tokio's
    /// pause does not hold it; a [`ManualClock`] has moved as far as it was moved.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "hours of the week are no durations; nothing else asks for them"
    )]
    pub fn wall(&self) -> SystemTime {
        match &self.0 {
            Source::Monotonic(_) => SystemTime::now(),
            Source::Manual(clock) => clock.wall(),
        }
    }
}

/// Real time, whatever a runtime or a test says what time it is: for threads that wait.
pub(crate) struct Stopwatch(std::time::Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads a clock"
    )]
    pub(crate) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

impl From<ManualClock> for Clock {
    fn from(clock: ManualClock) -> Self {
        Self(Source::Manual(clock))
    }
}

/// A clock that stands still until a test moves it. Clones move together.
///
/// It decides when rules expire. It does not shorten waits that have begun: those run on the
/// runtime's timer, which `tokio::time::pause` controls.
///
/// ```
/// use std::time::Duration;
/// use chaos_core::{Injector, ManualClock};
///
/// let clock = ManualClock::new();
/// let injector = Injector::with_clock(clock.clone());
/// clock.advance(Duration::from_secs(601)); // ten minutes and a second pass at once
/// # drop(injector);
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock {
    /// In nanoseconds.
    now: Arc<AtomicU64>,
    /// What the wall showed at zero.
    start: SystemTime,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::starting_at(SystemTime::UNIX_EPOCH)
    }
}

impl ManualClock {
    /// A clock at zero, and at the start of 1970 on the wall.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A clock at zero, and at this moment on the wall.
    #[must_use]
    pub fn starting_at(start: SystemTime) -> Self {
        let now = Arc::default();
        Self { now, start }
    }

    /// Moves the clock forward; it stops at about 584 years.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        // Pairs with the load in `now`; a test that hands the clock to other threads
        // sees its own advance there.
        let _ = self
            .now
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| {
                Some(now.saturating_add(by))
            });
    }

    fn now(&self) -> Duration {
        // Pairs with the update in `advance`.
        Duration::from_nanos(self.now.load(Ordering::Acquire))
    }

    fn wall(&self) -> SystemTime {
        // Where the system's time ends, it stands still.
        self.start.checked_add(self.now()).unwrap_or(self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_of_a_manual_clock_moves_with_it() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let hand = ManualClock::starting_at(start);
        let clock = Clock::from(hand.clone());
        assert_eq!((clock.now(), clock.wall()), (Duration::ZERO, start));
        let hour = Duration::from_secs(3600);
        hand.clone().advance(hour);
        assert_eq!((clock.now(), clock.wall()), (hour, start + hour));
        let new = Clock::from(ManualClock::new());
        assert_eq!(new.wall(), SystemTime::UNIX_EPOCH);
    }

    #[test]
    fn a_wall_at_the_end_of_time_does_not_panic() {
        let mut last = SystemTime::UNIX_EPOCH;
        for bit in (0..63).rev() {
            let later = last.checked_add(Duration::from_secs(1 << bit));
            last = later.unwrap_or(last);
        }
        let hand = ManualClock::starting_at(last);
        hand.advance(Duration::MAX);
        assert_eq!(Clock::from(hand).wall(), last);
    }

    #[test]
    fn the_real_wall_is_this_century() {
        let year_2000 = SystemTime::UNIX_EPOCH + Duration::from_secs(946_684_800);
        assert!(Clock::monotonic().wall() > year_2000);
    }
}
