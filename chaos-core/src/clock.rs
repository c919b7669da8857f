//! Time as the rules see it: one monotonic clock per injector, which a test can replace and move.
//!
//! Everything that asks "what time is it" asks here; no other file reads a clock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
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
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// A clock at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the clock forward; it stops at about 584 years.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        // Pairs with the load in `now`; a test that hands the clock to other threads
        // sees its own advance there.
        let _ = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| {
                Some(now.saturating_add(by))
            });
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Acquire))
    }
}
