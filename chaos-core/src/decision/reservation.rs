//! What a call reserves of a rule's limits, attempts and budgets before the rule fires on it.

use std::{
    num::NonZeroU64,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::{
    armed::Armed,
    call::Call,
    policy::{
        bounds::Bounds,
        limit::{Limit, share_of_tokens, take},
        spending,
    },
    trigger::{
        attempts::{Digest, digest},
        budget::Budget,
    },
};

/// What a call has reserved of the budgets of its rule and of the policy. Few rules and policies have
/// any.
#[derive(Debug)]
pub(crate) struct BudgetReservation {
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
    pub(crate) fn of(
        rule: &Armed,
        bounds: &Arc<Bounds>,
        delay: Duration,
        now: Duration,
    ) -> Result<Option<Box<Self>>, Limit> {
        let policy = &bounds.policy;
        let unbounded = Budget::new();
        let is_unbounded = policy.budget == unbounded && policy.total.is_none();
        if rule.rule.trigger.budget == unbounded && is_unbounded {
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
        match reservation.take(rule, delay, now) {
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
        let budget = &rule.rule.trigger.budget;
        self.own = rule.arming.spending.take(budget, delay, now)?;
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
        rule.arming.spending.put_back(self.own);
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

/// What a call has reserved of what a rule has a limited number of. It is given back on drop, unless it
/// was used.
#[derive(Debug)]
pub(crate) struct Reservation {
    rule: Arc<Armed>,
    limit: bool,
    /// Boxed, because few rules have one.
    attempt: Option<Box<Digest>>,
    pub(crate) budget: Option<Box<BudgetReservation>>,
    /// Whether the injection has begun: then nothing is given back.
    pub(crate) used: AtomicBool,
}

impl Reservation {
    /// Reserves one attempt of the call's request, and one of the rule's injections, if both are left.
    pub(crate) fn of(rule: &Arc<Armed>, call: &Call<'_>, now: Duration) -> Option<Self> {
        let mut reservation = Self {
            rule: Arc::clone(rule),
            limit: false,
            attempt: None,
            budget: None,
            used: AtomicBool::new(false),
        };
        let trigger = &rule.rule.trigger;
        if let (Some(first), Some(attempts)) = (&trigger.first_attempts, &rule.arming.attempts) {
            let request = digest(&first.key.of(call, &rule.rule.matcher)?);
            if !attempts.take(request, first.n, now) {
                return None;
            }
            reservation.attempt = Some(Box::new(request));
        }
        if let Some(limit) = trigger.limit {
            if !rule.arming.progress.spend(limit.get()) {
                rule.counters.count_overflow(Limit::Limit);
                return None;
            }
            reservation.limit = true;
        }
        Some(reservation)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if *self.used.get_mut() {
            return;
        }
        let arming = &self.rule.arming;
        if self.limit {
            arming.progress.refund();
        }
        if let Some(budget) = &self.budget {
            budget.put_back(&self.rule);
        }
        if let (Some(request), Some(attempts)) = (&self.attempt, &arming.attempts) {
            attempts.refund(**request);
        }
    }
}
