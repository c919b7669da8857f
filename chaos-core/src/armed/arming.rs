//! What a rule has from the moment it is armed until it is armed anew: its deadline, the progress of its
//! trigger, its spending, and the calls that wait for a release.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use crate::{
    armed::{counters::Progress, draw::Draw},
    audit::actor::Actor,
    clock::Clock,
    gate::Turnstile,
    guard_rail::monitor::Monitor,
    policy::{Policy, spending::Spending},
    rule::Rule,
    trigger::{attempts::Attempts, replay::Log},
};

/// One arming of a rule. It goes on when the rule changes only in its reason, its position or the like.
#[derive(Debug)]
pub(crate) struct Arming {
    pub(crate) armed_by: Arc<ArmedBy>,
    deadline: Deadline,
    pub(crate) progress: Progress,
    pub(crate) draw: Draw,
    /// Present for a rule that has one of its parts. There may be thousands that have none.
    rare: Option<Box<RareState>>,
    /// Where calls wait that the rule pauses.
    pub(crate) pauses: Turnstile,
    /// Whether the rule burns now. It orders nothing: relaxed.
    burns: AtomicBool,
    /// Whether its expiry is in the audit. Written under the injector's lock.
    noticed: AtomicBool,
    /// Whether the deadline was moved to a later time. Written under the injector's lock.
    is_extended: AtomicBool,
}

/// Who has armed a rule, and when. Rules that were armed together share it.
#[derive(Debug)]
pub(crate) struct ArmedBy {
    pub(crate) actor: Actor,
    /// The time of day.
    pub(crate) at: SystemTime,
    /// The moment on the clock of the injector.
    pub(crate) since: Duration,
}

/// What few rules have.
#[derive(Debug)]
struct RareState {
    /// What the rule has spent of its budget.
    spending: Spending,
    /// The rule's guard rails.
    watches: Box<[Arc<Monitor>]>,
    /// Present for a rule with `first_attempts`.
    attempts: Option<Attempts>,
    /// Present for a rule whose decisions can be replayed.
    log: Option<Log>,
}

impl RareState {
    fn of(rule: &Rule, draw: Draw) -> Option<Self> {
        let trigger = &rule.trigger;
        let is_logged = draw.is_repeatable() || trigger.counts_calls();
        let is_rare = trigger.budget.is_some()
            || !rule.guards.is_empty()
            || trigger.first_attempts.is_some()
            || is_logged;
        is_rare.then(|| Self {
            spending: Spending::default(),
            watches: (rule.guards.iter())
                .map(|rail| Arc::new(Monitor::of_rule(rail, &rule.id, &rule.site)))
                .collect(),
            attempts: (trigger.first_attempts.as_ref()).map(|_| Attempts::default()),
            log: is_logged.then(|| Log::new(trigger.deciding_key().is_some())),
        })
    }
}

impl Arming {
    pub(crate) fn new(rule: &Rule, policy: &Policy, armed_by: &Arc<ArmedBy>) -> Self {
        let draw = Draw::of(rule);
        Self {
            deadline: Deadline::at(policy.deadline(rule.lifetime, armed_by.since)),
            armed_by: Arc::clone(armed_by),
            progress: Progress::default(),
            draw,
            rare: RareState::of(rule, draw).map(Box::new),
            pauses: Turnstile::default(),
            burns: AtomicBool::new(false),
            noticed: AtomicBool::new(false),
            is_extended: AtomicBool::new(false),
        }
    }

    /// Returns what the rule has spent of its budget, if it has one.
    pub(crate) fn spending(&self) -> Option<&Spending> {
        self.rare.as_ref().map(|rare| &rare.spending)
    }

    /// Returns the rule's guard rails.
    pub(crate) fn watches(&self) -> &[Arc<Monitor>] {
        self.rare.as_ref().map_or(&[], |rare| &rare.watches)
    }

    /// Returns the attempts of requests, for a rule with `first_attempts`.
    pub(crate) fn attempts(&self) -> Option<&Attempts> {
        self.rare.as_ref()?.attempts.as_ref()
    }

    /// Returns which calls were hit, for a rule whose decisions can be replayed.
    #[inline]
    pub(crate) fn log(&self) -> Option<&Log> {
        self.rare.as_ref()?.log.as_ref()
    }

    /// Returns when the rule was armed, on the injector's clock.
    pub(crate) fn since(&self) -> Duration {
        self.armed_by.since
    }

    /// Returns the deadline, on the injector's clock, if there is one.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let deadline = self.deadline.get();
        (deadline < Duration::MAX).then_some(deadline)
    }

    /// Applies a policy that was set after the rule was armed.
    pub(crate) fn shorten(&self, rule: &Rule, policy: &Policy) {
        let sooner =
            policy
                .max_ttl
                .and_then(|most| match self.is_extended.load(Ordering::Relaxed) {
                    true => Some(self.since().saturating_add(most)),
                    false => policy.deadline(rule.lifetime, self.since()),
                });
        self.deadline.bring_forward(sooner);
    }

    /// Moves the deadline to a later time. The rule has not expired.
    pub(crate) fn extend_to(&self, deadline: Duration) {
        self.is_extended.store(true, Ordering::Relaxed);
        self.deadline.put_off(deadline);
    }

    pub(crate) fn has_expired(&self, now: Duration) -> bool {
        now >= self.deadline.get()
    }

    /// Returns whether the rule has expired. The clock is read only if the rule has a deadline.
    #[inline]
    pub(crate) fn has_expired_by(&self, clock: &Clock) -> bool {
        self.deadline.is_set() && self.has_expired(clock.now())
    }

    /// Returns whether the rule has expired, and this is the first call to say so.
    pub(crate) fn notice_expiry(&self, now: Duration) -> bool {
        self.has_expired(now) && !self.noticed.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.since())
    }

    /// Marks the rule as one that burns. Returns `false` if it burns already.
    pub(crate) fn begin_burn(&self) -> bool {
        !self.burns.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn end_burn(&self) {
        self.burns.store(false, Ordering::Relaxed);
    }
}

/// The end of an arming, in nanoseconds of the injector's clock. It orders nothing: relaxed.
#[derive(Debug)]
struct Deadline(AtomicU64);

impl Deadline {
    const NEVER: u64 = u64::MAX;

    fn at(deadline: Option<Duration>) -> Self {
        Self(AtomicU64::new(Self::nanos(deadline)))
    }

    /// Converts a deadline; one that is more than 584 years away counts as none.
    fn nanos(deadline: Option<Duration>) -> u64 {
        deadline.map_or(Self::NEVER, |deadline| {
            u64::try_from(deadline.as_nanos()).unwrap_or(Self::NEVER)
        })
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed) != Self::NEVER
    }

    fn get(&self) -> Duration {
        match self.0.load(Ordering::Relaxed) {
            Self::NEVER => Duration::MAX,
            nanos => Duration::from_nanos(nanos),
        }
    }

    fn bring_forward(&self, deadline: Option<Duration>) {
        self.0.fetch_min(Self::nanos(deadline), Ordering::Relaxed);
    }

    fn put_off(&self, deadline: Duration) {
        self.0
            .fetch_max(Self::nanos(Some(deadline)), Ordering::Relaxed);
    }
}
