//! Whom a pick hits: one replica at random of one group at random.

use std::collections::BTreeMap;

use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::{
    dice::{Draw, dice},
    pick::Pick,
    state::State,
};
use crate::replica::Replica;

/// What comes of a pick.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Choice {
    /// This replica is picked.
    Replica {
        /// The id of the replica.
        id: String,
        /// The labels of its group: those that the pick groups by.
        group: BTreeMap<String, String>,
    },
    /// The draw has spared everyone: the pick has a `probability` below 1.
    Spared,
    /// There is no replica to pick: so many have the labels, and none of them has opted in to all faults of the pick.
    Nobody {
        /// The number of replicas that have the labels.
        meant: usize,
    },
    /// The pick was not made, for this reason: its probe does not hold, or the fleet is halted. [`Pick::choose`] does
    /// not return it; whoever runs the picker may record it.
    Withheld {
        /// Why not.
        reason: String,
    },
}

impl Pick {
    /// Chooses a replica for the next pick: first one of the groups that have a replica which has opted in, then one of
    /// these replicas, each with the same chance. So a replica of a small group is picked more often than one of a large
    /// group.
    ///
    /// The choice is a function of the seed, the name and the ordinal of the pick, and of the replicas, in whatever order.
    /// It does not depend on the time, and does not change the schedule.
    #[must_use]
    pub fn choose(&self, state: &State, replicas: &[Replica]) -> Choice {
        let mut dice = dice(
            Draw::Choice,
            self.seed_of(state),
            self.name(),
            state.ordinal,
            0,
        );
        if !dice.random_bool(self.probability()) {
            return Choice::Spared;
        }
        let by_id: BTreeMap<_, _> = replicas.iter().map(|it| (&it.id, it)).collect();
        let (mut groups, mut meant) = (BTreeMap::new(), 0);
        for replica in by_id.into_values() {
            let Some(group) = self.group_of(replica) else {
                continue;
            };
            meant += 1;
            if self.faults().is_subset(&replica.opted_in) {
                let group: &mut Vec<_> = groups.entry(group).or_default();
                group.push(replica.id.as_str());
            }
        }
        if groups.is_empty() {
            return Choice::Nobody { meant };
        }
        let groups: Vec<_> = groups.into_iter().collect();
        let (group, ids) = &groups[dice.random_range(0..groups.len())];
        let id = ids[dice.random_range(0..ids.len())].to_owned();
        let group = self.group_by().iter().zip(group);
        let group = group.map(|(name, value)| (name.clone(), (*value).to_owned()));
        Choice::Replica {
            id,
            group: group.collect(),
        }
    }

    /// Returns whether a replica may be picked: it has the labels, and has opted in to all faults.
    #[must_use]
    pub fn is_for(&self, replica: &Replica) -> bool {
        self.group_of(replica).is_some() && self.faults().is_subset(&replica.opted_in)
    }

    /// Returns the values of the labels that the pick groups by; `None` if the replica lacks one of these, or is not
    /// meant.
    fn group_of<'r>(&self, replica: &'r Replica) -> Option<Vec<&'r str>> {
        let has =
            |(name, value): (&String, &String)| replica.labels.find(name) == Some(value.as_str());
        if !self.labels().iter().all(has) {
            return None;
        }
        let values = self.group_by().iter();
        values.map(|name| replica.labels.find(name)).collect()
    }
}
