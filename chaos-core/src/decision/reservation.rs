//! What a call reserves of a rule's limits, attempts and budgets before the rule fires on it.

use std::{
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
        limit::{Limit, take},
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
    overall: spending::Charge,
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
        let Bounds {
            policy,
            spent,
            spending,
            ..
        } = &**bounds;
        let budget = &rule.rule.trigger.budget;
        let unbounded = Budget::new();
        if *budget == unbounded && policy.budget == unbounded && policy.total.is_none() {
            return Ok(None);
        }
        let own = rule.arming.spending.take(budget, delay, now)?;
        let overall = spending.take(&policy.budget, delay, now);
        let overall = overall.map_err(|limit| {
            rule.arming.spending.put_back(own);
            match limit {
                Limit::BudgetShare => Limit::PolicyShare,
                _ => Limit::PolicyDelay,
            }
        })?;
        let reservation = Box::new(Self {
            bounds: Arc::clone(bounds),
            total: policy.total.is_some(),
            overall,
            own,
        });
        if let Some(total) = policy.total
            && !take(spent, total.get())
        {
            rule.arming.spending.put_back(own);
            spending.put_back(overall);
            return Err(Limit::PolicyTotal);
        }
        Ok(Some(reservation))
    }

    fn put_back(&self, rule: &Armed) {
        rule.arming.spending.put_back(self.own);
        self.bounds.spending.put_back(self.overall);
        if self.total {
            self.bounds.spent.fetch_sub(1, Relaxed);
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
