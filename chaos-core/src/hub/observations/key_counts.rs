//! `KeyCounts`: how the calls of an observed rule fare, by groups of keys.

use std::{
    array,
    sync::{
        OnceLock,
        atomic::{
            AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
};

use crate::call::{
    fates::{Fate, KEY_GROUPS, KeyedFate},
    stripe,
};

/// The calls with keys of one group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyOutcomes {
    /// The calls that were hit.
    pub hit: CallCounts,
    /// The calls that were spared.
    pub spared: CallCounts,
}

/// How many calls there were, and how many of them have failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallCounts {
    /// How many calls there were.
    pub calls: u64,
    /// How many of them have failed.
    pub failed: u64,
}

/// The counts of the calls that were hit and spared, by groups of keys. A call adds to the stripe of its thread, without a
/// lock; the first call of a thread allocates its stripe.
#[derive(Debug)]
pub(crate) struct KeyCounts(Box<[OnceLock<Box<[KeyCount; KEY_GROUPS]>>]>);

#[derive(Debug, Default)]
struct KeyCount {
    hit: Count,
    spared: Count,
}

#[derive(Debug, Default)]
struct Count {
    calls: AtomicU64,
    failed: AtomicU64,
}

impl KeyCounts {
    pub(crate) fn new() -> Self {
        Self((0..stripe::count()).map(|_| OnceLock::new()).collect())
    }

    /// Counts a call.
    pub(crate) fn add(&self, fate: KeyedFate, has_failed: bool) {
        let make = || Box::new(array::from_fn(|_| KeyCount::default()));
        let stripe = self.0[stripe::index()].get_or_init(make);
        let group = &stripe[fate.key_group()];
        let count = match fate.fate() {
            Fate::Hit => &group.hit,
            Fate::Spared => &group.spared,
        };
        count.calls.fetch_add(1, Relaxed);
        if has_failed {
            count.failed.fetch_add(1, Release);
        }
    }

    /// Returns what was counted so far, for each group.
    pub(crate) fn read(&self) -> Vec<KeyOutcomes> {
        let mut read = vec![KeyOutcomes::default(); KEY_GROUPS];
        for stripe in self.0.iter().filter_map(OnceLock::get) {
            for (outcomes, counts) in read.iter_mut().zip(stripe.iter()) {
                counts.hit.add_to(&mut outcomes.hit);
                counts.spared.add_to(&mut outcomes.spared);
            }
        }
        read
    }
}

impl Count {
    fn add_to(&self, counts: &mut CallCounts) {
        // First, so that no more have failed than there are. Pairs with the release of who counts a failure.
        counts.failed += self.failed.load(Acquire);
        counts.calls += self.calls.load(Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All stripes of a site were once allocated when its observation began: up to 328 KB.
    #[test]
    fn a_stripe_is_allocated_when_a_thread_counts() {
        let counts = KeyCounts::new();
        let stripes = || counts.0.iter().filter_map(OnceLock::get);
        assert_eq!(stripes().count(), 0);
        for has_failed in [false, true] {
            counts.add(KeyedFate::of(Fate::Hit, Some("ann")), has_failed);
        }
        assert_eq!(stripes().count(), 1);
        let bytes: usize = stripes().map(|stripe| size_of_val(&**stripe)).sum();
        assert_eq!(bytes, 2048);
        let hit: Vec<_> = counts.read().into_iter().map(|key| key.hit).collect();
        let counted: Vec<_> = hit.iter().filter(|hit| hit.calls > 0).collect();
        assert_eq!(
            counted,
            [&CallCounts {
                calls: 2,
                failed: 1
            }]
        );
    }
}
