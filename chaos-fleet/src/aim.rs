//! Whom a document is meant for: as a person says it, and as replicas decide it.

use std::hash::Hasher;

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use crate::{
    error::Refusal,
    name::Name,
    replica::{Labels, Replica},
};

/// Whom a document is meant for: the replicas with all of the labels, and of these a share, a number, or those with these
/// ids. Without anything, all.
///
/// `share` and `count` are exact among the replicas that are registered when the document is put. Which ones it are depends
/// on the names of the document and of the replica alone, so a greater share keeps all that a smaller one had, and a replica
/// that joins later decides for itself whether it is among them.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Aim {
    /// The labels that a replica must have.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// The part of the replicas, 0 to 1, rounded up to whole replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// The number of replicas; all if there are fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
    /// The replicas themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<Name>>,
    /// The greatest number of replicas, however many have the labels. Those that join later are then not among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<usize>,
}

impl Aim {
    /// The most ids, which also bounds `at_most`.
    const MOST_IDS: usize = 10_000;

    /// Returns an error if a field is out of its range, or two exclude each other.
    ///
    /// # Errors
    /// It names the field.
    pub fn check(&self) -> Result<(), Refusal> {
        if let Some(share) = self.share
            && !(0.0..=1.0).contains(&share)
        {
            let problem = format!("{share} is no share");
            return Err(Refusal::new("aim.share", problem, "a number from 0 to 1"));
        }
        let given = [
            self.share.is_some(),
            self.count.is_some(),
            self.ids.is_some(),
        ];
        if given.into_iter().filter(|given| *given).count() > 1 {
            let problem = "more than one of share, count and ids";
            return Err(Refusal::new("aim", problem, "one of share, count and ids"));
        }
        let ids = self.ids.as_ref().map_or(0, Vec::len);
        for (field, number) in [("aim.ids", ids), ("aim.at_most", self.at_most.unwrap_or(0))] {
            if number > Self::MOST_IDS {
                return Err(Refusal::new(
                    field,
                    format!("{number} replicas"),
                    "at most 10000",
                ));
            }
        }
        Ok(())
    }

    /// Decides whom the document is meant for, among the replicas that are registered. `before` is what was decided for
    /// the document that is replaced: who was among them stays.
    ///
    /// What it returns is meant for every replica that has the labels and draws low enough, so it only grows.
    #[must_use]
    pub(crate) fn decide(
        &self,
        document: &Name,
        replicas: &[Replica],
        before: Option<&Decided>,
    ) -> Decided {
        let mut drawn: Vec<_> = (replicas.iter())
            .filter(|replica| replica.labels.have_all(&self.labels))
            .filter(|replica| {
                self.ids
                    .as_ref()
                    .is_none_or(|ids| ids.contains(&replica.id))
            })
            .map(|replica| (draw(document, &replica.id), replica))
            .collect();
        drawn.sort_unstable_by_key(|(draw, replica)| (*draw, replica.id.clone()));
        let wanted = match (self.share, self.count) {
            // 0.07 of 100 is more than 7, by the last bit.
            (Some(share), _) => (share * drawn.len() as f64 - 1e-9).ceil() as usize,
            (None, Some(count)) => count.min(drawn.len()),
            (None, None) => drawn.len(),
        };
        let who = if let Some(most) = self.at_most {
            let had =
                |replica: &Replica| before.is_some_and(|it| it.who.has(document, &replica.id));
            let (had, others): (Vec<_>, Vec<_>) = drawn.into_iter().partition(|it| had(it.1));
            let chosen = had.into_iter().chain(others).take(wanted.min(most));
            Who::Ids(chosen.map(|(_, replica)| replica.id.clone()).collect())
        } else if let Some(ids) = &self.ids {
            Who::Ids(ids.clone())
        } else if self.share.is_none() && self.count.is_none() || self.share == Some(1.0) {
            Who::All
        } else {
            // None is among zero replicas.
            let below = wanted
                .checked_sub(1)
                .map_or(0, |last| drawn[last].0.saturating_add(1));
            match before.map(|before| &before.who) {
                Some(Who::Below(before)) => Who::Below(below.max(*before)),
                _ => Who::Below(below),
            }
        };
        Decided {
            labels: self.labels.clone(),
            who,
        }
    }
}

/// Whom a document is meant for, as each replica decides it for itself.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decided {
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    labels: Labels,
    who: Who,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Who {
    All,
    /// The replicas whose draw is below this number.
    Below(u64),
    Ids(Vec<Name>),
}

impl Who {
    fn has(&self, document: &Name, replica: &Name) -> bool {
        match self {
            Self::All => true,
            Self::Below(threshold) => draw(document, replica) < *threshold,
            Self::Ids(ids) => ids.contains(replica),
        }
    }
}

impl Decided {
    /// Returns whether the document is meant for a replica.
    pub(crate) fn is_meant_for(&self, document: &Name, replica: &Replica) -> bool {
        replica.labels.have_all(&self.labels) && self.who.has(document, &replica.id)
    }
}

/// Returns the number that a replica draws for a document: the same in every process.
fn draw(document: &Name, replica: &Name) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(document.as_str().as_bytes());
    // In no name.
    hasher.write_u8(b'/');
    hasher.write(replica.as_str().as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replicas(from: usize, to: usize) -> Vec<Replica> {
        let zone = |at: usize| if at.is_multiple_of(3) { "a" } else { "b" };
        (from..to)
            .map(|at| {
                let replica = Replica::new(format!("shop-{at}").parse().unwrap());
                replica.label("zone", zone(at)).unwrap()
            })
            .collect()
    }

    fn aim(json: serde_json::Value) -> Aim {
        serde_json::from_value(json).unwrap()
    }

    fn meant<'r>(decided: &Decided, name: &Name, among: &'r [Replica]) -> Vec<&'r str> {
        let meant = among.iter().filter(|it| decided.is_meant_for(name, it));
        meant.map(|replica| replica.id.as_str()).collect()
    }

    #[test]
    fn a_share_is_exact_and_only_grows() {
        let (name, all) = ("lost".parse().unwrap(), replicas(0, 1000));
        let one = aim(serde_json::json!({ "share": 0.01 })).decide(&name, &all, None);
        let first = meant(&one, &name, &all);
        assert_eq!(first.len(), 10);
        let five = aim(serde_json::json!({ "share": 0.05 })).decide(&name, &all, Some(&one));
        let more = meant(&five, &name, &all);
        assert_eq!(more.len(), 50);
        assert!(first.iter().all(|id| more.contains(id)));
        // A smaller one does not shrink.
        let again = aim(serde_json::json!({ "share": 0.01 })).decide(&name, &all, Some(&five));
        assert_eq!(meant(&again, &name, &all), more);
        // Whoever joins decides alike after a way through JSON.
        let text = serde_json::to_string(&five).unwrap();
        let read: Decided = serde_json::from_str(&text).unwrap();
        let late = replicas(1000, 1100);
        assert_eq!(meant(&read, &name, &late), meant(&five, &name, &late));
        assert!((1..20).contains(&meant(&five, &name, &late).len()));
    }

    #[test]
    fn counts_labels_ids_and_bounds_hold() {
        let (name, all) = ("lost".parse().unwrap(), replicas(0, 30));
        for (json, expected) in [
            (serde_json::json!({}), 30),
            (serde_json::json!({ "count": 3 }), 3),
            (serde_json::json!({ "count": 0 }), 0),
            (serde_json::json!({ "count": 300 }), 30),
            (serde_json::json!({ "share": 0 }), 0),
            (serde_json::json!({ "share": 1 }), 30),
            (serde_json::json!({ "share": 0.7 }), 21),
            (serde_json::json!({ "labels": { "zone": "a" } }), 10),
            (
                serde_json::json!({ "labels": { "zone": "a" }, "share": 0.25 }),
                3,
            ),
            (serde_json::json!({ "labels": { "zone": "c" } }), 0),
            (serde_json::json!({ "ids": ["shop-1", "shop-99"] }), 1),
            (serde_json::json!({ "share": 0.5, "at_most": 4 }), 4),
            (serde_json::json!({ "at_most": 4 }), 4),
        ] {
            let decided = aim(json.clone()).decide(&name, &all, None);
            assert_eq!(meant(&decided, &name, &all).len(), expected, "{json}");
        }
        let four = aim(serde_json::json!({ "at_most": 4 }));
        let before = four.decide(&name, &all[20..], None);
        let after = four.decide(&name, &all, Some(&before));
        assert_eq!(meant(&before, &name, &all), meant(&after, &name, &all));
    }

    #[test]
    fn what_is_out_of_range_is_refused_by_name() {
        for (json, field) in [
            (serde_json::json!({ "share": 1.5 }), "aim.share"),
            (serde_json::json!({ "share": -0.1 }), "aim.share"),
            (serde_json::json!({ "share": 0.1, "count": 1 }), "aim"),
            (serde_json::json!({ "at_most": 10_001 }), "aim.at_most"),
        ] {
            assert_eq!(aim(json).check().unwrap_err().field(), field);
        }
        let unknown = serde_json::from_value::<Aim>(serde_json::json!({ "shares": 1 }));
        assert!(unknown.unwrap_err().to_string().contains("shares"));
    }
}
