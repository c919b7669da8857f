//! The limits that spare calls, how many each has spared, and the one step that keeps a limit exact.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::{policy::Policy, rule::Rule, trigger::budget::Budget};

/// The limit that spared a call which a rule would have hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// The rule's `limit`.
    Limit,
    /// The rule's `max_active`, or the policy's.
    MaxActive,
    /// The share of calls in the rule's budget.
    BudgetShare,
    /// The delay in the rule's budget.
    BudgetDelay,
    /// The policy's `total`: all the injections that it allows.
    PolicyTotal,
    /// The policy's `active`: all that it allows at the same time.
    PolicyActive,
    /// The share of calls in the policy's budget.
    PolicyShare,
    /// The delay in the policy's budget.
    PolicyDelay,
    /// The [`Allowance`](crate::Allowance) that feeds the rule.
    Allowance,
}

impl Limit {
    /// In the order of their discriminants.
    pub(crate) const ALL: [Self; 9] = [
        Self::Limit,
        Self::MaxActive,
        Self::BudgetShare,
        Self::BudgetDelay,
        Self::PolicyTotal,
        Self::PolicyActive,
        Self::PolicyShare,
        Self::PolicyDelay,
        Self::Allowance,
    ];

    /// Returns its name in JSON and in the label `limit` of the metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::MaxActive => "max_active",
            Self::BudgetShare => "budget.share",
            Self::BudgetDelay => "budget.delay",
            Self::PolicyTotal => "policy.total",
            Self::PolicyActive => "policy.active",
            Self::PolicyShare => "policy.budget.share",
            Self::PolicyDelay => "policy.budget.delay",
            Self::Allowance => "allowance",
        }
    }

    /// Returns whether `rule` has this limit, or has it from `policy`. An allowance is written in neither.
    #[must_use]
    pub fn applies(self, rule: &Rule, policy: &Policy) -> bool {
        let trigger = &rule.trigger;
        let budget = trigger.budget.as_deref();
        match self {
            Self::Limit => trigger.limit.is_some(),
            Self::MaxActive => trigger.max_active.or(policy.max_active).is_some(),
            Self::BudgetShare => budget.and_then(Budget::greatest_share).is_some(),
            Self::BudgetDelay => budget.and_then(Budget::delay_in_a_minute).is_some(),
            Self::PolicyTotal => policy.total.is_some(),
            Self::PolicyActive => policy.active.is_some(),
            Self::PolicyShare => policy.budget.greatest_share().is_some(),
            Self::PolicyDelay => policy.budget.delay_in_a_minute().is_some(),
            Self::Allowance => false,
        }
    }
}

/// How many calls each limit has spared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overflow([u64; Limit::ALL.len()]);

impl Overflow {
    /// Counts in the order of [`Limit::ALL`].
    pub(crate) fn new(counts: [u64; Limit::ALL.len()]) -> Self {
        Self(counts)
    }

    /// Returns each limit with the number of calls it has spared, zeros included.
    pub fn iter(&self) -> impl Iterator<Item = (Limit, u64)> + use<> {
        Limit::ALL.into_iter().zip(self.0)
    }

    /// Returns how many calls one limit has spared.
    pub(crate) fn of(&self, limit: Limit) -> u64 {
        self.0[limit as usize]
    }

    /// Returns how many calls were spared since there were `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let mut calls = self.0;
        for (calls, earlier) in calls.iter_mut().zip(earlier.0) {
            *calls = calls.saturating_sub(earlier);
        }
        Self(calls)
    }

    /// Returns how many calls were spared in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// Returns how much of what the policy allows in all may be used by rules that came with tokens: half of it,
/// rounded up.
pub(crate) fn share_of_tokens(max: u64) -> u64 {
    max.div_ceil(2)
}

/// Adds one to `count` and returns `true`, unless that would pass `max`. The count never overshoots,
/// not even for a moment.
pub(crate) fn take(count: &AtomicU64, max: u64) -> bool {
    take_beside(count, || 0, max)
}

/// Adds one to `count` and returns `true`, unless `count` and what `others` returns would pass `max` together. It never
/// overshoots as long as `others` only falls meanwhile.
pub(crate) fn take_beside(count: &AtomicU64, others: impl Fn() -> u64, max: u64) -> bool {
    let (mut n, mut beside) = (count.load(Relaxed), others());
    loop {
        if in_all(n, beside) >= max {
            // Only a refusal needs the others as they are now: what was read earlier is no less.
            beside = others();
            if in_all(n, beside) >= max {
                return false;
            }
        }
        match count.compare_exchange_weak(n, n.wrapping_add(1), Relaxed, Relaxed) {
            Ok(_) => return true,
            Err(now) => n = now,
        }
    }
}

/// Returns the sum of two counts, of which one is negative if more has been taken from it than was added. It is 0 as long
/// as what was taken is seen before what was added.
pub(crate) fn in_all(count: u64, others: u64) -> u64 {
    let sum = count.wrapping_add(others);
    u64::try_from(sum.cast_signed()).unwrap_or(0)
}
