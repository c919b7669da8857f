//! `FirstMismatches`: which conditions of rules those calls fail that a meter looks at.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
};

use crate::{call::Call, rule::Rule};

/// The most rules that calls are compared with at a time.
const MOST: usize = 16;

/// How many calls were compared with the conditions of a rule, and which of its conditions they failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MismatchCounts {
    /// How many calls were compared: one in a millisecond at most.
    pub compared: u64,
    /// How many of them failed which condition first, by the path of its field in the JSON of the rule, such as
    /// `match.path`. Conditions are checked in the order of the fields of [`Matcher`](crate::Matcher). Calls that the rule
    /// matches are in none.
    pub first: BTreeMap<String, u64>,
}

/// The rules that calls are compared with. A call waits for nobody who reads or changes them.
#[derive(Debug, Default)]
pub(super) struct FirstMismatches(Mutex<Vec<Compared>>);

#[derive(Debug)]
struct Compared {
    /// The number of who asks.
    number: u64,
    rule: Arc<Rule>,
    counts: MismatchCounts,
}

impl FirstMismatches {
    /// Compares further calls with the conditions of a rule, unless there are too many rules already. Returns whether
    /// calls are compared with it.
    pub(super) fn begin(&self, number: u64, rule: &Arc<Rule>) -> bool {
        let mut all = self.lock();
        let has_room = all.len() < MOST;
        if has_room {
            all.push(Compared {
                number,
                rule: Arc::clone(rule),
                counts: MismatchCounts::default(),
            });
        }
        has_room
    }

    /// Returns what was counted for who asks under this number.
    pub(super) fn read(&self, number: u64) -> Option<MismatchCounts> {
        let all = self.lock();
        let mut all = all.iter().filter(|compared| compared.number == number);
        all.next().map(|compared| compared.counts.clone())
    }

    pub(super) fn end(&self, number: u64) {
        self.lock().retain(|compared| compared.number != number);
    }

    /// Compares a call with the conditions of the rules. Left out while somebody else reads or changes them.
    pub(super) fn note(&self, call: &Call<'_>) {
        let mut all = match self.0.try_lock() {
            Ok(all) => all,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        for Compared { rule, counts, .. } in &mut *all {
            counts.compared += 1;
            let mismatches = rule.matcher.mismatches(call).into_iter();
            if let Some(first) = mismatches.map(|mismatch| mismatch.field).next() {
                *counts.first.entry(first).or_default() += 1;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Compared>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fault::Fault, matcher::Matcher};

    #[test]
    fn no_more_than_sixteen_rules_are_compared() {
        let all = FirstMismatches::default();
        let rule = Rule::new(
            "a".parse().unwrap(),
            "db".parse().unwrap(),
            Fault::error("lost"),
        );
        let rule = Arc::new(rule.matching(Matcher::new().label("table", "orders")));
        let most = MOST as u64;
        assert!((0..most).all(|number| all.begin(number, &rule)));
        assert!(!all.begin(most, &rule));
        all.note(&Call::new());
        assert_eq!(all.read(most), None);
        let counts = all.read(0).unwrap();
        assert_eq!(counts.compared, 1);
        assert_eq!(counts.first["match.labels.table"], 1);
        all.end(0);
        assert!(all.begin(most, &rule));
        assert_eq!(all.read(0), None);
    }

    #[test]
    fn a_call_does_not_wait_for_who_reads() {
        let all = FirstMismatches::default();
        let held = all.lock();
        all.note(&Call::new());
        drop(held);
    }
}
