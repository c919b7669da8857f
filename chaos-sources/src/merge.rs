//! One list of rules out of two: those in force, and those that a source has now. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chaos_core::{Rule, RuleId};

/// The list that is to be in force: `new` in place of the rules called `mine`, and all others where
/// they stand.
///
/// A rule that stays keeps its place. A new one follows the rule that it follows in the source. If
/// the source has put its rules into another order, they stand together where the first of them was.
///
/// # Errors
/// An id that is not `mine`, and in force already; or one that `new` has twice.
pub(crate) fn merge(
    current: &[Arc<Rule>],
    mine: &BTreeSet<RuleId>,
    new: &[Rule],
) -> Result<Vec<Rule>, Clash> {
    let places: BTreeMap<&RuleId, usize> = new
        .iter()
        .enumerate()
        .map(|(at, rule)| (rule.id(), at))
        .collect();
    let twice = |(at, rule): &(usize, &Rule)| places[rule.id()] != *at;
    if let Some((_, rule)) = new.iter().enumerate().find(twice) {
        return Err(Clash::Twice(rule.id().clone()));
    }
    let foreign = |rule: &&Arc<Rule>| !mine.contains(rule.id());
    if let Some(rule) = current
        .iter()
        .filter(foreign)
        .find(|rule| places.contains_key(rule.id()))
    {
        return Err(Clash::Foreign(rule.id().clone()));
    }

    let kept: Vec<usize> = current
        .iter()
        .filter_map(|rule| places.get(rule.id()).copied())
        .collect();
    let in_order = kept.is_sorted();
    let mut merged = Vec::with_capacity(current.len() + new.len());
    let mut next = 0;
    for rule in current {
        if !mine.contains(rule.id()) {
            merged.push(Rule::clone(rule));
            continue;
        }
        let end = match places.get(rule.id()) {
            _ if !in_order || kept.is_empty() => new.len(),
            // Up to the next rule that has a place of its own.
            Some(at) => kept
                .iter()
                .copied()
                .find(|kept| kept > at)
                .unwrap_or(new.len()),
            None => continue,
        };
        merged.extend_from_slice(new.get(next..end).unwrap_or_default());
        next = next.max(end);
    }
    merged.extend_from_slice(&new[next..]);
    Ok(merged)
}

/// Why two lists do not go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Clash {
    Twice(RuleId),
    Foreign(RuleId),
}

#[cfg(test)]
mod tests {
    use chaos_core::Fault;

    use super::*;

    fn rules(ids: &str) -> Vec<Rule> {
        let rule = |id: char| {
            let id = id.to_string().parse().unwrap();
            Rule::new(id, "s".parse().unwrap(), Fault::error("e"))
        };
        ids.chars().map(rule).collect()
    }

    /// In capitals, the rules of others.
    fn merged(current: &str, new: &str) -> Result<String, Clash> {
        let mine = current.chars().filter(|id| id.is_lowercase());
        let mine = mine.map(|id| id.to_string().parse().unwrap()).collect();
        let current: Vec<_> = rules(current).into_iter().map(Arc::new).collect();
        let merged = merge(&current, &mine, &rules(new))?;
        Ok(merged.iter().map(|rule| rule.id().as_str()).collect())
    }

    #[test]
    fn rules_of_others_stay_where_they_are() {
        for (current, new, expected) in [
            ("", "", ""),
            ("", "ab", "ab"),
            ("AB", "ab", "ABab"),
            ("aXb", "ab", "aXb"),
            ("aXb", "", "X"),
            ("aXb", "a", "aX"),
            ("aXb", "b", "Xb"),
            ("aXbYc", "ac", "aXYc"),
            ("aXb", "acb", "acXb"),
            ("aXb", "cab", "caXb"),
            ("aXb", "abc", "aXbc"),
            ("AaB", "c", "AcB"),
            ("AaBb", "cd", "AcdB"),
            ("aXb", "ba", "baX"),
            ("XaYbZc", "cab", "XcabYZ"),
            ("aXbYcZ", "dcbae", "dcbaeXYZ"),
        ] {
            assert_eq!(
                merged(current, new).unwrap(),
                expected,
                "{current} and {new}"
            );
        }
    }

    #[test]
    fn no_rule_takes_the_name_of_another() {
        let id = |id: &str| id.parse().unwrap();
        assert_eq!(merged("aXb", "aX"), Err(Clash::Foreign(id("X"))));
        assert_eq!(merged("a", "aba"), Err(Clash::Twice(id("a"))));
    }
}
