//! `HeldGates`: the gates at which calls wait, apart from the injector's lock: a halt opens them while an edit works
//! under that lock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::gate::Gate;

/// The gates at which calls have waited. The first call at a gate adds it, under a lock; for the others, that is a
/// load. Rules at which no call has waited are not in it, so an edit has nothing to do with it.
#[derive(Debug, Default)]
pub(crate) struct HeldGates(Mutex<Gates>);

#[derive(Debug, Default)]
struct Gates {
    list: Vec<Weak<Gate>>,
    /// The length at which those are removed that are gone.
    full: usize,
}

impl HeldGates {
    /// The least length at which gates are removed that are gone.
    const FEW: usize = 64;

    /// Adds a gate, before a call waits there.
    pub(crate) fn add(&self, gate: &Arc<Gate>) {
        if !gate.list_once() {
            return;
        }
        let mut gates = self.lock();
        if gates.list.len() >= gates.full {
            gates.list.retain(|gate| gate.strong_count() > 0);
            gates.full = Self::FEW.max(2 * gates.list.len());
        }
        gates.list.push(Arc::downgrade(gate));
    }

    /// Opens all gates.
    pub(crate) fn open_all(&self) {
        // A task that is woken may edit rules, so no lock is held meanwhile.
        let gates = std::mem::take(&mut self.lock().list);
        for gate in gates.iter().filter_map(Weak::upgrade) {
            gate.open();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Gates> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each release of a paused call leaves a gate behind.
    #[test]
    fn gates_that_are_gone_take_no_room() {
        let gates = HeldGates::default();
        let kept: Vec<_> = (0..10).map(|_| Arc::<Gate>::default()).collect();
        for gate in &kept {
            gates.add(gate);
            gates.add(gate);
            assert!(!gate.is_open());
        }
        for _ in 0..10_000 {
            gates.add(&Arc::default());
        }
        assert!(gates.lock().list.len() <= 2 * HeldGates::FEW);
        gates.open_all();
        assert!(kept.iter().all(|gate| gate.is_open()));
        assert!(gates.lock().list.is_empty());
    }
}
