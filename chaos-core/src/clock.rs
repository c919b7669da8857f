//! The clock that rules go by: one for each injector, which a test can replace and move.
//!
//! All code that needs the time asks here; no other file reads a clock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

#[cfg(not(feature = "tokio"))]
use std::time::Instant;
#[cfg(feature = "tokio")]
use tokio::time::Instant;

/// The clock of an injector: a monotonic time, and the time of day.
///
/// Monotonic times are durations since the clock was created. With the feature `tokio`, the real
/// clock reads tokio's, so a test under a paused runtime moves it with `tokio::time::advance`. A
/// test without a runtime uses a [`ManualClock`].
///
/// [`Injector::new`](crate::Injector::new) makes a monotonic clock, and
/// [`Injector::with_clock`](crate::Injector::with_clock) takes any.
#[derive(Clone, Debug)]
pub struct Clock(ClockKind);

#[derive(Clone, Debug)]
enum ClockKind {
    Monotonic(Instant),
    Manual(ManualClock),
}

impl Clock {
    /// Creates a clock that reads the machine's monotonic clock and starts at zero.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads a clock"
    )]
    pub fn monotonic() -> Self {
        Self(ClockKind::Monotonic(Instant::now()))
    }

    /// Returns the time since this clock was created.
    ///
    /// The time does not go back, with one exception: while a tokio runtime is paused, its threads
    /// see another time than threads outside of it.
    #[must_use]
    pub fn now(&self) -> Duration {
        match &self.0 {
            ClockKind::Monotonic(start) => start.elapsed(),
            ClockKind::Manual(clock) => clock.now(),
        }
    }

    /// Returns the time of day, which can jump either way.
    ///
    /// The real clock asks the operating system, so pausing tokio's time does not stop it. That of
    /// a [`ManualClock`] has moved as far as the clock was advanced.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "a window of the week needs the time of day; nothing else asks for it"
    )]
    pub fn wall(&self) -> SystemTime {
        match &self.0 {
            ClockKind::Monotonic(_) => SystemTime::now(),
            ClockKind::Manual(clock) => clock.wall(),
        }
    }
}

/// Measures real time, whatever time a paused runtime or a test clock shows. Blocking waits use it.
pub(crate) struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Starts measuring.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads a clock"
    )]
    pub(crate) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// Returns the real time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

impl From<ManualClock> for Clock {
    fn from(clock: ManualClock) -> Self {
        Self(ClockKind::Manual(clock))
    }
}

/// A clock that stands still until a test advances it. Clones share one time.
///
/// It decides when rules expire, which phase of a program applies and whether a window is open. It
/// does not shorten waits that have begun: those run on the runtime's timer, which
/// `tokio::time::pause` controls.
///
/// ```
/// use std::time::Duration;
/// use chaos_core::{Injector, testing::ManualClock};
///
/// let clock = ManualClock::new();
/// let injector = Injector::with_clock(clock.clone());
/// clock.advance(Duration::from_secs(601)); // ten minutes and a second pass at once
/// # drop(injector);
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock {
    /// Nanoseconds since the clock was created.
    now: Arc<AtomicU64>,
    /// The time of day at zero.
    start: SystemTime,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::starting_at(SystemTime::UNIX_EPOCH)
    }
}

impl ManualClock {
    /// Creates a clock at zero, whose time of day is the start of 1970 in UTC.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a clock at zero, whose time of day is `start`.
    #[must_use]
    pub fn starting_at(start: SystemTime) -> Self {
        let now = Arc::default();
        Self { now, start }
    }

    /// Moves the clock and its time of day forward by `by`. The clock stops at about 584 years.
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
        // The time of day is `start` again beyond the range of `SystemTime`.
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
