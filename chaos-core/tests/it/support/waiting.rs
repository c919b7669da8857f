//! Waiting for what other threads and tasks do.

use std::{thread, time::Duration};

use chaos_core::{Clock, Injector};
use tokio::time::sleep;

/// Longer than anything that is waited for.
const LONG: Duration = Duration::from_secs(30);

/// Waits until something holds, for half a minute at most.
#[track_caller]
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    let clock = Clock::monotonic();
    while !holds() {
        assert!(clock.now() < LONG, "never: {what}");
        thread::yield_now();
    }
}

/// Waits until something holds, for half a minute at most, and lets other tasks of the thread run.
pub(crate) async fn until_async(what: &str, holds: impl Fn() -> bool) {
    let clock = Clock::monotonic();
    while !holds() {
        assert!(clock.now() < LONG, "never: {what}");
        sleep(Duration::from_millis(1)).await;
    }
}

/// Halts an injector when it is dropped, so that no thread waits for a delay after an assertion has failed.
pub(crate) struct HaltWhenDropped<'i>(pub(crate) &'i Injector);

impl Drop for HaltWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.halt("the test is over");
    }
}
