//! Whether the calls at a site have the address of their peer, which the first of them is asked for.

use std::sync::{
    PoisonError,
    atomic::{AtomicU8, Ordering::Relaxed},
};

use crate::{
    call::Call,
    site::{NEW, Site},
};

/// No call has been asked, and none is to be.
const NOT_ASKED: u8 = 0;
/// The next call is to be asked.
const TO_ASK: u8 = 1;
/// The call that was asked had no address.
const UNKNOWN: u8 = 2;
/// The call that was asked had an address.
const KNOWN: u8 = 3;

/// What is known of peers at one site. It orders nothing: relaxed.
#[derive(Debug)]
pub(crate) struct PeerState(AtomicU8);

impl PeerState {
    pub(crate) const fn new() -> Self {
        Self(AtomicU8::new(NOT_ASKED))
    }

    /// Has the next call asked, unless one was asked before. Returns whether this call of the method
    /// made the difference.
    pub(crate) fn ask_next(&self) -> bool {
        self.0.load(Relaxed) == NOT_ASKED
            && (self.0)
                .compare_exchange(NOT_ASKED, TO_ASK, Relaxed, Relaxed)
                .is_ok()
    }

    pub(crate) fn is_to_ask(&self) -> bool {
        self.0.load(Relaxed) == TO_ASK
    }

    /// Asks a call if one is to be asked.
    pub(crate) fn ask(&self, call: &Call<'_>) {
        if self.is_to_ask() {
            let state = match (call.tells_peer(), call.peer()) {
                // Calls of a client have none, and need none.
                (false, _) => NOT_ASKED,
                (true, None) => UNKNOWN,
                (true, Some(_)) => KNOWN,
            };
            self.0.store(state, Relaxed);
        }
    }

    /// Returns whether a call was asked, and had no address.
    pub(crate) fn is_unknown(&self) -> bool {
        self.0.load(Relaxed) == UNKNOWN
    }
}

impl Site {
    /// Asks the next call that passes for the address of its peer, unless one was asked before. A layer of a
    /// server does this when it is made, so that [`Injector::warnings`](crate::Injector::warnings) knows
    /// whether peers are known before a rule needs one. The call takes the path of an armed site.
    pub fn ask_for_peer(&self) {
        if self.peer.ask_next() {
            let _writing = self.write();
            if self.rules.load().is_none() {
                self.state.store(NEW, Relaxed);
            }
        }
    }

    /// Returns whether a call was asked for the address of its peer, and had none.
    pub(crate) fn lacks_peers(&self) -> bool {
        self.peer.is_unknown()
    }
}
