//! `BookGuard`: the injector's lock, whose holder also does what a halt has left to be done.

use std::{
    ops::{Deref, DerefMut},
    sync::{MutexGuard, PoisonError, TryLockError, atomic::Ordering},
};

use crate::{
    armed::live_rules::LiveRules,
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
            // Dropped without its own `drop`, which would come back here.
            BookGuard::new(self, book).book = None;
        }
    }

    /// Puts every rule behind a new gate and disarms all sites, if a halt wants it.
    pub(super) fn disarm_now(&self, book: &mut Book) {
        if !self.is_disarming.swap(false, Ordering::SeqCst) {
            return;
        }
        let newest = LiveRules::newest();
        // The halt has released their calls.
        let mut retired = book.rules.halt();
        self.live.add(&book.rules.armed, newest);
        for overlay in &book.overlays {
            let mut rules = overlay.rules();
            retired.0.append(&mut rules.halt().0);
            self.live.add(&rules.armed, newest);
        }
        self.live.remove(&retired.0);
        self.install_all(book, self.hub.clock.now());
    }
}

impl<'i> BookGuard<'i> {
    fn new(inner: &'i Inner, mut book: MutexGuard<'i, Book>) -> Self {
        inner.disarm_now(&mut book);
        let book = Some(book);
        Self { inner, book }
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
