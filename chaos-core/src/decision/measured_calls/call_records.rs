//! The records of the measured calls that are under way, of the whole process.
//!
//! A record is used again for another call and never freed, so that a call neither allocates nor takes a lock. Each
//! thread keeps some unused records; the lock of all others is taken once for many calls, and there it is noted which
//! records threads have. So a look through these takes the longer the more calls there are now, and not the more there
//! have ever been.

use std::{
    cell::RefCell,
    iter,
    num::NonZeroU32,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
};

use crate::guard_rail::injected_by::InjectedBy;

/// What a judgement has to know of a call. Aligned, so that calls share no cache line.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Record {
    /// When the call began, in nanoseconds; `FREE` without a call. Pairs with the loads of a judgement.
    pub(super) begun: AtomicU64,
    pub(super) resets: AtomicU64,
    /// The number of the guard rails that measure it.
    pub(super) watchers: AtomicU64,
    pub(super) injected: InjectedBy,
    /// What is under way, as flags. Those who hold the call hand it on, so one at a time changes them.
    pub(super) stage: AtomicU8,
    /// How many hold the call: one for its head, and one for its body.
    pub(super) holders: AtomicU32,
}

pub(super) const FREE: u64 = u64::MAX;

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

/// The size of the first chunk of records, as a power of two; each other one is twice as large.
const FIRST_BITS: u32 = 6;

/// All records that there have ever been.
static CHUNKS: [OnceLock<Chunk>; 24] = [const { OnceLock::new() }; 24];

struct Chunk {
    records: Box<[Record]>,
    /// A bit for each record, in groups: whether a thread has it, for a call or unused. They change only while `UNUSED`
    /// is locked, and are set before a call begins in the record. They order nothing: relaxed.
    taken: Box<[AtomicU64]>,
}

/// How many records have their bits in one number.
const GROUP: usize = 1 << FIRST_BITS;

/// Returns the chunk of the record with this number, which counts from 1, and its place there.
fn place(number: NonZeroU32) -> (&'static Chunk, usize) {
    let index = number.get() - 1 + (1 << FIRST_BITS);
    let power = index.ilog2();
    let records = 1_usize << power;
    let make = || Chunk {
        records: (0..records).map(|_| Record::default()).collect(),
        taken: (0..records / GROUP).map(|_| AtomicU64::new(0)).collect(),
    };
    let chunk = CHUNKS[(power - FIRST_BITS) as usize].get_or_init(make);
    (chunk, index as usize - records)
}

/// Returns a record by its number.
pub(super) fn record(number: NonZeroU32) -> &'static Record {
    let (chunk, at) = place(number);
    &chunk.records[at]
}

/// Returns the records that threads have. All calls under way are in these.
pub(super) fn each_taken() -> impl Iterator<Item = &'static Record> {
    let chunks = CHUNKS.iter().map_while(OnceLock::get);
    let groups = chunks.flat_map(|chunk| chunk.taken.iter().zip(chunk.records.chunks(GROUP)));
    groups.flat_map(|(taken, records)| {
        let mut taken = taken.load(Relaxed);
        iter::from_fn(move || {
            let first = taken.trailing_zeros();
            // None is left if the number has no bits.
            taken &= taken.checked_sub(1)?;
            records.get(first as usize)
        })
    })
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

impl Unused {
    /// Takes up to this many numbers for a thread.
    fn take(&mut self, most: usize, kept: &mut Vec<NonZeroU32>) {
        let from = self.numbers.len().saturating_sub(most);
        for number in self.numbers.drain(from..) {
            mark(number, true);
            kept.push(number);
        }
    }

    /// Takes a number that was never used.
    fn take_new(&mut self) -> Option<NonZeroU32> {
        const MOST: u32 = (1 << (FIRST_BITS + CHUNKS.len() as u32)) - (1 << FIRST_BITS);
        let next = (self.last < MOST).then_some(self.last + 1)?;
        let number = NonZeroU32::new(next)?;
        self.last = next;
        mark(number, true);
        Some(number)
    }

    fn give(&mut self, numbers: impl IntoIterator<Item = NonZeroU32>) {
        for number in numbers {
            mark(number, false);
            self.numbers.push(number);
        }
    }
}

/// Notes whether a thread has a record.
fn mark(number: NonZeroU32, is_taken: bool) {
    let (chunk, at) = place(number);
    let (group, bit) = (&chunk.taken[at / GROUP], 1 << (at % GROUP));
    match is_taken {
        true => group.fetch_or(bit, Relaxed),
        false => group.fetch_and(!bit, Relaxed),
    };
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
        unused().give(self.0.drain(..));
    }
}

fn unused() -> MutexGuard<'static, Unused> {
    UNUSED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the number of an unused record.
pub(super) fn take() -> Option<NonZeroU32> {
    let kept = KEPT_HERE.try_with(|kept| {
        let kept = &mut kept.borrow_mut().0;
        kept.pop().or_else(|| take_from_all(kept))
    });
    // The thread ends, and keeps none of them.
    kept.unwrap_or_else(|_| take_from_all(&mut KeptNumbers(Vec::new()).0))
}

#[cold]
fn take_from_all(kept: &mut Vec<NonZeroU32>) -> Option<NonZeroU32> {
    let mut unused = unused();
    unused.take(AT_ONCE, kept);
    kept.pop().or_else(|| unused.take_new())
}

/// Gives back the number of a record that is used no more.
pub(super) fn give(number: NonZeroU32) {
    let kept = KEPT_HERE.try_with(|kept| {
        let kept = &mut kept.borrow_mut().0;
        kept.push(number);
        if kept.len() >= KEPT {
            give_to_all(kept);
        }
    });
    if kept.is_err() {
        // The thread ends.
        unused().give([number]);
    }
}

#[cold]
fn give_to_all(kept: &mut Vec<NonZeroU32>) {
    unused().give(kept.drain(..AT_ONCE));
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

    /// After a peak, each judgement once looked through the records of all calls that there had ever been at once.
    #[test]
    fn what_threads_have_given_back_is_looked_through_no_more() {
        const PEAK: usize = 10_000;
        // Other tests have few.
        let taken: Vec<_> = (0..PEAK).map_while(|_| take()).collect();
        assert!(each_taken().count() >= PEAK);
        taken.into_iter().for_each(give);
        assert!(each_taken().count() < PEAK / 10);
    }
}
