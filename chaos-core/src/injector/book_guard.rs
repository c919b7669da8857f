//! `BookGuard`: the injector's lock, whose holder also does what a halt has left to be done.

use std::{
    ops::{Deref, DerefMut},
    sync::{MutexGuard, PoisonError, TryLockError, atomic::Ordering},
};

use crate::{
    armed::{live_rules::LiveRules, rules::Retired},
    injector::{Book, Inner},
};

/// The lock on the book of an injector.
///
/// A halt does not wait for this lock. If someone else holds it, the sites are disarmed when that holder
/// releases it; until then, [`Hub::is_halted`](crate::hub::Hub::is_halted) keeps rules from firing.
pub(super) struct BookGuard<'i> {
    inner: &'i Inner,
    /// Taken when the guard is dropped.
    book: Option<MutexGuard<'i, Book>>,
    /// The rules that are over, whose calls are released when the lock is.
    retired: Retired,
}

impl Inner {
    /// Locks the book.
    pub(super) fn lock(&self) -> BookGuard<'_> {
        // No code that runs under the lock can leave the book half written.
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        BookGuard::new(self, book)
    }

    /// Disarms the sites for a halt: now if nobody holds the book, and when it is released otherwise.
    pub(super) fn disarm(&self) {
        self.is_disarming.store(true, Ordering::SeqCst);
        self.finish_disarming();
    }

    /// Disarms the sites if a halt wants it and nobody holds the book.
    fn finish_disarming(&self) {
        while self.is_disarming.load(Ordering::SeqCst) {
            let book = match self.book.try_lock() {
                Ok(book) => book,
                Err(TryLockError::Poisoned(book)) => book.into_inner(),
                // Its holder looks again after the release.
                Err(TryLockError::WouldBlock) => return,
            };
            let mut guard = BookGuard::new(self, book);
            // Taken here: the `drop` of the guard would come back.
            guard.book = None;
            std::mem::take(&mut guard.retired).open(&self.live);
        }
    }

    /// Puts every rule behind a new gate and disarms all sites, if a halt wants it. Returns the rules whose
    /// calls are to be released: a rule that came between the halt and this may hold some.
    fn disarm_now(&self, book: &mut Book) -> Retired {
        if !self.is_disarming.swap(false, Ordering::SeqCst) {
            return Retired::default();
        }
        let newest = LiveRules::newest();
        let mut retired = book.rules.halt();
        self.live.add(&book.rules.armed, newest);
        for overlay in &book.overlays {
            let mut rules = overlay.rules();
            retired.0.append(&mut rules.halt().0);
            self.live.add(&rules.armed, newest);
        }
        self.install_all(book, self.hub.clock.now());
        retired
    }
}

impl<'i> BookGuard<'i> {
    fn new(inner: &'i Inner, mut book: MutexGuard<'i, Book>) -> Self {
        let retired = inner.disarm_now(&mut book);
        let book = Some(book);
        Self {
            inner,
            book,
            retired,
        }
    }

    /// Does what a halt has left to be done since the lock was taken.
    pub(super) fn disarm_now(&mut self) {
        if let Some(book) = &mut self.book {
            let mut retired = self.inner.disarm_now(book);
            self.retired.0.append(&mut retired.0);
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
            // A task that is woken may ask the injector something.
            std::mem::take(&mut self.retired).open(&self.inner.live);
            self.inner.finish_disarming();
        }
    }
}
