//! Waiting until a rule has a number of injections.

use std::time::Duration;

use crate::{armed::status::Counts, clock::Stopwatch, injector::Injector};

impl Injector {
    /// Waits until a rule has `injections`, and returns how many it has. Returns `None` if the rule is
    /// gone or expires first. Cancel-safe.
    #[cfg(feature = "tokio")]
    pub(crate) async fn when(
        &self,
        counts: impl Fn() -> Option<Counts>,
        injections: u64,
    ) -> Option<u64> {
        /// One wait lasts no longer; the loop waits again.
        const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
        let listening = self.0.hub.changed.listen();
        loop {
            let next = listening.next();
            let Counts {
                injected,
                expires_in,
                ..
            } = counts()?;
            if injected >= injections {
                return Some(injected);
            }
            let left = expires_in.unwrap_or(LONGEST).min(LONGEST);
            if left.is_zero() {
                return None;
            }
            next.wait(left, None).await;
        }
    }

    /// Waits until a rule has `injections` or `at_most` has passed, holding the thread, and returns
    /// how many it has. Returns `None` if the rule is gone or expires first.
    pub(crate) fn when_blocking(
        &self,
        counts: impl Fn() -> Option<Counts>,
        injections: u64,
        at_most: Duration,
    ) -> Option<u64> {
        let listening = self.0.hub.changed.listen();
        let stopwatch = Stopwatch::start();
        loop {
            let next = listening.next();
            let Counts {
                injected,
                expires_in,
                ..
            } = counts()?;
            let left = at_most.saturating_sub(stopwatch.elapsed());
            if injected >= injections || left.is_zero() {
                return Some(injected);
            }
            if expires_in.is_some_and(|left| left.is_zero()) {
                return None;
            }
            next.wait_blocking(left.min(expires_in.unwrap_or(left)), None);
        }
    }
}
