//! What a thread keeps of the rules of sites, to settle the calls that are left alone.
//!
//! The flag of an armed site is a number that no other state of any site ever has. A thread that has kept
//! what settles calls under this number asks no more than that. Such a call is never hit: whenever a rule
//! hits it, or has to be asked closely, the call goes on to the rules themselves.

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use crate::armed::{
    Armed,
    precheck::{Glance, Precheck},
};

/// How many sites a thread keeps snapshots of, as a power of two. More sites share them.
const SLOT_BITS: u32 = 5;
const SLOTS: usize = 1 << SLOT_BITS;

/// The first number of a state that snapshots are kept of. Smaller ones are the other states of a site.
pub(super) const FIRST: usize = SLOTS;

/// This many calls that find another number than their own replace a snapshot, so that sites which share a
/// slot do not replace each other at every call.
const PATIENCE: u8 = 8;

/// What a thread keeps of one site.
struct Snapshot {
    number: usize,
    /// How many calls have found another number than their own.
    misses: u8,
    rules: Vec<Arc<Precheck>>,
}

thread_local! {
    static SLOTS_OF_THREAD: RefCell<[Snapshot; SLOTS]> = const {
        RefCell::new([const { Snapshot { number: 0, misses: 0, rules: Vec::new() } }; SLOTS])
    };
}

/// Where a thread keeps the snapshot of a site.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlotId(usize);

impl SlotId {
    /// Returns the slots in turn, so that sites share them only if there are more sites than slots.
    pub(super) fn next() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Self(NEXT.fetch_add(1, Relaxed) % SLOTS)
    }

    /// Returns a number that was never returned before; `None` when there is none left.
    pub(super) fn number(self) -> Option<usize> {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let after = |next: usize| (next <= usize::MAX >> SLOT_BITS).then(|| next + 1);
        let next = NEXT.fetch_update(Relaxed, Relaxed, after).ok()?;
        Some((next << SLOT_BITS) | self.0)
    }
}

/// How far a call was settled without the rules themselves. One word, so that it is returned in a register.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct FirstLook(
    /// Zero if all rules leave the call alone. Or else, from the lowest bit on: one of the kinds below, the
    /// slot of the snapshot, and the position of the first rule that does not.
    usize,
);

/// The rule hits the call.
const HIT: usize = 1;
/// The rule has to be asked closely.
const CLOSELY: usize = 2;
/// Nothing is known of the call.
const UNKNOWN: usize = 3;
const KIND_BITS: u32 = 2;

impl FirstLook {
    /// Nothing is known of the call.
    pub const NOTHING: Self = Self(UNKNOWN);

    /// Returns whether the call is left alone: nothing else is to be done.
    #[inline(always)]
    #[must_use]
    pub fn leaves_alone(self) -> bool {
        self.0 == 0
    }

    /// Returns whether the call was settled so far as the rules at this number settle it. If not, what was
    /// counted of it is taken back.
    #[inline(always)]
    pub(super) fn holds_for(self, number: usize) -> bool {
        self.kind() != UNKNOWN && self.is_of(number)
    }

    #[inline(never)]
    fn is_of(self, number: usize) -> bool {
        let is_of = SLOTS_OF_THREAD.try_with(|slots| {
            let slots = slots.try_borrow().ok()?;
            let slot = &slots[self.slot()];
            if slot.number != number {
                let counted = self.at() + usize::from(self.is_hit());
                let rules = slot.rules.iter().take(counted);
                rules.for_each(|rule| rule.take_back());
            }
            Some(slot.number == number)
        });
        is_of.ok().flatten().unwrap_or(false)
    }

    /// Returns whether a rule hits the call.
    pub(super) fn is_hit(self) -> bool {
        self.kind() == HIT
    }

    /// Returns the position of the first rule that does not leave the call alone.
    pub(super) fn at(self) -> usize {
        self.0 >> (KIND_BITS + SLOT_BITS)
    }

    fn kind(self) -> usize {
        self.0 & UNKNOWN
    }

    fn slot(self) -> usize {
        (self.0 >> KIND_BITS) % SLOTS
    }
}

/// Settles a call by what this thread has kept under a number.
#[inline(never)]
pub(super) fn look(number: usize) -> FirstLook {
    let look = SLOTS_OF_THREAD.try_with(|slots| {
        // It is borrowed already if an allocator passes a site. To borrow it mutably takes less.
        let Ok(slots) = slots.try_borrow_mut() else {
            return FirstLook::NOTHING;
        };
        let slot = &slots[number % SLOTS];
        if slot.number != number {
            return FirstLook::NOTHING;
        }
        for (at, rule) in slot.rules.iter().enumerate() {
            let kind = match rule.glance() {
                Glance::Pass => continue,
                Glance::Hit => HIT,
                Glance::LookCloser => CLOSELY,
            };
            let place = (at << SLOT_BITS) | (number % SLOTS);
            return FirstLook((place << KIND_BITS) | kind);
        }
        FirstLook(0)
    });
    look.unwrap_or(FirstLook::NOTHING)
}

/// Keeps what settles calls under a number.
#[cold]
pub(super) fn keep(number: usize, rules: &[Arc<Armed>]) {
    let _ = SLOTS_OF_THREAD.try_with(|slots| {
        let Ok(mut slots) = slots.try_borrow_mut() else {
            return;
        };
        let slot = &mut slots[number % SLOTS];
        slot.misses += 1;
        if slot.number == 0 || slot.misses >= PATIENCE {
            let prechecks = rules.iter().map(|rule| Arc::clone(&rule.precheck));
            slot.rules.clear();
            slot.rules.extend(prechecks);
            (slot.number, slot.misses) = (number, 0);
        }
    });
}
