//! What has been spent of a budget. It is charged before a fault happens, and refunded if it does
//! not.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::{policy::limit::Limit, trigger::budget::Budget};

/// The calls, the hits and the delays that are counted against one budget.
///
/// The atomics order no other access, so they are relaxed. They are exact because each is charged
/// in one atomic step.
#[derive(Debug, Default)]
pub(crate) struct Spending {
    calls: AtomicU64,
    hits: AtomicU64,
    /// Made for the first delay that is charged: few rules have a budget.
    delays: OnceLock<Box<Mutex<Delays>>>,
}

/// The delays of the last minute, in slots of a tenth of a second.
#[derive(Debug, Default)]
struct Delays {
    slots: VecDeque<(u64, Duration)>,
    sum: Duration,
}

/// What was charged for one fault, which can be put back.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Charge {
    share: bool,
    delay: Option<(u64, Duration)>,
}

const SLOT: Duration = Duration::from_millis(100);
/// The slots of a minute and one more, which is not over yet: a delay counts for at least 60
/// seconds.
const SLOTS: u64 = 601;

impl Spending {
    /// Counts a call, of which the share is taken.
    pub(crate) fn count_call(&self) {
        self.calls.fetch_add(1, Relaxed);
    }

    /// Charges one hit and its delay, if the budget has room for both; otherwise returns the limit
    /// that was reached.
    pub(crate) fn take(
        &self,
        budget: &Budget,
        delay: Duration,
        now: Duration,
    ) -> Result<Charge, Limit> {
        self.take_of(self, budget, delay, now)
    }

    /// Charges one hit and its delay, where the share is one of the calls that `counted` has counted.
    pub(crate) fn take_of(
        &self,
        counted: &Self,
        budget: &Budget,
        delay: Duration,
        now: Duration,
    ) -> Result<Charge, Limit> {
        let share = budget.greatest_share();
        if let Some(share) = share {
            let allowed = (share.get() * counted.calls.load(Relaxed) as f64) as u64;
            let one_more = |hits| (hits < allowed).then(|| hits + 1);
            let taken = self.hits.fetch_update(Relaxed, Relaxed, one_more);
            taken.map_err(|_| Limit::BudgetShare)?;
        }
        let mut taken = Charge {
            share: share.is_some(),
            delay: None,
        };
        if let Some(most) = budget.delay_in_a_minute().filter(|_| !delay.is_zero()) {
            taken.delay = self.delays().take(most, delay, now);
            if taken.delay.is_none() {
                self.put_back(taken);
                return Err(Limit::BudgetDelay);
            }
        }
        Ok(taken)
    }

    /// Refunds a charge.
    pub(crate) fn put_back(&self, taken: Charge) {
        if taken.share {
            self.hits.fetch_sub(1, Relaxed);
        }
        if let Some((slot, delay)) = taken.delay {
            self.delays().put_back(slot, delay);
        }
    }

    fn delays(&self) -> MutexGuard<'_, Delays> {
        let delays = self.delays.get_or_init(Box::default);
        delays.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Delays {
    /// Charges a delay at `now`, and returns its slot; `None` if there is no room for it.
    fn take(&mut self, most: Duration, delay: Duration, now: Duration) -> Option<(u64, Duration)> {
        let slot = u64::try_from(now.as_millis() / SLOT.as_millis()).unwrap_or(u64::MAX);
        while let Some((oldest, spent)) = self.slots.front().copied()
            && oldest.saturating_add(SLOTS) <= slot
        {
            self.sum -= spent;
            self.slots.pop_front();
        }
        if self.sum.saturating_add(delay) > most {
            return None;
        }
        self.sum += delay;
        match self.slots.back_mut() {
            // Two threads may arrive here in another order than they read the clock.
            Some((last, spent)) if *last >= slot => {
                *spent += delay;
                Some((*last, delay))
            }
            _ => {
                self.slots.push_back((slot, delay));
                Some((slot, delay))
            }
        }
    }

    fn put_back(&mut self, slot: u64, delay: Duration) {
        // A charge older than a minute has been dropped already.
        if let Ok(at) = self.slots.binary_search_by_key(&slot, |(slot, _)| *slot) {
            self.slots[at].1 -= delay;
            self.sum -= delay;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trigger::rate::Rate;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_share_is_never_passed() {
        let spending = Spending::default();
        let budget = Budget::new().share(Rate::new(0.3).unwrap());
        let mut hits = 0;
        for calls in 1..=1000_u32 {
            spending.count_call();
            // Two attempts on each call demand more than the share.
            hits += (0..2)
                .filter(|_| spending.take(&budget, SECOND, SECOND).is_ok())
                .count();
            assert!(hits as f64 <= 0.3 * f64::from(calls));
            assert!(hits as f64 > 0.3 * f64::from(calls) - 1.001);
        }
    }

    #[test]
    fn no_minute_has_more_delay_than_allowed() {
        let spending = Spending::default();
        let budget = Budget::new().delay(10 * SECOND).unwrap();
        let mut taken = Vec::new();
        let mut now = Duration::ZERO;
        for step in 0..5000_u32 {
            now += Duration::from_millis(u64::from(step * 7919 % 97));
            let delay = Duration::from_millis(u64::from(step * 104_729 % 900));
            if spending.take(&budget, delay, now).is_ok() {
                taken.push((now, delay));
            }
            let last_minute = taken.iter().filter(|(at, _)| now - *at <= 60 * SECOND);
            let spent: Duration = last_minute.map(|(_, delay)| *delay).sum();
            assert!(spent <= 10 * SECOND, "{spent:?} at {now:?}");
        }
        // And not much less: what was spent becomes available again.
        let all: Duration = taken.iter().map(|(_, delay)| *delay).sum();
        assert!(all > 30 * SECOND, "{all:?}");
    }

    #[test]
    fn what_is_put_back_can_be_taken_again() {
        let spending = Spending::default();
        let budget = Budget::new()
            .share(Rate::ALWAYS)
            .delay(10 * SECOND)
            .unwrap();
        spending.count_call();
        for _ in 0..5 {
            let taken = spending.take(&budget, 10 * SECOND, SECOND).unwrap();
            assert!(spending.take(&budget, SECOND, SECOND).is_err());
            spending.put_back(taken);
        }
        // A delay that is too long for the budget does not use up the share.
        let error = spending.take(&budget, 11 * SECOND, SECOND).unwrap_err();
        assert_eq!(error, Limit::BudgetDelay);
        assert!(spending.take(&budget, SECOND, SECOND).is_ok());
        spending.count_call();
        let error = spending.take(&budget, 10 * SECOND, SECOND).unwrap_err();
        assert_eq!(error, Limit::BudgetDelay);
    }
}
