//! The timer that records the expiry of rules in the audit. A rule expires by itself when its
//! deadline has passed, but an audit entry about it is only written when someone checks.

use std::time::Duration;

use chaos_core::{Clock, Injector};

/// The timer of one follower of the audit.
#[derive(Debug)]
pub(crate) struct ExpiryWatch {
    injector: Injector,
    clock: Clock,
    /// The time of the next check on `clock`, if a rule has a deadline.
    due: Option<Duration>,
    /// The newest audit entry at the last check. Deadlines can only have changed if there is a
    /// newer one.
    seen: Option<u64>,
}

impl ExpiryWatch {
    /// The longest time between checks while a rule has a deadline. Tests can advance the
    /// injector's clock, so a deadline may come earlier than computed.
    const AT_LEAST_EVERY: Duration = Duration::from_secs(1);
    /// The longest wait while no rule has a deadline. A new deadline comes with an audit entry,
    /// which ends the wait.
    const IDLE: Duration = Duration::from_secs(60);
    /// The shortest time between checks.
    const AT_MOST_EVERY: Duration = Duration::from_millis(5);

    pub(crate) fn new(injector: &Injector) -> Self {
        Self {
            injector: injector.clone(),
            clock: Clock::monotonic(),
            due: None,
            seen: None,
        }
    }

    /// Checks for expired rules if it is time to, and returns how long to wait at most before the
    /// next call.
    ///
    /// Not every call checks: a check wakes all who wait for audit entries, so two followers that
    /// check on every wake-up would wake each other without end.
    pub(crate) fn check(&mut self) -> Duration {
        let (now, last) = (self.clock.now(), self.injector.audit().last());
        let is_due = self.due.is_some_and(|due| now >= due);
        if is_due || self.seen != Some(last) {
            let next = self.injector.sweep();
            let wait = next.map(|next| next.clamp(Self::AT_MOST_EVERY, Self::AT_LEAST_EVERY));
            self.due = wait.map(|wait| now + wait);
            self.seen = Some(last);
        }
        let wait = self.due.map(|due| due.saturating_sub(now));
        wait.unwrap_or(Self::IDLE)
    }
}
