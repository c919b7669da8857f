//! Waiting for what another process does, and for time to pass.

use std::{thread, time::Duration};

use chaos_core::Clock;

/// Waits until something holds, for half a minute at most, and returns how long that took.
#[track_caller]
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) -> Duration {
    let clock = Clock::monotonic();
    while !holds() {
        assert!(clock.now() < Duration::from_secs(30), "never: {what}");
        thread::park_timeout(Duration::from_millis(10));
    }
    clock.now()
}

/// Lets time pass. A thread that is parked once may go on earlier.
pub(crate) fn pause(time: Duration) {
    let clock = Clock::monotonic();
    while clock.now() < time {
        thread::park_timeout(time.saturating_sub(clock.now()));
    }
}
