//! What a rule has from the moment it is armed until it is armed anew: its deadline, how far its
//! trigger has come, who waits for a release.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use crate::{
    attempts::Attempts, gate::Turnstile, lots::Lots, replay::Log, rule::Rule, tally::Progress,
};

/// One arming of a rule. It goes on where a rule changes in nothing that matters.
#[derive(Debug)]
pub(crate) struct Arming {
    /// On the injector's clock, as the next.
    pub(crate) since: Duration,
    pub(crate) deadline: Option<Duration>,
    pub(crate) progress: Progress,
    pub(crate) lots: Lots,
    /// Of a rule that hits first attempts.
    pub(crate) attempts: Option<Attempts>,
    /// Of a rule whose decisions can be replayed.
    pub(crate) log: Option<Log>,
    /// Where its paused calls wait.
    pub(crate) pauses: Turnstile,
    /// Whether it is burning. Orders nothing: relaxed.
    burns: AtomicBool,
    /// Whether its expiry stands in the audit. Written under the injector's lock.
    noticed: AtomicBool,
}

impl Arming {
    pub(crate) fn new(rule: &Rule, now: Duration) -> Self {
        let lots = Lots::of(rule);
        let is_numbered = rule.trigger.counts_calls();
        Self {
            since: now,
            deadline: rule.lifetime.deadline(now),
            progress: Progress::default(),
            lots,
            attempts: rule
                .trigger
                .first_attempts
                .as_ref()
                .map(|_| Attempts::default()),
            log: (lots.are_repeatable() || is_numbered)
                .then(|| Log::new(rule.trigger.deciding_key().is_some())),
            pauses: Turnstile::default(),
            burns: AtomicBool::new(false),
            noticed: AtomicBool::new(false),
        }
    }

    pub(crate) fn has_expired(&self, now: Duration) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
    }

    /// Whether it has expired, and this is the first time that anyone says so.
    pub(crate) fn notice_expiry(&self, now: Duration) -> bool {
        self.has_expired(now) && !self.noticed.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.since)
    }

    /// Marks it as burning; `false` if it does already.
    pub(crate) fn begin_burn(&self) -> bool {
        !self.burns.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn end_burn(&self) {
        self.burns.store(false, Ordering::Relaxed);
    }
}
