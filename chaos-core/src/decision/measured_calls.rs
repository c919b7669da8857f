//! The calls that guard rails measure and that are under way, of the whole process.
//!
//! Each has a [`Record`]. A judgement looks for calls that are late through all records that threads have. It may read
//! one while that becomes the record of another call, which it notices by the time when the call began.

mod call_records;

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{
            Ordering::{AcqRel, Acquire, Relaxed, Release},
            fence,
        },
    },
    time::Duration,
};

use self::call_records::{FREE, Record, each_taken, give, record, take};
use super::watchers::Watchers;
use crate::{
    call::meter::nanos,
    guard_rail::{
        injected_by::{InjectedBy, InjectedSoFar},
        monitor::{CallStart, Monitor},
        outcomes::CallEnd,
        under_way::{CallUnderWay, CallsUnderWay},
    },
};

/// The head is still to come.
const HEAD: u8 = 1;
/// The body of the response is measured, and has not ended.
const BODY: u8 = 2;
/// The caller has left before the head.
const LEFT: u8 = 4;

impl Record {
    fn start(&self) -> CallStart {
        CallStart {
            begun: Duration::from_nanos(self.begun.load(Relaxed)),
            resets: self.resets.load(Relaxed),
        }
    }

    fn is_sole(&self) -> bool {
        // Pairs with the drop of the other holder, whose changes are then seen.
        self.holders.load(Acquire) == 1
    }
}

/// A measured call, as its head or its body holds it.
#[derive(Debug)]
pub(super) struct MeasuredCall {
    watchers: Arc<Watchers>,
    number: NonZeroU32,
}

/// What is known of a call when its head or its body ends.
pub(super) struct AtEnd {
    pub(super) start: CallStart,
    pub(super) injected: InjectedSoFar,
    /// Whether the caller has left before the head.
    pub(super) has_left: bool,
    /// Whether a body follows.
    pub(super) has_body: bool,
}

impl MeasuredCall {
    /// Begins a call. `of_overlay`: whether a rule of an overlay fired on it. Returns `None` if there are more
    /// than records can be made for.
    pub(super) fn begin(watchers: Arc<Watchers>, now: Duration, of_overlay: bool) -> Option<Self> {
        let number = take()?;
        let record = record(number);
        let start = CallStart::at(now);
        // Pairs with the fence of a judgement: if that has read any of what follows, it sees that the record has been
        // free since it began to read.
        fence(Release);
        record.watchers.store(watchers.number(), Relaxed);
        record.resets.store(start.resets, Relaxed);
        record.injected.begin(of_overlay);
        if watchers.is_observed {
            record.injected.begin_fates(watchers.begin_fates());
        }
        record.stage.store(HEAD, Relaxed);
        record.holders.store(1, Relaxed);
        let begun = nanos(start.begun).min(FREE - 1);
        record.begun.store(begun, Release);
        Some(Self { watchers, number })
    }

    /// Returns the call once more, for its body.
    pub(super) fn share(&self) -> Self {
        self.record().holders.fetch_add(1, Relaxed);
        Self {
            watchers: Arc::clone(&self.watchers),
            number: self.number,
        }
    }

    /// Records that the body of the response is measured.
    pub(super) fn begin_body(&self) {
        self.record().stage.fetch_or(BODY, Relaxed);
    }

    /// Records that the caller has left before the head.
    pub(super) fn leave(&self) {
        self.record().stage.fetch_or(LEFT, Relaxed);
    }

    /// Records that the head is there, or that there will be none.
    pub(super) fn end_head(&self) -> AtEnd {
        self.end(HEAD)
    }

    /// Records that the body has ended.
    pub(super) fn end_body(&self) -> AtEnd {
        self.end(BODY)
    }

    fn end(&self, what: u8) -> AtEnd {
        let record = self.record();
        let stage = record.stage.load(Relaxed);
        record.stage.store(stage & !what, Relaxed);
        AtEnd {
            start: record.start(),
            injected: record.injected.so_far(),
            has_left: stage & LEFT != 0,
            has_body: stage & !what & BODY != 0,
        }
    }

    /// Counts a call whose head is there, or whose caller has left, for each observation that counts it.
    #[cold]
    #[inline(never)]
    pub(super) fn count_outcome(&self, now: Duration, end: CallEnd) {
        // Read once more: a call that nobody counts so hands nothing on.
        let taken = self.start().taken(now);
        let fates = self.record().injected.take_fates();
        for site in self.watchers.observers() {
            let fate = fates.as_ref().and_then(|fates| fates.of(site.observation));
            site.end(fate, taken, end);
        }
        let observations = &self.watchers.hub().observations;
        if observations.are_over(now) {
            observations.try_to_end_lapsed();
        }
    }

    pub(super) fn start(&self) -> CallStart {
        self.record().start()
    }

    pub(super) fn injected(&self) -> &'static InjectedBy {
        &self.record().injected
    }

    pub(super) fn watchers(&self) -> &Watchers {
        &self.watchers
    }

    fn record(&self) -> &'static Record {
        record(self.number)
    }
}

impl Drop for MeasuredCall {
    fn drop(&mut self) {
        let record = self.record();
        if record.is_sole() || record.holders.fetch_sub(1, AcqRel) == 1 {
            // Before the number is given back: from then on, the record may be another call's.
            record.begun.store(FREE, Relaxed);
            record.stage.store(0, Relaxed);
            give(self.number);
        }
    }
}

/// Calls `each` for each call under way that waits for its head and into which a fault was injected, with the number of
/// those that measure it.
pub(super) fn each_injected(mut each: impl FnMut(u64)) {
    for record in each_taken() {
        let begun = record.begun.load(Acquire);
        let injected = record.injected.so_far();
        let stage = record.stage.load(Relaxed);
        let watchers = record.watchers.load(Relaxed);
        // It may have become another call's meanwhile. Pairs with the fence of a call that begins.
        fence(Acquire);
        if begun != FREE
            && record.begun.load(Relaxed) == begun
            && stage & HEAD != 0
            && injected.is_by_anyone()
        {
            each(watchers);
        }
    }
}

/// The calls under way that a guard rail measures.
pub(super) struct CallsOf<'m>(pub(super) &'m Monitor);

impl CallsUnderWay for CallsOf<'_> {
    fn each_begun_before(&self, time: Duration, each: &mut dyn FnMut(CallUnderWay)) {
        let time = nanos(time);
        // Locked once, and not for each call: a hundred thousand may be late.
        let groups = self.0.groups();
        for record in each_taken() {
            // A free one is not: nothing is later.
            let begun = record.begun.load(Acquire);
            if begun >= time {
                continue;
            }
            let start = CallStart {
                begun: Duration::from_nanos(begun),
                resets: record.resets.load(Relaxed),
            };
            let injected = record.injected.so_far();
            let stage = record.stage.load(Relaxed);
            let watchers = record.watchers.load(Relaxed);
            // It may have become another call's meanwhile. Pairs with the fence of a call that begins.
            fence(Acquire);
            if record.begun.load(Relaxed) == begun
                && stage & (HEAD | BODY) != 0
                && groups.contains(&watchers)
                && self.0.counts(start, injected)
            {
                each(CallUnderWay {
                    begun: start.begun,
                    awaits_head: stage & HEAD != 0,
                    injected: injected.is_by_anyone(),
                });
            }
        }
    }
}
