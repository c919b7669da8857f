//! The last injections, numbered. Calls that are hit at the same time do not wait for each other: each thread adds to
//! a list of its own, and the lists are merged when someone reads.

use std::{
    collections::VecDeque,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{
            AtomicU64, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::SystemTime,
};

use chaos_core::Injection;
use crossbeam_utils::CachePadded;

use crate::history::injection_json::InjectionJson;

/// An injection that is retained.
#[derive(Debug)]
pub(crate) struct RecordedInjection {
    /// Its number, counted from 1.
    pub(crate) number: u64,
    /// The id of the newest audit entry at that moment, by which injections and entries are put in
    /// order.
    pub(crate) after: u64,
    pub(crate) at: SystemTime,
    pub(crate) injection: Injection,
    /// The event as most streams send it.
    event: OnceLock<Box<str>>,
}

impl RecordedInjection {
    /// Returns the JSON of the event.
    pub(crate) fn json(&self) -> String {
        let mut json = InjectionJson::of(&self.injection, self.at);
        json.number = Some(self.number);
        json.to_text()
    }

    /// Returns the event as most streams send it, which `write` writes for the first of them.
    pub(crate) fn event(&self, write: impl FnOnce() -> String) -> &str {
        self.event.get_or_init(|| write().into())
    }
}

/// The last [`CAPACITY`](Self::CAPACITY) injections, and the number of all.
pub(crate) struct RecentInjections {
    /// The number of injections so far, without those that are `uncounted` in a stripe. A number is taken under the
    /// lock of the stripe that the injection is added to.
    count: AtomicU64,
    stripes: Box<[CachePadded<Stripe>]>,
    merged: Mutex<Merged>,
}

/// The injections that the threads of one stripe have added since the lists were merged.
#[derive(Default)]
struct Stripe {
    /// The number of injections that are not retained, and have no number yet.
    uncounted: AtomicU64,
    waiting: Mutex<Vec<Arc<RecordedInjection>>>,
}

#[derive(Default)]
struct Merged {
    /// In the order of their numbers, without a gap unless injections were not retained.
    retained: VecDeque<Arc<RecordedInjection>>,
    /// The injections whose numbers are beyond the count that the last merge began with. One with a lower number may not
    /// be in a list yet.
    early: Vec<Arc<RecordedInjection>>,
}

impl RecentInjections {
    /// The number of injections that are retained: those of half a second in which 10,000 are hit, so that a stream may
    /// read late where the machine is busy.
    pub(crate) const CAPACITY: usize = 5000;
    const STRIPES: usize = 16;
    /// A thread that finds so many in its list merges the lists.
    const MOST_WAITING: usize = 32;

    pub(crate) fn new() -> Self {
        Self {
            count: AtomicU64::new(0),
            stripes: (0..Self::STRIPES).map(|_| CachePadded::default()).collect(),
            merged: Mutex::default(),
        }
    }

    /// Counts an injection that is not retained.
    pub(crate) fn count_only(&self) {
        self.stripe().uncounted.fetch_add(1, Relaxed);
    }

    /// Adds an injection. Returns whether the lists were merged, as they are now and then.
    pub(crate) fn add(&self, injection: &Injection, after: u64, at: SystemTime) -> bool {
        let mut recorded = RecordedInjection {
            number: 0,
            after,
            at,
            injection: injection.clone(),
            event: OnceLock::new(),
        };
        let mut waiting = lock(&self.stripe().waiting);
        // Pairs with the loads in `merge` and `newest`: a stream that does not see this number is woken afterwards.
        recorded.number = self.count.fetch_add(1, SeqCst) + 1;
        waiting.push(Arc::new(recorded));
        let many = waiting.len();
        drop(waiting);
        if many < Self::MOST_WAITING {
            return false;
        }
        // A thread that merges takes this list, too. Only a list that it has not taken for long is waited for.
        let merged = match self.merged.try_lock() {
            Ok(merged) => Some(merged),
            Err(_) if many < Self::CAPACITY => None,
            Err(_) => Some(lock(&self.merged)),
        };
        merged.is_some_and(|mut merged| {
            self.merge(&mut merged);
            true
        })
    }

    /// Returns the number of the newest injection; 0 if there was none.
    pub(crate) fn newest(&self) -> u64 {
        self.count_all();
        self.count.load(SeqCst)
    }

    /// Returns the retained injections that follow the one with this number, and how many of those
    /// that follow it are not retained.
    pub(crate) fn after(&self, number: u64) -> (Vec<Arc<RecordedInjection>>, u64) {
        self.count_all();
        let mut merged = lock(&self.merged);
        let count = self.merge(&mut merged);
        let retained = &merged.retained;
        let from = retained.partition_point(|it| it.number <= number);
        let following: Vec<_> = retained.range(from..).cloned().collect();
        drop(merged);
        let missed = count.saturating_sub(number) - following.len() as u64;
        (following, missed)
    }

    /// Forgets all injections, and keeps their number.
    pub(crate) fn clear(&self) {
        self.count_all();
        let mut merged = lock(&self.merged);
        self.merge(&mut merged);
        let retained = mem::take(&mut merged.retained);
        drop(merged);
        drop(retained);
    }

    /// Adds what the stripes have counted.
    fn count_all(&self) {
        let stripes = self.stripes.iter();
        let uncounted = stripes
            .map(|stripe| stripe.uncounted.swap(0, Relaxed))
            .sum();
        if uncounted > 0 {
            self.count.fetch_add(uncounted, SeqCst);
        }
    }

    /// Merges the lists, and returns the number up to which an injection is retained now or never will be.
    fn merge(&self, merged: &mut Merged) -> u64 {
        // Numbers are taken under the locks that are taken below, so whatever has one of up to this is in a list.
        let count = self.count.load(SeqCst);
        for stripe in &self.stripes {
            merged.early.append(&mut lock(&stripe.waiting));
        }
        merged.early.sort_unstable_by_key(|it| it.number);
        let ready = merged.early.partition_point(|it| it.number <= count);
        merged.retained.extend(merged.early.drain(..ready));
        let too_many = merged.retained.len().saturating_sub(Self::CAPACITY);
        merged.retained.drain(..too_many);
        count
    }

    /// Returns the stripe of this thread.
    fn stripe(&self) -> &Stripe {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static INDEX: usize = NEXT.fetch_add(1, Relaxed);
        }
        // A thread whose storage is destroyed shares the first.
        let index = INDEX.try_with(|index| *index).unwrap_or_default();
        &self.stripes[index % Self::STRIPES]
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, thread};

    use chaos_core::{Fault, Injector, Rule, inject};

    use super::*;

    fn injection() -> Injection {
        let injector = Injector::new();
        let seen = Arc::new(Mutex::new(None));
        let told = Arc::clone(&seen);
        injector.observe(move |injection| *told.lock().unwrap() = Some(injection.clone()));
        let (id, site) = ("r".parse().unwrap(), "db.read".parse().unwrap());
        injector.put(Rule::new(id, site, Fault::error("lost")));
        assert!(inject!(injector: &injector, "db.read").is_err());
        let injection = seen.lock().unwrap().take();
        injection.unwrap()
    }

    #[test]
    fn each_injection_is_read_once_in_order_while_threads_add() {
        const THREADS: usize = 4;
        const EACH: usize = 20_000;
        let (recent, injection) = (RecentInjections::new(), injection());
        let (mut read, mut missed, mut seen) = (0, 0, BTreeSet::new());
        thread::scope(|scope| {
            let add = || {
                (0..EACH).for_each(|_| {
                    recent.add(&injection, 0, SystemTime::UNIX_EPOCH);
                });
            };
            let adding: Vec<_> = (0..THREADS).map(|_| scope.spawn(add)).collect();
            loop {
                let done = adding.iter().all(thread::ScopedJoinHandle::is_finished);
                let (following, gone) = recent.after(read);
                missed += gone;
                read += gone;
                for it in following {
                    assert_eq!(it.number, read + 1);
                    assert!(seen.insert(it.number));
                    read = it.number;
                }
                if done && read == recent.newest() {
                    break;
                }
            }
        });
        assert_eq!(read, (THREADS * EACH) as u64);
        assert_eq!(seen.len() as u64 + missed, read);
    }

    #[test]
    fn the_last_are_retained_and_the_others_are_counted() {
        let (recent, injection) = (RecentInjections::new(), injection());
        recent.count_only();
        assert_eq!(recent.newest(), 1);
        for _ in 0..5500 {
            recent.add(&injection, 0, SystemTime::UNIX_EPOCH);
        }
        let (following, missed) = recent.after(0);
        assert_eq!((following.len(), missed), (5000, 501));
        assert_eq!(following[0].number, 502);
        assert_eq!(recent.after(5500).0[0].number, 5501);
        recent.clear();
        let (following, missed) = recent.after(5400);
        assert_eq!((following.len(), missed), (0, 101));
    }
}
