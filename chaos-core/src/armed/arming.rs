//! What a rule has from the moment it is armed until it is armed anew: its deadline, the progress of its
//! trigger, its spending, and the calls that wait for a release.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwapOption;

use crate::{
    armed::{counters::Progress, draw::Draw, ties::Ties},
    audit::actor::Actor,
    clock::Clock,
    gate::{Turnstile, leash::Leash},
    guard_rail::monitor::Monitor,
    policy::{Policy, allowance::Allowance, spending::Spending},
    rule::Rule,
    trigger::{attempts::Attempts, replay::Log},
};

/// One arming of a rule. It goes on when the rule changes only in its reason, its position or the like.
#[derive(Debug)]
pub(crate) struct Arming {
    pub(crate) armed_by: Arc<ArmedBy>,
    deadline: Deadline,
    /// What the rule hangs on. Written under the injector's lock.
    ties: ArcSwapOption<Ties>,
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
    /// What the rules hang on, if they hang on anything.
    pub(crate) ties: Option<Arc<Ties>>,
    /// Whether the rules are those of an overlay.
    pub(crate) of_overlay: bool,
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
    pub(crate) fn new(
        rule: &Rule,
        policy: &Policy,
        armed_by: &Arc<ArmedBy>,
        ties: Option<Arc<Ties>>,
    ) -> Self {
        let draw = Draw::of(rule);
        let arming = Self {
            deadline: Deadline::at(policy.deadline(rule.lifetime, armed_by.since)),
            ties: ArcSwapOption::empty(),
            armed_by: Arc::clone(armed_by),
            progress: Progress::default(),
            draw,
            rare: RareState::of(rule, draw).map(Box::new),
            pauses: Turnstile::default(),
            burns: AtomicBool::new(false),
            noticed: AtomicBool::new(false),
            is_extended: AtomicBool::new(false),
        };
        arming.hang_on(ties);
        arming
    }

    /// Returns what the rule hangs on, if it hangs on anything.
    pub(crate) fn ties(&self) -> Option<Arc<Ties>> {
        self.ties.load_full()
    }

    /// Returns whether an allowance feeds the rule.
    pub(crate) fn is_fed(&self) -> bool {
        (self.ties.load().as_ref()).is_some_and(|ties| ties.allowance.is_some())
    }

    /// Returns what each injection of the rule takes a permit from, if it is fed.
    pub(crate) fn allowance(&self) -> Option<Allowance> {
        self.ties.load().as_ref()?.allowance.clone()
    }

    /// Hangs the rule on other ties than before, or on none.
    pub(crate) fn hang_on(&self, ties: Option<Arc<Ties>>) {
        let is_leashed = (ties.as_ref()).is_some_and(|ties| ties.leash.is_some());
        // Before the deadline sends anyone there.
        self.ties.store(ties);
        self.deadline.set_leashed(is_leashed);
    }

    /// Returns the leash on which the rule hangs, if there is one.
    #[inline]
    pub(crate) fn leash(&self) -> Option<Leash> {
        self.deadline.is_leashed().then(|| self.leash_of_ties())?
    }

    #[cold]
    #[inline(never)]
    fn leash_of_ties(&self) -> Option<Leash> {
        self.ties.load().as_ref()?.leash.clone()
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

    /// Returns the rule's own deadline, on the injector's clock, if there is one.
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

    /// Returns whether the rule has reached its own deadline.
    pub(crate) fn has_expired(&self, now: Duration) -> bool {
        now >= self.deadline.get()
    }

    /// Returns whether the rule has expired, or its leash is over, which may be extended again.
    #[inline]
    pub(crate) fn is_over(&self, now: Duration) -> bool {
        self.deadline.is_past_at_a_glance(now) && self.is_over_at_close_look(now)
    }

    /// Returns whether the rule has expired, or its leash is over. The clock is read only if the rule has a deadline.
    #[inline]
    pub(crate) fn is_over_by(&self, clock: &Clock) -> bool {
        self.deadline.is_to_look_at() && self.is_over(clock.now())
    }

    /// Out of line, so that rules without a leash that have not expired do not pay for leashes.
    #[cold]
    #[inline(never)]
    fn is_over_at_close_look(&self, now: Duration) -> bool {
        self.has_expired(now)
            || self
                .ties
                .load()
                .as_ref()
                .is_some_and(|ties| ties.are_over())
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

/// The end of an arming, in nanoseconds of the injector's clock, and whether the rule hangs on a leash: then the number is
/// negative, which every time is past. So a rule without a leash is asked nothing more than its deadline, in one word, and
/// one with a leash always takes a closer look. It is written under the injector's lock, and orders nothing: relaxed.
#[derive(Debug)]
struct Deadline(AtomicI64);

impl Deadline {
    const NEVER: i64 = i64::MAX;
    /// The sign.
    const LEASHED: i64 = i64::MIN;

    fn at(deadline: Option<Duration>) -> Self {
        Self(AtomicI64::new(Self::nanos(deadline)))
    }

    /// Converts a deadline; one that is more than 292 years away counts as none.
    fn nanos(deadline: Option<Duration>) -> i64 {
        deadline.map_or(Self::NEVER, |deadline| {
            i64::try_from(deadline.as_nanos()).unwrap_or(Self::NEVER)
        })
    }

    /// Returns the rule's own deadline.
    fn own(&self) -> i64 {
        self.0.load(Ordering::Relaxed) & !Self::LEASHED
    }

    /// Returns the rule's own deadline; `Duration::MAX` if it has none.
    fn get(&self) -> Duration {
        match self.own() {
            Self::NEVER => Duration::MAX,
            nanos => Duration::from_nanos(nanos.unsigned_abs()),
        }
    }

    #[inline]
    fn is_to_look_at(&self) -> bool {
        self.0.load(Ordering::Relaxed) != Self::NEVER
    }

    /// Returns whether it takes a closer look to know whether the rule is over at a time.
    #[inline]
    fn is_past_at_a_glance(&self, now: Duration) -> bool {
        // No clock goes beyond 584 years.
        let nanos = now.as_secs().wrapping_mul(1_000_000_000);
        let nanos = nanos.wrapping_add(now.subsec_nanos().into());
        let nanos = nanos.min(Self::NEVER.unsigned_abs()).cast_signed();
        nanos >= self.0.load(Ordering::Relaxed)
    }

    #[inline]
    fn is_leashed(&self) -> bool {
        self.0.load(Ordering::Relaxed) < 0
    }

    fn set_leashed(&self, is_leashed: bool) {
        let sign = if is_leashed { Self::LEASHED } else { 0 };
        self.0.store(self.own() | sign, Ordering::Relaxed);
    }

    fn set_own(&self, own: i64) {
        let sign = self.0.load(Ordering::Relaxed) & Self::LEASHED;
        self.0.store(own | sign, Ordering::Relaxed);
    }

    fn bring_forward(&self, deadline: Option<Duration>) {
        self.set_own(self.own().min(Self::nanos(deadline)));
    }

    fn put_off(&self, deadline: Duration) {
        self.set_own(self.own().max(Self::nanos(Some(deadline))));
    }
}
