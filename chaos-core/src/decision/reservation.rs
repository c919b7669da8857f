//! What a call takes of a rule's limits, attempts and budgets, and of the policy's, before the rule fires on it.

use std::{
    mem,
    num::NonZeroU64,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use crate::{
    armed::Armed,
    call::Call,
    hub::Hub,
    policy::{
        Policy,
        allowance::Allowance,
        bounds::Bounds,
        limit::{Limit, share_of_tokens, take},
        spending,
    },
    trigger::{
        attempts::{Attempts, Digest, FirstAttempts, digest},
        budget::Budget,
    },
};

/// What a call has reserved of the budgets of its rule and of the policy. Few rules and policies have
/// any.
#[derive(Debug)]
struct BudgetReservation {
    bounds: Arc<Bounds>,
    total: bool,
    total_of_tokens: bool,
    overall: spending::Charge,
    of_tokens: spending::Charge,
    own: spending::Charge,
}

impl BudgetReservation {
    /// Reserves one injection with such a delay, if there is room for it everywhere. Returns `None` if no
    /// budget bounds it, and the limit that spares the call if there is no room.
    fn of(
        rule: &Armed,
        bounds: &Arc<Bounds>,
        delay: Duration,
        now: impl FnOnce() -> Duration,
    ) -> Result<Option<Box<Self>>, Limit> {
        let policy = &bounds.policy;
        let is_unbounded = policy.budget == Budget::new() && policy.total.is_none();
        if rule.rule.trigger.budget.is_none() && is_unbounded {
            return Ok(None);
        }
        let mut reservation = Self {
            bounds: Arc::clone(bounds),
            total: false,
            total_of_tokens: false,
            overall: spending::Charge::default(),
            of_tokens: spending::Charge::default(),
            own: spending::Charge::default(),
        };
        match reservation.take(rule, delay, now()) {
            // Boxed only now: a call that is spared allocates nothing.
            Ok(()) => Ok(Some(Box::new(reservation))),
            Err(limit) => {
                reservation.put_back(rule);
                Err(limit)
            }
        }
    }

    fn take(&mut self, rule: &Armed, delay: Duration, now: Duration) -> Result<(), Limit> {
        let Bounds {
            policy,
            spent,
            spending,
            spent_by_tokens,
            spending_of_tokens,
            ..
        } = &*self.bounds;
        let of_policy = |limit| match limit {
            Limit::BudgetShare => Limit::PolicyShare,
            _ => Limit::PolicyDelay,
        };
        let take_one = |count, max| take(count, max).then_some(true).ok_or(Limit::PolicyTotal);
        let own = rule.rule.trigger.budget.as_ref();
        if let Some((budget, spending)) = own.zip(rule.arming.spending()) {
            self.own = spending.take(budget, delay, now)?;
        }
        let total = policy.total.map(NonZeroU64::get);
        if rule.is_of_token() {
            let half = policy.budget.half();
            let taken = spending_of_tokens.take_of(spending, &half, delay, now);
            self.of_tokens = taken.map_err(of_policy)?;
            if let Some(total) = total {
                self.total_of_tokens = take_one(spent_by_tokens, share_of_tokens(total))?;
            }
        }
        let taken = spending.take(&policy.budget, delay, now);
        self.overall = taken.map_err(of_policy)?;
        if let Some(total) = total {
            self.total = take_one(spent, total)?;
        }
        Ok(())
    }

    fn put_back(&self, rule: &Armed) {
        let bounds = &self.bounds;
        if let Some(spending) = rule.arming.spending() {
            spending.put_back(self.own);
        }
        bounds.spending.put_back(self.overall);
        bounds.spending_of_tokens.put_back(self.of_tokens);
        if self.total {
            bounds.spent.fetch_sub(1, Relaxed);
        }
        if self.total_of_tokens {
            bounds.spent_by_tokens.fetch_sub(1, Relaxed);
        }
    }
}

/// What a call has taken of what a rule and the policy have a limited number of.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    limit: bool,
    /// Boxed, because few rules have any of it.
    rare: Option<Box<RarelyTaken>>,
    /// Boxed for the same reason.
    budget: Option<Box<BudgetReservation>>,
    /// Whether the call is one of the active injections, and of those that tokens may have.
    active: Option<OfToken>,
}

/// What a call takes of what few rules have.
#[derive(Debug, Default)]
struct RarelyTaken {
    attempt: Option<Digest>,
    /// The allowance of which a permit was taken. The rule may be fed by another by the time that it is given back.
    allowance: Option<Allowance>,
}

/// Whether an active injection is one of those that tokens may have.
pub(crate) type OfToken = bool;

impl Taken {
    /// Returns a place among the active injections, and one of the rule's injections if it `is_limited`.
    pub(crate) fn plain(is_limited: bool) -> Self {
        Self {
            limit: is_limited,
            active: Some(false),
            ..Self::default()
        }
    }

    /// Returns whether the call is one of the active injections that tokens may have.
    pub(crate) fn is_of_token(&self) -> bool {
        self.active == Some(true)
    }

    /// Ends the active injection. Gives back the rest, too, unless the injection `has_begun`.
    #[inline]
    pub(crate) fn put_back(&mut self, rule: &Armed, hub: &Hub, has_begun: bool) {
        if let Some(of_token) = self.active.take() {
            leave(rule, hub, of_token);
            hub.leave();
        }
        if !has_begun {
            self.refund(rule);
        }
    }

    /// Gives back what an injection uses up. Cold, because most injections begin.
    #[cold]
    #[inline(never)]
    fn refund(&mut self, rule: &Armed) {
        let arming = &rule.arming;
        if mem::take(&mut self.limit) {
            arming.progress.refund();
        }
        if let Some(budget) = self.budget.take() {
            budget.put_back(rule);
        }
        let RarelyTaken { attempt, allowance } =
            self.rare.take().map(|rare| *rare).unwrap_or_default();
        if let (Some(request), Some(attempts)) = (attempt, arming.attempts()) {
            attempts.refund(request);
        }
        if let Some(allowance) = allowance {
            allowance.refund();
        }
    }
}

/// Gives back what an active injection takes of its rule, and of what tokens may have.
fn leave(rule: &Armed, hub: &Hub, of_token: OfToken) {
    rule.counters.leave();
    if of_token {
        hub.active_of_tokens.fetch_sub(1, Relaxed);
    }
}

/// Takes, one after the other, what a rule needs to fire on a call. What was taken is given back on drop, unless
/// it is [kept](Self::keep).
#[derive(Debug)]
pub(crate) struct Permits<'r> {
    rule: &'r Armed,
    hub: &'r Hub,
    taken: Taken,
}

impl<'r> Permits<'r> {
    /// Takes one attempt of the call's request, one of the rule's injections, and one permit of what feeds it, if all are
    /// left.
    #[inline]
    pub(crate) fn of_trigger(rule: &'r Armed, hub: &'r Hub, call: &Call<'_>) -> Option<Self> {
        let taken = Taken::default();
        let mut permits = Self { rule, hub, taken };
        let trigger = &rule.rule.trigger;
        if let (Some(first), Some(attempts)) = (&trigger.first_attempts, rule.arming.attempts()) {
            permits.take_attempt(first, attempts, call)?;
        }
        if let Some(limit) = trigger.limit {
            if !rule.arming.progress.spend(limit.get()) {
                spare(rule, Limit::Limit)?;
            }
            permits.taken.limit = true;
        }
        if rule.is_fed {
            permits.take_permit()?;
        }
        Some(permits)
    }

    /// Takes one permit of what feeds the rule. Cold, because few rules are fed.
    #[cold]
    #[inline(never)]
    fn take_permit(&mut self) -> Option<()> {
        // Put again, the rule is fed no more.
        let Some(allowance) = self.rule.arming.allowance() else {
            return Some(());
        };
        if !allowance.take() {
            return spare(self.rule, Limit::Allowance);
        }
        self.taken.rare.get_or_insert_default().allowance = Some(allowance);
        Some(())
    }

    /// Takes one attempt of the call's request. Cold, because few rules have any.
    #[cold]
    #[inline(never)]
    fn take_attempt(
        &mut self,
        first: &FirstAttempts,
        attempts: &Attempts,
        call: &Call<'_>,
    ) -> Option<()> {
        let request = digest(&first.key.of(call, &self.rule.rule.matcher)?);
        let is_taken = attempts.take(request, first.n, self.hub.clock.now());
        if is_taken {
            self.taken.rare.get_or_insert_default().attempt = Some(request);
        }
        is_taken.then_some(())
    }

    /// Enters one of the active injections that the rule may have, and one of those that the policy allows
    /// in all, and tokens in all if it is `of_token`. Counts the call as spared and returns `None` if one of them
    /// has no room.
    pub(crate) fn enter(&mut self, policy: Option<&Policy>, of_token: OfToken) -> Option<()> {
        let Self { rule, hub, .. } = *self;
        let spared = |limit| spare(rule, limit);
        let own = rule.rule.trigger.max_active;
        let max = match policy {
            None => own.map(|own| own.get().into()),
            Some(policy) => policy.max_active_of(own),
        };
        if !rule.counters.enter(max) {
            return spared(Limit::MaxActive);
        }
        let max = policy.and_then(|policy| policy.active);
        let max = max.map(|max| u64::from(max.get()));
        let share = max.map_or(u64::MAX, share_of_tokens);
        if of_token && !take(&hub.active_of_tokens, share) {
            rule.counters.leave();
            return spared(Limit::PolicyActive);
        }
        if !hub.enter(max) {
            leave(rule, hub, of_token);
            return spared(Limit::PolicyActive);
        }
        self.taken.active = Some(of_token);
        Some(())
    }

    /// Charges the budgets of the rule and of the policy with an injection of such a delay. Counts the call as
    /// spared and returns `None` if one of them has no room.
    pub(crate) fn charge(&mut self, bounds: &Arc<Bounds>, delay: Duration) -> Option<()> {
        let now = || self.hub.clock.now();
        match BudgetReservation::of(self.rule, bounds, delay, now) {
            Ok(budget) => {
                self.taken.budget = budget;
                Some(())
            }
            Err(limit) => spare(self.rule, limit),
        }
    }

    /// Keeps what was taken, which the caller gives back.
    pub(crate) fn keep(mut self) -> Taken {
        let taken = mem::take(&mut self.taken);
        // Nothing is left to give back.
        mem::forget(self);
        taken
    }
}

/// Counts a call that a limit spares.
#[cold]
pub(crate) fn spare(rule: &Armed, limit: Limit) -> Option<()> {
    rule.counters.count_overflow(limit);
    None
}

impl Drop for Permits<'_> {
    fn drop(&mut self) {
        self.taken.put_back(self.rule, self.hub, false);
    }
}
