//! What a rule counts: every call that it matched, hit or would have hit, exactly.
//!
//! A matched call that is not hit must not write where other threads write, so counts are striped: each
//! thread adds to a cache line of its own, and readers sum the stripes. What has to be exact at the moment of
//! deciding (`skip`, `every`, `limit`, `max_active`, `seed`) is one shared number each, which only rules that
//! use it touch.

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use crossbeam_utils::CachePadded;

use crate::{
    call::stripe,
    policy::limit::{Limit, Overflow, in_all, take, take_beside},
};

// Nothing here orders other memory: every atomic is a number that is only ever added to or
// compared, so all accesses are relaxed. A sum read after a thread was joined (or after its answer
// arrived) contains all that thread counted, because that hand-over orders them.

/// The counts of a rule. They live as long as the rule is unchanged.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    stripes: OnceLock<Box<[CachePadded<Stripe>]>>,
    /// How many calls have become active within a bound. It is only added to.
    entered: AtomicU64,
    /// Whether a call would have been hit and is exempt.
    spared_exempt: AtomicBool,
    /// Made for the first call that a limit spares: few rules have any.
    overflow: OnceLock<Box<[AtomicU64; Limit::ALL.len()]>>,
}

#[derive(Debug, Default)]
struct Stripe {
    matched: AtomicU64,
    injected: AtomicU64,
    shadowed: AtomicU64,
    /// How many calls have become active without a bound, less those that are not active any more. It wraps, because a
    /// call may end on another thread.
    active: AtomicU64,
}

impl Counters {
    pub(crate) fn count_matched(&self) {
        self.stripe().matched.fetch_add(1, Relaxed);
    }

    /// Counts a matched call, unless the stripes or this thread's index have to be made first. Returns whether
    /// it has counted.
    #[inline(always)]
    pub(crate) fn count_matched_at_once(&self) -> bool {
        let stripes = self.stripes.get();
        let stripe = stripes.and_then(|stripes| stripes.get(stripe::index_at_once()));
        if let Some(stripe) = stripe {
            stripe.matched.fetch_add(1, Relaxed);
        }
        stripe.is_some()
    }

    /// Takes back one matched call that this thread has counted.
    pub(crate) fn take_back_matched(&self) {
        self.stripe().matched.fetch_sub(1, Relaxed);
    }

    pub(crate) fn count_injected(&self) {
        self.stripe().injected.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_shadowed(&self) {
        self.stripe().shadowed.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_overflow(&self, limit: Limit) {
        let counts = self.overflow.get_or_init(Box::default);
        counts[limit as usize].fetch_add(1, Relaxed);
    }

    /// Notes that a call would have been hit and is exempt. Only the first such call writes.
    pub(crate) fn note_exempt(&self) {
        if !self.spared_exempt.load(Relaxed) {
            self.spared_exempt.store(true, Relaxed);
        }
    }

    /// Returns whether a call would have been hit and is exempt.
    pub(crate) fn have_spared_exempt(&self) -> bool {
        self.spared_exempt.load(Relaxed)
    }

    pub(crate) fn overflow(&self) -> Overflow {
        let counts = self.overflow.get().map(|counts| {
            let counts = counts.each_ref();
            counts.map(|count| count.load(Relaxed))
        });
        counts.map_or_else(Overflow::default, Overflow::new)
    }

    pub(crate) fn matched(&self) -> u64 {
        self.sum(|stripe| &stripe.matched)
    }

    pub(crate) fn injected(&self) -> u64 {
        self.sum(|stripe| &stripe.injected)
    }

    pub(crate) fn shadowed(&self) -> u64 {
        self.sum(|stripe| &stripe.shadowed)
    }

    pub(crate) fn active(&self) -> u64 {
        in_all(
            self.entered.load(Relaxed),
            self.sum(|stripe| &stripe.active),
        )
    }

    /// Counts one more active call, unless that would pass `max`. Returns whether it has.
    pub(crate) fn enter(&self, max: Option<u64>) -> bool {
        let Some(max) = max else {
            self.enter_unbounded();
            return true;
        };
        take_beside(&self.entered, || self.sum(|stripe| &stripe.active), max)
    }

    /// Counts one more active call, where nothing bounds their number.
    #[inline]
    pub(crate) fn enter_unbounded(&self) {
        self.stripe().active.fetch_add(1, Relaxed);
    }

    pub(crate) fn leave(&self) {
        self.stripe().active.fetch_sub(1, Relaxed);
    }

    /// Returns the stripe of this thread.
    #[inline]
    fn stripe(&self) -> &Stripe {
        let stripes = self.stripes.get();
        let stripe = stripes.and_then(|stripes| stripes.get(stripe::index_at_once()));
        match stripe {
            Some(stripe) => stripe,
            None => self.make_stripe(),
        }
    }

    /// Returns the stripe of this thread. Stripes are made when the first call matches, because a rule set may
    /// hold thousands of rules.
    #[cold]
    #[inline(never)]
    fn make_stripe(&self) -> &Stripe {
        let make = || {
            let stripes = 0..stripe::count();
            stripes.map(|_| CachePadded::default()).collect()
        };
        &self.stripes.get_or_init(make)[stripe::index()]
    }

    fn sum(&self, count: impl Fn(&Stripe) -> &AtomicU64) -> u64 {
        let stripes = self.stripes.get().map_or(&[][..], |stripes| stripes);
        let counts = stripes.iter().map(|stripe| count(stripe).load(Relaxed));
        counts.fold(0, u64::wrapping_add)
    }
}

/// How far the trigger of a rule has come since the rule was armed.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    calls: AtomicU64,
    spent: AtomicU64,
}

impl Progress {
    /// Returns the ordinal of this call, counted from 0.
    pub(crate) fn next_ordinal(&self) -> u64 {
        self.calls.fetch_add(1, Relaxed)
    }

    /// Returns how many injections of the limit are taken.
    pub(crate) fn spent(&self) -> u64 {
        self.spent.load(Relaxed)
    }

    /// Takes one of the `limit` injections, if one is left.
    pub(crate) fn spend(&self, limit: u64) -> bool {
        take(&self.spent, limit)
    }

    /// Gives back an injection that was taken and did not happen.
    pub(crate) fn refund(&self) {
        self.spent.fetch_sub(1, Relaxed);
    }
}
