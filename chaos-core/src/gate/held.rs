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
        if gate.is_listed() {
            return;
        }
        let mut gates = self.lock();
        if gate.is_listed() {
            return;
        }
        if gates.list.len() >= gates.full {
            gates.list.retain(|gate| gate.strong_count() > 0);
            gates.full = Self::FEW.max(2 * gates.list.len());
        }
        gates.list.push(Arc::downgrade(gate));
        gate.mark_listed();
    }

    /// Takes all gates, to be opened when no lock is held.
    pub(crate) fn take(&self) -> TakenGates {
        TakenGates(std::mem::take(&mut self.lock().list))
    }

    fn lock(&self) -> MutexGuard<'_, Gates> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The gates at which calls had waited when a halt began. Those that are listed later are not among them.
#[derive(Debug)]
#[must_use = "the calls that wait are released when the gates are opened"]
pub(crate) struct TakenGates(Vec<Weak<Gate>>);

impl TakenGates {
    /// Opens the gates. A task that is woken may edit rules, so no lock may be held.
    pub(crate) fn open_all(self) {
        for gate in self.0.iter().filter_map(Weak::upgrade) {
            gate.open();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{ptr, sync::Barrier, thread};

    use super::*;

    /// A second call waited at a gate that the first was still to add, and a halt returned meanwhile.
    #[test]
    fn a_call_waits_only_at_a_gate_that_is_listed() {
        let gates = HeldGates::default();
        for _ in 0..2000 {
            let (gate, start) = (Arc::default(), Barrier::new(2));
            let add = || {
                start.wait();
                gates.add(&gate);
                let is_it = |listed: &Weak<Gate>| ptr::eq(listed.as_ptr(), &*gate);
                gates.lock().list.iter().any(is_it)
            };
            thread::scope(|scope| {
                let other = scope.spawn(add);
                assert!(add());
                assert!(other.join().unwrap());
            });
        }
    }

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
        let taken = gates.take();
        let later = Arc::default();
        gates.add(&later);
        taken.open_all();
        assert!(kept.iter().all(|gate| gate.is_open()));
        assert!(!later.is_open());
        gates.take().open_all();
        assert!(later.is_open());
        assert!(gates.lock().list.is_empty());
    }
}
