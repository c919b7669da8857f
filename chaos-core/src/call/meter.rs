//! How calls fare: counts and latencies by group, which calls add to without a lock, and readers sum.
//!
//! A meter only ever adds up. Its readers keep what it had shown at the start of each slot of time, and what a
//! window of time holds is the difference to now. So a call does not care for time slots, and several readers
//! may have windows of their own. Guard rails read one; each user of a meter says which groups it tells apart.

mod buckets;
mod reading;
#[cfg(test)]
mod tests;
mod window;

pub(crate) use self::{buckets::nanos, reading::CallStats, window::CallWindow};

use std::{
    sync::{
        OnceLock,
        atomic::{
            AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    time::Duration,
};

use crossbeam_utils::CachePadded;

use self::{buckets::Buckets, reading::Reading};
use crate::call::stripe;

// As in the counts of rules, nothing here orders other memory: relaxed. Only failures do: who reads a failure reads the call,
// too.

/// Counts and latencies of calls, by group. A call adds to the stripe of its thread, without a lock; the first
/// call of a thread and group allocates the thread's histogram.
#[derive(Debug)]
pub(crate) struct CallMeter<const GROUPS: usize> {
    stripes: Box<[CachePadded<[Group; GROUPS]>]>,
    late_after: Option<Duration>,
}

#[derive(Debug, Default)]
struct Group {
    calls: AtomicU64,
    failed: AtomicU64,
    late: AtomicU64,
    latencies: OnceLock<Box<Buckets>>,
}

impl<const GROUPS: usize> CallMeter<GROUPS> {
    /// Creates a meter. It keeps latencies only if `late_after` is set: how many calls took longer than that is
    /// counted exactly, and so quantiles are on the right side of it, while they are a few percent off otherwise.
    pub(crate) fn new(late_after: Option<Duration>) -> Self {
        let stripe = |_| CachePadded::new(std::array::from_fn(|_| Group::default()));
        Self {
            stripes: (0..stripe::count()).map(stripe).collect(),
            late_after,
        }
    }

    /// Counts a call of a group.
    #[inline]
    pub(crate) fn add(&self, group: usize, latency: Duration, has_failed: bool) {
        let group = &self.stripes[stripe::index()][group];
        group.calls.fetch_add(1, Relaxed);
        if has_failed {
            group.failed.fetch_add(1, Release);
        }
        let Some(late_after) = self.late_after else {
            return;
        };
        if latency > late_after {
            group.late.fetch_add(1, Relaxed);
        }
        group.latencies.get_or_init(Box::default).add(latency);
    }

    /// Counts a call of a group that failed, and whose latency says nothing.
    pub(crate) fn add_failed(&self, group: usize) {
        let group = &self.stripes[stripe::index()][group];
        group.calls.fetch_add(1, Relaxed);
        group.failed.fetch_add(1, Release);
    }

    /// Counts a call of a group as failed that was counted as none before.
    pub(crate) fn fail(&self, group: usize) {
        let group = &self.stripes[stripe::index()][group];
        group.failed.fetch_add(1, Release);
    }

    /// Reads all that was counted so far. In no group, more calls have failed than there are.
    pub(crate) fn read(&self, reading: &mut Reading<GROUPS>) {
        reading.iter_mut().for_each(CallStats::clear);
        // Before all calls, also those of other stripes: a call may fail on another thread than it was counted on. Pairs
        // with the release of who counts a failure.
        self.each_group(reading, |stats, group| {
            stats.failed += group.failed.load(Acquire);
        });
        self.each_group(reading, |stats, group| {
            stats.calls += group.calls.load(Relaxed);
            stats.late += group.late.load(Relaxed);
            if let Some(latencies) = group.latencies.get() {
                stats.absorb_latencies(latencies);
            }
        });
    }

    fn each_group(
        &self,
        reading: &mut Reading<GROUPS>,
        mut each: impl FnMut(&mut CallStats, &Group),
    ) {
        for stripe in &self.stripes {
            for (stats, group) in reading.iter_mut().zip(stripe.iter()) {
                each(stats, group);
            }
        }
    }
}
