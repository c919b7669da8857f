//! Being told of an expiry when it happens: rules need nobody to expire, but somebody to say so.

use std::time::Duration;

use chaos_core::{Clock, Injector};

/// When a follower of the audit looks for expired rules next.
#[derive(Debug)]
pub(crate) struct ExpiryWatch {
    injector: Injector,
    clock: Clock,
    due: Option<Duration>,
    /// The newest entry when it last looked: after another, deadlines may be others.
    seen: Option<u64>,
}

impl ExpiryWatch {
    /// Where a deadline lies ahead. The injector's clock may be one that a test moves.
    const AT_LEAST_EVERY: Duration = Duration::from_secs(1);
    /// Where none does: any new one comes with an entry.
    const IDLE: Duration = Duration::from_secs(60);
    /// However near a deadline is.
    const AT_MOST_EVERY: Duration = Duration::from_millis(5);

    pub(crate) fn new(injector: &Injector) -> Self {
        Self {
            injector: injector.clone(),
            clock: Clock::monotonic(),
            due: None,
            seen: None,
        }
    }

    /// Looks, if it is time to, and says for how long to wait at most.
    ///
    /// It does not look at every call: a look wakes whoever waits for entries, and two followers
    /// would wake each other without end.
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
