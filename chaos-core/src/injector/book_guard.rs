//! `BookGuard`: the injector's lock, whose holder also does what a halt has left to be done.

use std::{
    ops::{Deref, DerefMut},
    sync::{MutexGuard, PoisonError, TryLockError, atomic::Ordering},
};

use crate::injector::{Book, Inner};

/// The lock on the book of an injector.
///
/// A halt does not wait for this lock. If someone else holds it, the sites are disarmed when that holder
/// releases it; until then, [`Hub::is_halted`](crate::hub::Hub::is_halted) keeps rules from firing.
pub(super) struct BookGuard<'i> {
    inner: &'i Inner,
    /// Taken when the guard is dropped.
    book: Option<MutexGuard<'i, Book>>,
}

impl Inner {
    /// Locks the book.
    pub(super) fn lock(&self) -> BookGuard<'_> {
        // No code that runs under the lock can leave the book half written.
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        self.guard(book)
    }

    /// Locks the book, unless somebody holds it.
    pub(super) fn try_lock(&self) -> Option<BookGuard<'_>> {
        Some(self.guard(self.try_book()?))
    }

    fn guard<'i>(&'i self, mut book: MutexGuard<'i, Book>) -> BookGuard<'i> {
        self.disarm_now(&mut book);
        BookGuard {
            inner: self,
            book: Some(book),
        }
    }

    fn try_book(&self) -> Option<MutexGuard<'_, Book>> {
        match self.book.try_lock() {
            Ok(book) => Some(book),
            Err(TryLockError::Poisoned(book)) => Some(book.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Disarms the sites for a halt: now if nobody holds the book, and when it is released otherwise.
    pub(super) fn disarm(&self) {
        self.is_disarming.store(true, Ordering::SeqCst);
        self.finish_disarming();
    }

    /// Disarms the sites if a halt wants it and nobody holds the book.
    fn finish_disarming(&self) {
        while self.is_disarming.load(Ordering::SeqCst) {
            // Its holder looks again after the release.
            let Some(mut book) = self.try_book() else {
                return;
            };
            self.disarm_now(&mut book);
        }
    }

    /// Disarms all sites, if a halt wants it.
    fn disarm_now(&self, book: &mut Book) {
        if self.is_disarming.swap(false, Ordering::SeqCst) {
            self.install_all(book, self.hub.clock.now());
        }
    }
}

impl Deref for BookGuard<'_> {
    type Target = Book;

    fn deref(&self) -> &Book {
        self.book.as_deref().expect("it is held until the drop")
    }
}

impl DerefMut for BookGuard<'_> {
    fn deref_mut(&mut self) -> &mut Book {
        self.book.as_deref_mut().expect("it is held until the drop")
    }
}

impl Drop for BookGuard<'_> {
    fn drop(&mut self) {
        // Released before the look: a halt that finds it held has announced itself before.
        if self.book.take().is_some() {
            self.inner.finish_disarming();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU64, time::Duration};

    use crate::{
        call::{Call, site_kind::SiteKind},
        fault::{Fault, latency::Latency},
        injector::Injector,
        rule::Rule,
        trigger::Trigger,
    };

    /// Its rule's gate is opened by the resume, since no call waits there.
    #[test]
    fn a_call_under_way_gets_no_further_fault_while_an_edit_works() {
        let injector = Injector::new();
        let latency = Latency::fixed(Duration::from_millis(1)).unwrap();
        let rule = Rule::new(
            "r".parse().unwrap(),
            "s".parse().unwrap(),
            Fault::latency(latency),
        );
        injector.put(rule.then(Fault::error("lost")));
        let site = injector.site("s");
        let mut under_way = [(); 2].map(|()| {
            let mut decision = site.decide(&Call::new()).unwrap();
            assert!(decision.next_plan().is_some());
            decision
        });
        let edit = injector.book();
        assert!(injector.halt("enough"));
        assert!(under_way[0].next_plan().is_none());
        drop(edit);
        assert!(injector.resume());
        assert!(under_way[1].next_plan().is_none());
        assert!(site.decide(&Call::new()).is_some());
    }

    /// Neither a call that the rule would have hit nor one that it would not counts as spared.
    #[test]
    fn a_rule_that_is_halted_spares_nothing_while_an_edit_works() {
        let injector = Injector::new();
        let site = injector.site_of("db.read", SiteKind::Sync);
        let (id, aim) = ("r".parse().unwrap(), "db.read".parse().unwrap());
        let rule = Rule::new(id, aim, Fault::error("lost"));
        let third = NonZeroU64::new(3).unwrap();
        injector.put(rule.trigger(Trigger::new().every(third)));
        injector.observe_outcomes("r", ["db.read"]).unwrap();
        let is_hit = || {
            let decision = site.decide(&Call::new());
            decision.is_some_and(|mut decision| decision.next_plan().is_some())
        };
        let reads = || (0..3).filter(|_| is_hit()).count();
        assert_eq!(reads(), 1);
        let edit = injector.book();
        assert!(injector.halt("enough"));
        assert_eq!(reads(), 0);
        drop(edit);
        let [site] = &injector.outcomes("r").unwrap().sites[..] else {
            panic!("one site");
        };
        assert_eq!((site.hit.calls, site.spared.calls), (1, 2));
    }
}
