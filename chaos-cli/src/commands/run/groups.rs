//! What became of calls at sites, summed over all ports.

use std::collections::BTreeMap;

use chaos_gameday::{Group, KeyGroup};
use serde_json::Value;

use crate::{
    client::answer::{number, text},
    commands::run::target::{LOCK, Looks},
};

/// What became of the calls of one site, as one rule sees them.
#[derive(Clone, Debug, Default)]
pub(super) struct SiteOutcome {
    pub(super) hit: Group,
    pub(super) spared: Group,
    pub(super) unmatched: Group,
    /// The groups of keys; empty for a rule without a key.
    pub(super) keys: Vec<KeyGroup>,
}

impl SiteOutcome {
    pub(super) fn add(&mut self, other: &Self) {
        self.hit.add(&other.hit);
        self.spared.add(&other.spared);
        self.unmatched.add(&other.unmatched);
        self.keys
            .resize(self.keys.len().max(other.keys.len()), KeyGroup::default());
        for (keys, other) in self.keys.iter_mut().zip(&other.keys) {
            keys.hit.add(&other.hit);
            keys.spared.add(&other.spared);
        }
    }
}

/// What became of calls since the beginning of a part, by rule and site.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcomes(BTreeMap<(String, String), SiteOutcome>);

impl Outcomes {
    /// Sums what the ports say. The counts of a port that does not answer stay as they are `known`.
    pub(super) fn of_looks(looks: &Looks, known: &mut Vec<BTreeMap<String, Value>>) -> Self {
        known.resize(looks.len(), BTreeMap::new());
        let mut sum = Self::default();
        for (look, known) in looks.iter().zip(known) {
            if let Ok(look) = look {
                known.extend(look.outcomes.clone());
            }
            for (rule, document) in known.iter() {
                sum.add(rule, document);
            }
        }
        sum
    }

    fn add(&mut self, rule: &str, document: &Value) {
        let sites = document["sites"].as_array().into_iter().flatten();
        // A site in code does not count the others, nor failures.
        let counted = sites.filter(|site| !site["unmatched"].is_null());
        for site in counted.filter(|site| !site["hit"]["failed"].is_null()) {
            let key = (rule.to_owned(), text(site, "site").to_owned());
            let keys = site["keys"].as_array().into_iter().flatten();
            self.0.entry(key).or_default().add(&SiteOutcome {
                hit: group(&site["hit"]),
                spared: group(&site["spared"]),
                unmatched: group(&site["unmatched"]),
                keys: keys.map(key_group).collect(),
            });
        }
    }

    /// Returns the calls of a site, as a rule sees them.
    pub(super) fn of(&self, rule: &str, site: &str) -> Option<&SiteOutcome> {
        self.0.get(&(rule.to_owned(), site.to_owned()))
    }

    /// Returns all calls of a site.
    pub(super) fn all(&self, site: &str) -> Option<&Group> {
        // The lock hits no call.
        self.of(LOCK, site).map(|outcome| &outcome.unmatched)
    }

    /// Returns the sites whose calls are counted.
    pub(super) fn sites(&self) -> impl Iterator<Item = &str> {
        let sites = self.0.keys().filter(|(rule, _)| rule == LOCK);
        sites.map(|(_, site)| site.as_str())
    }

    /// Returns each site with each of the `rules`, site by site: where only the first pairs are kept, no rule goes without one
    /// as long as there is room for all of them at one site.
    pub(super) fn pairs<'p>(
        &'p self,
        rules: &'p [String],
    ) -> impl Iterator<Item = (&'p str, &'p str)> {
        let of = move |site| rules.iter().map(move |rule| (site, rule.as_str()));
        self.sites().flat_map(of)
    }

    /// Returns the calls of a site that a rule has hit, and the others: all of them while it is not observed.
    pub(super) fn hit_and_others(&self, rule: &str, site: &str) -> (Group, Group) {
        let Some(outcome) = self.of(rule, site) else {
            let all = self.all(site).cloned().unwrap_or_default();
            return (Group::default(), all);
        };
        let mut others = outcome.spared.clone();
        others.add(&outcome.unmatched);
        (outcome.hit.clone(), others)
    }

    /// Returns the calls of each site, as each rule of the experiment sees them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str, &SiteOutcome)> {
        let all = self.0.iter().filter(|((rule, _), _)| rule != LOCK);
        all.map(|((rule, site), outcome)| (rule.as_str(), site.as_str(), outcome))
    }
}

fn group(document: &Value) -> Group {
    let buckets = document["histogram_nanos"].as_array().into_iter().flatten();
    let buckets = buckets.filter_map(|bucket| Some((bucket[0].as_u64()?, bucket[1].as_u64()?)));
    Group {
        latencies: buckets.collect(),
        ..counts(document)
    }
}

fn key_group(key: &Value) -> KeyGroup {
    KeyGroup {
        hit: counts(&key["hit"]),
        spared: counts(&key["spared"]),
    }
}

fn counts(document: &Value) -> Group {
    Group::of(number(document, "calls"), number(document, "failed"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chaos_gameday::Journal;

    use super::*;

    /// The first rules had all sites, and those of the last phases none.
    #[test]
    fn each_rule_is_among_the_first_pairs() {
        let counted = (0..16).map(|n| ((LOCK.to_owned(), format!("s{n}")), SiteOutcome::default()));
        let outcomes = Outcomes(counted.collect());
        let rules: Vec<_> = (0..6).map(|n| format!("r{n}")).collect();
        assert_eq!(outcomes.pairs(&rules).count(), 96);
        let kept = outcomes.pairs(&rules).take(Journal::MOST_SITES);
        let kept: BTreeSet<_> = kept.map(|(_, rule)| rule).collect();
        assert_eq!(kept.len(), rules.len(), "{kept:?}");
    }
}
