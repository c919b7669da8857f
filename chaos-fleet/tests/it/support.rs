//! What the tests have in common.

pub(crate) mod fleet;
pub(crate) mod hand;
pub(crate) mod shop;
pub(crate) mod slow;

use std::time::Duration;

use chaos_core::Clock;
use tokio::time::sleep;

/// Waits until something holds, for at most ten seconds.
#[track_caller]
pub(crate) fn until(what: &str, holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    within(Duration::from_secs(10), what, holds)
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn within(
    most: Duration,
    what: &str,
    mut holds: impl FnMut() -> bool,
) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let clock = Clock::monotonic();
        let began = clock.now();
        while !holds() {
            let waited = clock.now() - began;
            assert!(
                waited < most,
                "{caller}: {what} does not hold after {waited:?}"
            );
            sleep(Duration::from_millis(10)).await;
        }
    }
}
