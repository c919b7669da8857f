//! `Positions`: where each rule of a list stands, by its id.

use std::{hash::Hasher, sync::Arc};

use fnv::{FnvHashMap, FnvHasher};

use crate::rule::rule_list::RuleList;

/// The position of each rule, by its id. It holds no ids: the list of the rules is an argument.
///
/// A clone is cheap, and so is an edit that leaves every rule in its place. Otherwise the map is copied.
#[derive(Clone, Debug, Default)]
pub(crate) struct Positions(Arc<FnvHashMap<u32, u32>>);

impl Positions {
    /// Finds the positions of `rules`. The error is the position of a rule whose id an earlier one has.
    pub(super) fn of(rules: &RuleList) -> Result<Self, usize> {
        let mut positions = FnvHashMap::default();
        positions.reserve(rules.len());
        let mut positions = Self(Arc::new(positions));
        for at in 0..rules.len() {
            positions.add(rules, at).map_err(|()| at)?;
        }
        Ok(positions)
    }

    /// Returns the position of the rule with this id in `rules`, whose positions these are.
    pub(super) fn find(&self, rules: &RuleList, id: &str) -> Option<usize> {
        self.look_up(rules, id).ok()
    }

    /// Adds the rule at `at`. The error says that another rule has its id.
    pub(super) fn add(&mut self, rules: &RuleList, at: usize) -> Result<(), ()> {
        let Err(key) = self.look_up(rules, id_at(rules, at)) else {
            return Err(());
        };
        let at = u32::try_from(at).expect("fewer rules than fit in memory");
        Arc::make_mut(&mut self.0).insert(key, at);
        Ok(())
    }

    /// Returns the position of the rule with this id, or else the key under which it belongs: the hash of the id, or
    /// one of the next, where others with the same hash stand.
    fn look_up(&self, rules: &RuleList, id: &str) -> Result<usize, u32> {
        let mut hasher = FnvHasher::default();
        hasher.write(id.as_bytes());
        let hash = hasher.finish();
        // Half of it takes half of the memory, and is unequal nearly as often.
        let mut key = (hash ^ (hash >> 32)) as u32;
        while let Some(at) = self.0.get(&key) {
            let at = *at as usize;
            if id_at(rules, at) == id {
                return Ok(at);
            }
            key = key.wrapping_add(1);
        }
        Err(key)
    }
}

/// Returns the id of the rule at `at`, which is one of the list.
fn id_at(rules: &RuleList, at: usize) -> &str {
    rules.get(at).map_or("", |rule| rule.id.as_str())
}
