//! The calls that guard rails measure and that are under way, of the whole process.
//!
//! Each has a record, which is used again for another call and never freed, so that a call neither allocates nor
//! takes a lock. Each thread keeps some unused records; the lock of all others is taken once for many calls. A
//! judgement looks through all records for calls that are late. It may read one while that becomes the record of
//! another call, which it notices by the time when the call began.

use std::{
    cell::RefCell,
    num::NonZeroU32,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{
            AtomicU8, AtomicU32, AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
            fence,
        },
    },
    time::Duration,
};

use crate::{
    call::meter::nanos,
    decision::watchers::Watchers,
    guard_rail::{
        injected_by::{InjectedBy, InjectedSoFar},
        monitor::{CallStart, Monitor},
        under_way::{CallUnderWay, CallsUnderWay},
    },
};

/// What a judgement has to know of a call. Aligned, so that calls share no cache line.
#[derive(Debug)]
#[repr(align(64))]
struct Record {
    /// When the call began, in nanoseconds; `FREE` without a call. Pairs with the loads of a judgement.
    begun: AtomicU64,
    resets: AtomicU64,
    /// The number of the guard rails that measure it.
    watchers: AtomicU64,
    injected: InjectedBy,
    /// What is under way, as flags. Those who hold the call hand it on, so one at a time changes them.
    stage: AtomicU8,
    /// How many hold the call: one for its head, and one for its body.
    holders: AtomicU32,
}

const FREE: u64 = u64::MAX;

/// The head is still to come.
const HEAD: u8 = 1;
/// The body of the response is measured, and has not ended.
const BODY: u8 = 2;
/// The caller has left before the head.
const LEFT: u8 = 4;

impl Default for Record {
    fn default() -> Self {
        Self {
            begun: AtomicU64::new(FREE),
            resets: AtomicU64::new(0),
            watchers: AtomicU64::new(0),
            injected: InjectedBy::default(),
            stage: AtomicU8::new(0),
            holders: AtomicU32::new(0),
        }
    }
}

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

/// The calls under way that a guard rail measures.
pub(super) struct CallsOf<'m>(pub(super) &'m Monitor);

impl CallsUnderWay for CallsOf<'_> {
    fn each_begun_before(&self, time: Duration, each: &mut dyn FnMut(CallUnderWay)) {
        let time = nanos(time);
        // Locked once, and not for each call: a hundred thousand may be late.
        let groups = self.0.groups();
        for record in CHUNKS.iter().map_while(OnceLock::get).flatten() {
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

/// The size of the first chunk of records, as a power of two; each other one is twice as large.
const FIRST_BITS: u32 = 6;

/// All records that there have ever been.
static CHUNKS: [OnceLock<Box<[Record]>>; 24] = [const { OnceLock::new() }; 24];

/// Returns a record by its number, which counts from 1.
fn record(number: NonZeroU32) -> &'static Record {
    let index = number.get() - 1 + (1 << FIRST_BITS);
    let power = index.ilog2();
    let make = || (0..1_u32 << power).map(|_| Record::default()).collect();
    let chunk = CHUNKS[(power - FIRST_BITS) as usize].get_or_init(make);
    &chunk[(index - (1 << power)) as usize]
}

/// The numbers of unused records that no thread keeps.
static UNUSED: Mutex<Unused> = Mutex::new(Unused {
    numbers: Vec::new(),
    last: 0,
});

struct Unused {
    numbers: Vec<NonZeroU32>,
    /// The last number that was ever used.
    last: u32,
}

/// The most numbers of unused records that a thread keeps, and how many it takes or gives at once.
const KEPT: usize = 64;
const AT_ONCE: usize = KEPT / 2;

thread_local! {
    static KEPT_HERE: RefCell<KeptNumbers> = const { RefCell::new(KeptNumbers(Vec::new())) };
}

struct KeptNumbers(Vec<NonZeroU32>);

impl Drop for KeptNumbers {
    fn drop(&mut self) {
        unused().numbers.append(&mut self.0);
    }
}

fn unused() -> MutexGuard<'static, Unused> {
    UNUSED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the number of an unused record.
fn take() -> Option<NonZeroU32> {
    let kept = KEPT_HERE.try_with(|kept| {
        let kept = &mut kept.borrow_mut().0;
        kept.pop().or_else(|| take_from_all(kept))
    });
    // The thread ends, and keeps none of them.
    kept.unwrap_or_else(|_| take_from_all(&mut KeptNumbers(Vec::new()).0))
}

#[cold]
fn take_from_all(kept: &mut Vec<NonZeroU32>) -> Option<NonZeroU32> {
    const MOST: u32 = (1 << (FIRST_BITS + CHUNKS.len() as u32)) - (1 << FIRST_BITS);
    let mut unused = unused();
    let from = unused.numbers.len().saturating_sub(AT_ONCE);
    kept.extend(unused.numbers.drain(from..));
    kept.pop().or_else(|| {
        let next = (unused.last < MOST).then_some(unused.last + 1)?;
        unused.last = next;
        NonZeroU32::new(next)
    })
}

/// Gives back the number of a record that is used no more.
fn give(number: NonZeroU32) {
    let kept = KEPT_HERE.try_with(|kept| {
        let kept = &mut kept.borrow_mut().0;
        kept.push(number);
        if kept.len() >= KEPT {
            give_to_all(kept);
        }
    });
    if kept.is_err() {
        // The thread ends.
        unused().numbers.push(number);
    }
}

#[cold]
fn give_to_all(kept: &mut Vec<NonZeroU32>) {
    unused().numbers.extend(kept.drain(..AT_ONCE));
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        sync::mpsc::{Sender, channel},
        thread,
    };

    use super::*;

    type Numbers = BTreeSet<NonZeroU32>;

    /// Takes and gives back numbers twice when the thread ends, and sends which.
    struct TakesAtTheEnd(Sender<[Numbers; 2]>);

    impl Drop for TakesAtTheEnd {
        fn drop(&mut self) {
            let taken = [(); 2].map(|()| {
                let taken: Numbers = (0..KEPT).map_while(|_| take()).collect();
                taken.iter().copied().for_each(give);
                taken
            });
            self.0.send(taken).unwrap();
        }
    }

    thread_local! {
        static AT_THE_END: RefCell<Option<TakesAtTheEnd>> = const { RefCell::new(None) };
    }

    /// A call that began while its thread ended once took many records, used one, and forgot the others.
    #[test]
    fn a_thread_that_ends_loses_no_record() {
        let (sender, receiver) = channel();
        let ended = thread::spawn(|| {
            // What is used first is dropped last.
            AT_THE_END.set(Some(TakesAtTheEnd(sender)));
            KEPT_HERE.with_borrow_mut(|_| ());
        });
        ended.join().unwrap();
        let [first, second] = receiver.recv().unwrap();
        assert_eq!(first.len(), KEPT);
        assert_eq!(first, second);
    }
}
