//! `LiveRules`: the rules for which calls may wait, those of overlays included, apart from the injector's
//! lock: a halt releases them while an edit works under that lock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fnv::FnvHashMap;

use crate::{armed::Armed, gate::Gate};

/// The rules that are or have been in force and whose calls have not been released, by the number of their
/// gate. A rule is added before any site holds it.
#[derive(Debug, Default)]
pub(crate) struct LiveRules(Mutex<FnvHashMap<u64, Arc<Armed>>>);

impl LiveRules {
    /// Returns the number of the newest gate. Rules that are made from now on are behind newer ones.
    pub(crate) fn newest() -> u64 {
        Gate::newest()
    }

    /// Adds those of `rules` that are behind a gate that was made after the gate `newest`.
    pub(crate) fn add(&self, rules: &[Arc<Armed>], newest: u64) {
        let is_new = |rule: &&Arc<Armed>| rule.gate.number > newest;
        let new = rules.iter().filter(is_new);
        self.lock()
            .extend(new.map(|rule| (rule.gate.number, Arc::clone(rule))));
    }

    /// Removes rules whose calls have been released.
    pub(crate) fn remove(&self, rules: &[Arc<Armed>]) {
        if rules.is_empty() {
            return;
        }
        let mut live = self.lock();
        for rule in rules {
            live.remove(&rule.gate.number);
        }
    }

    /// Releases the calls of all rules.
    pub(crate) fn open_all(&self) {
        // A task that is woken may edit rules, so no lock is held meanwhile.
        let rules: Vec<_> = self.lock().values().cloned().collect();
        for rule in rules {
            rule.open();
        }
    }

    fn lock(&self) -> MutexGuard<'_, FnvHashMap<u64, Arc<Armed>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
