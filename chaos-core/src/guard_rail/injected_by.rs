//! Who has injected into a call that is under way, and how that call learns of it.

use std::{
    cell::RefCell,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering::Relaxed},
    },
};

use crate::call::fates::{CallFates, KeyedFate};

const INJECTED: u8 = 1;
const OVERLAY: u8 = 2;

/// Whether a fault was injected into a call, and whether a rule of an overlay or a token fired on it. The flags
/// are set while the call is under way, and order nothing: relaxed.
///
/// If observations of rules count the call, there are their fates, too.
#[derive(Debug, Default)]
pub(crate) struct InjectedBy {
    flags: AtomicU8,
    /// Whether there are fates. The one who begins and ends the call sets it, and looks behind the lock: relaxed.
    is_observed: AtomicBool,
    fates: Mutex<Option<CallFates>>,
}

impl InjectedBy {
    /// Begins a call into which nothing was injected yet. `of_overlay`: whether a rule of an overlay fired on it.
    pub(crate) fn begin(&self, of_overlay: bool) {
        self.flags
            .store(if of_overlay { OVERLAY } else { 0 }, Relaxed);
    }

    /// Records that a fault was injected.
    fn note_injection(&self) {
        self.flags.fetch_or(INJECTED, Relaxed);
    }

    /// Records that a rule of an overlay fired, whose injection may follow.
    fn note_overlay(&self) {
        self.flags.fetch_or(OVERLAY, Relaxed);
    }

    /// Returns what has been injected so far.
    pub(crate) fn so_far(&self) -> InjectedSoFar {
        InjectedSoFar(self.flags.load(Relaxed))
    }

    /// Sets the fates of a call that observations count, which begins.
    #[cold]
    pub(crate) fn begin_fates(&self, fates: CallFates) {
        *self.fates.lock().unwrap_or_else(PoisonError::into_inner) = Some(fates);
        self.is_observed.store(true, Relaxed);
    }

    /// Takes the fates of a call that ends.
    #[cold]
    pub(crate) fn take_fates(&self) -> Option<CallFates> {
        self.is_observed.store(false, Relaxed);
        let mut fates = self.fates.lock().unwrap_or_else(PoisonError::into_inner);
        fates.take()
    }

    /// Notes a fate of the call for the observation of this number, if that counts it.
    pub(crate) fn note_fate(&self, number: u64, fate: KeyedFate) {
        if self.is_observed.load(Relaxed) {
            let fates = self.fates.lock().unwrap_or_else(PoisonError::into_inner);
            fates.iter().for_each(|fates| fates.note(number, fate));
        }
    }
}

/// What has been injected into a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InjectedSoFar(u8);

impl InjectedSoFar {
    /// Returns whether any fault was injected.
    pub(crate) fn is_by_anyone(self) -> bool {
        self.0 & INJECTED != 0
    }

    /// Returns whether a fault was injected into a call on which a rule of an overlay fired.
    pub(crate) fn is_by_overlay(self) -> bool {
        self.0 == INJECTED | OVERLAY
    }
}

thread_local! {
    /// For each measured call that this thread is serving right now, who has injected into it.
    static SERVED: RefCell<Vec<&'static InjectedBy>> = const { RefCell::new(Vec::new()) };
}

/// Marks every measured call that this thread is serving as injected.
pub(crate) fn note_injection() {
    each_served(InjectedBy::note_injection);
}

/// Marks every measured call that this thread is serving as one on which a rule of an overlay fired.
pub(crate) fn note_overlay() {
    each_served(InjectedBy::note_overlay);
}

/// Notes a fate of every measured call that this thread is serving for the observation of this number, if that counts it.
pub(crate) fn note_fate_of_served(number: u64, fate: KeyedFate) {
    each_served(|call| call.note_fate(number, fate));
}

fn each_served(note: impl Fn(&InjectedBy)) {
    // A thread whose storage is destroyed serves no call any more.
    let _ = SERVED.try_with(|served| served.borrow().iter().for_each(|call| note(call)));
}

/// Registers a measured call as being served on this thread, until it is dropped.
pub(crate) struct Serving(());

impl Serving {
    /// Registers a call. `injected` is set if a fault is injected into it meanwhile.
    pub(crate) fn new(injected: &'static InjectedBy) -> Self {
        SERVED.with_borrow_mut(|served| served.push(injected));
        Self(())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = SERVED.try_with(|served| served.borrow_mut().pop());
    }
}

#[cfg(test)]
impl InjectedSoFar {
    pub(super) const NOTHING: Self = Self(0);
    pub(super) const BY_A_RULE: Self = Self(INJECTED);
    pub(super) const BY_AN_OVERLAY: Self = Self(INJECTED | OVERLAY);
}
