//! What a thread keeps of the rules of sites, to settle the calls that are left alone.
//!
//! The flag of an armed site is a number that no other state of any site ever has. A thread that has kept
//! what settles calls under this number asks no more than that. Such a call is never hit: whenever a rule
//! hits it, or has to be asked closely, the call goes on to the rules themselves. If the call is to be measured, the
//! look says so.

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::{
    armed::{
        Armed,
        precheck::{Glance, Precheck},
    },
    call::Call,
    decision::{site_rules::Reads, watchers::Watchers},
    matcher::compiled::{Known, MethodBit},
    site::{measure::KeptWatchers, state::SiteState},
};

/// How many sites a thread keeps snapshots of, as a power of two. More sites share them.
const SLOT_BITS: u32 = 5;
pub(super) const SLOTS: usize = 1 << SLOT_BITS;

/// This many calls that find another number than their own replace a snapshot, so that sites which share a
/// slot do not replace each other at every call.
const PATIENCE: u8 = 8;

/// What a thread keeps of one site.
struct Snapshot {
    number: usize,
    /// How many calls have found another number than their own.
    misses: u8,
    rules: Vec<Arc<Precheck>>,
    /// The look at a call that all rules leave alone.
    settled: FirstLook,
    watchers: Option<KeptWatchers>,
}

impl Snapshot {
    const EMPTY: Self = Self {
        number: 0,
        misses: 0,
        rules: Vec::new(),
        settled: FirstLook::ALONE,
        watchers: None,
    };
}

thread_local! {
    static SLOTS_OF_THREAD: RefCell<[Snapshot; SLOTS]> = const {
        RefCell::new([const { Snapshot::EMPTY }; SLOTS])
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
    pub(super) fn number(self, reads: Reads) -> Option<usize> {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let after = |next: usize| (next < SiteState::NUMBERS).then(|| next + 1);
        let next = NEXT.fetch_update(Relaxed, Relaxed, after).ok()?;
        Some(SiteState::first(reads) | (next << SLOT_BITS) | self.0)
    }
}

/// How far a call was settled without the rules themselves. One word, so that it is returned in a register.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct FirstLook(
    /// Zero if all rules leave the call alone, and `MEASURED` if it is to be measured then. Or else, from
    /// the lowest bit on: one of the kinds below, the slot of the snapshot, the position of the first rule that does
    /// not, and as much of the snapshot's number as there is room for.
    usize,
);

/// The rule hits the call.
const HIT: usize = 1;
/// The rule has to be asked closely.
const CLOSELY: usize = 2;
/// Nothing is known of the call.
const UNKNOWN: usize = 3;
/// The rule takes the method and the path of the call, and reads other facts.
const NEEDS_CALL: usize = 4;
/// All rules leave the call alone, and it is measured.
const MEASURED: usize = 5;
/// The rule takes the path of the call, and reads its method, which has no bit, and maybe other facts.
const NEEDS_METHOD: usize = 6;
const KIND_BITS: u32 = 3;
/// Snapshots are kept of a few rules only.
const AT_BITS: u32 = 8;
/// Where the number of the snapshot begins.
const NUMBER_AT: u32 = KIND_BITS + SLOT_BITS + AT_BITS;

impl FirstLook {
    /// Nothing is known of the call.
    pub const NOTHING: Self = Self(UNKNOWN);

    /// The call is left alone.
    const ALONE: Self = Self(0);

    /// Returns whether the call is left alone: nothing else is to be done.
    #[inline(always)]
    #[must_use]
    pub fn leaves_alone(self) -> bool {
        self.0 == 0
    }

    /// Returns whether all rules leave the call alone, and it is to be measured.
    #[doc(hidden)]
    #[inline(always)]
    #[must_use]
    pub fn is_to_be_measured(self) -> bool {
        self.0 == MEASURED
    }

    /// Returns whether nothing is known of the call, so that nothing was counted of it.
    #[doc(hidden)]
    #[inline(always)]
    #[must_use]
    pub fn knows_nothing(self) -> bool {
        self.0 == UNKNOWN
    }

    /// Returns whether the call was settled so far as the rules at this number settle it. If not, what was
    /// counted of it is taken back.
    #[inline(always)]
    pub(super) fn holds_for(self, number: usize, call: &Call<'_>) -> bool {
        if self.knows_nothing() {
            return false;
        }
        let holds = self.is_at(number);
        if !holds {
            self.take_back(call);
        }
        holds
    }

    /// Takes back what was counted, unless another site has taken the slot since the look.
    #[cold]
    #[inline(never)]
    fn take_back(self, call: &Call<'_>) {
        let _ = SLOTS_OF_THREAD.try_with(|slots| {
            let Ok(slots) = slots.try_borrow() else {
                return;
            };
            let slot = &slots[self.slot()];
            if self.is_at(slot.number) {
                let counted = self.at() + usize::from(self.is_hit());
                let rules = slot.rules.iter().take(counted);
                let matched = rules.filter(|rule| rule.matches(call, Known::NOTHING));
                matched.for_each(|rule| rule.take_back());
            }
        });
    }

    /// Returns whether the look was at the snapshot with this number.
    #[inline(always)]
    fn is_at(self, number: usize) -> bool {
        self.0 >> NUMBER_AT == number_bits(number) >> NUMBER_AT
    }

    /// Returns whether the call has to be read to settle it.
    #[inline(always)]
    pub(super) fn needs_call(self) -> bool {
        matches!(self.kind(), NEEDS_CALL | NEEDS_METHOD)
    }

    /// Returns whether a rule hits the call.
    pub(super) fn is_hit(self) -> bool {
        self.kind() == HIT
    }

    /// Returns the position of the first rule that does not leave the call alone.
    pub(super) fn at(self) -> usize {
        (self.0 >> (KIND_BITS + SLOT_BITS)) % (1 << AT_BITS)
    }

    fn kind(self) -> usize {
        self.0 % (1 << KIND_BITS)
    }

    fn slot(self) -> usize {
        (self.0 >> KIND_BITS) % SLOTS
    }
}

/// Settles a call by what this thread has kept under a number of rules that do not read it.
#[inline(never)]
pub(super) fn look(number: usize) -> FirstLook {
    look_with(number, Precheck::glance)
}

/// Settles an HTTP request by what this thread has kept under a number, if its method and its path suffice.
#[inline(never)]
pub(super) fn look_by(number: usize, method: MethodBit, path: &str) -> FirstLook {
    look_with(number, |rule| rule.glance_by(method, path))
}

/// Settles a call by what this thread has kept under a number.
#[inline(never)]
pub(super) fn look_at(number: usize, call: &Call<'_>) -> FirstLook {
    look_with(number, |rule| rule.glance_at(call, Known::NOTHING))
}

#[inline(always)]
fn look_with(number: usize, glance: impl FnMut(&Precheck) -> Glance) -> FirstLook {
    with_snapshot(number % SLOTS, |snapshot| {
        if snapshot.number != number {
            return FirstLook::NOTHING;
        }
        snapshot.look(0, glance)
    })
}

/// Settles the rest of an HTTP request that has been settled as far as its method and its path suffice. The
/// integration has passed no other site since, so the slot still has the snapshot of that look.
#[inline(never)]
pub(super) fn go_on(look: FirstLook, call: &Call<'_>) -> FirstLook {
    with_snapshot(look.slot(), |snapshot| {
        let at = look.at();
        let Some(rule) = snapshot.rules.get(at) else {
            return FirstLook::NOTHING;
        };
        let known = match look.kind() {
            NEEDS_CALL => Known::METHOD_AND_PATH,
            _ => Known::PATH,
        };
        match rule.glance_at(call, known) {
            Glance::Pass if at + 1 == snapshot.rules.len() => snapshot.settled,
            Glance::Pass => snapshot.look_on(at + 1, call),
            glance => snapshot.end_at(at, glance),
        }
    })
}

#[inline(always)]
fn with_snapshot(slot: usize, look: impl FnOnce(&Snapshot) -> FirstLook) -> FirstLook {
    let look = SLOTS_OF_THREAD.try_with(|slots| {
        // It is borrowed already if an allocator passes a site. To borrow it mutably takes less.
        let Ok(slots) = slots.try_borrow_mut() else {
            return FirstLook::NOTHING;
        };
        look(&slots[slot])
    });
    look.unwrap_or(FirstLook::NOTHING)
}

impl Snapshot {
    /// Settles a call by the rules from a position on.
    #[inline(always)]
    fn look(&self, from: usize, mut glance: impl FnMut(&Precheck) -> Glance) -> FirstLook {
        for (at, rule) in self.rules.iter().enumerate().skip(from) {
            match glance(rule) {
                Glance::Pass => {}
                glance => return self.end_at(at, glance),
            }
        }
        self.settled
    }

    /// Settles a call whose facts are known by the rules from a position on.
    #[inline(never)]
    fn look_on(&self, from: usize, call: &Call<'_>) -> FirstLook {
        self.look(from, |rule| rule.glance_at(call, Known::NOTHING))
    }

    /// Returns how far a call was settled that the rule at a position does not leave alone.
    #[inline(always)]
    fn end_at(&self, at: usize, glance: Glance) -> FirstLook {
        let kind = match glance {
            Glance::Hit => HIT,
            Glance::Pass | Glance::LookCloser => CLOSELY,
            Glance::NeedsCall => NEEDS_CALL,
            Glance::NeedsMethod => NEEDS_METHOD,
        };
        let place = (at << SLOT_BITS) | (self.number % SLOTS);
        FirstLook(number_bits(self.number) | (place << KIND_BITS) | kind)
    }
}

/// Returns what measures calls that this thread has kept under a number, if anything does, and until when there is
/// anything at the site.
#[inline]
pub(super) fn watchers(number: usize) -> Option<(Arc<Watchers>, Duration)> {
    let kept = SLOTS_OF_THREAD.try_with(|slots| {
        let slots = slots.try_borrow().ok()?;
        let snapshot = &slots[number % SLOTS];
        let kept = snapshot.watchers.as_ref()?;
        (snapshot.number == number).then(|| kept.get()).flatten()
    });
    kept.ok().flatten()
}

/// Returns the number of a snapshot, without its slot, where a look has it.
fn number_bits(number: usize) -> usize {
    (number >> SLOT_BITS) << NUMBER_AT
}

/// Keeps what settles calls under a number.
#[cold]
pub(super) fn keep(number: usize, rules: &[Arc<Armed>], watchers: Option<KeptWatchers>) {
    let _ = SLOTS_OF_THREAD.try_with(|slots| {
        let Ok(mut slots) = slots.try_borrow_mut() else {
            return;
        };
        let slot = &mut slots[number % SLOTS];
        // It is kept already, and the call was none that it settles.
        if slot.number == number {
            return;
        }
        slot.misses += 1;
        if slot.number == 0 || slot.misses >= PATIENCE {
            let prechecks = rules.iter().map(|rule| Arc::clone(&rule.precheck));
            slot.rules.clear();
            slot.rules.extend(prechecks);
            (slot.number, slot.misses) = (number, 0);
            slot.settled = FirstLook(watchers.as_ref().map_or(0, |_| MEASURED));
            slot.watchers = watchers;
        }
    });
}
