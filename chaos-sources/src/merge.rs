//! A pure function that merges the rules of a source into the rules in force.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chaos_core::{Rule, RuleId};

/// Returns `current` with the rules called `mine` replaced by `new`. All other rules keep their
/// positions.
///
/// A rule that is also in `new` keeps its position. An added rule follows the rule that precedes it
/// in `new`. If the source has changed the order of its rules, they are placed together at the
/// position of the first of them.
///
/// # Errors
/// Returns the id of a rule in `new` that a rule other than `mine` has, or that `new` contains
/// twice.
pub(crate) fn merge(
    current: &[Arc<Rule>],
    mine: &BTreeSet<RuleId>,
    new: &[Rule],
) -> Result<Vec<Rule>, IdConflict> {
    let places: BTreeMap<&RuleId, usize> = new
        .iter()
        .enumerate()
        .map(|(at, rule)| (rule.id(), at))
        .collect();
    let twice = |(at, rule): &(usize, &Rule)| places[rule.id()] != *at;
    if let Some((_, rule)) = new.iter().enumerate().find(twice) {
        return Err(IdConflict::Duplicate(rule.id().clone()));
    }
    let foreign = |rule: &&Arc<Rule>| !mine.contains(rule.id());
    if let Some(rule) = current
        .iter()
        .filter(foreign)
        .find(|rule| places.contains_key(rule.id()))
    {
        return Err(IdConflict::Taken(rule.id().clone()));
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
            // The rules up to the next one that has a position of its own.
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

/// The reason why two lists cannot be merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IdConflict {
    /// The source contains the id twice.
    Duplicate(RuleId),
    /// A rule that is not of the source has the id.
    Taken(RuleId),
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

    /// Merges two lists of one-letter ids; upper-case ids are rules of others.
    fn merged(current: &str, new: &str) -> Result<String, IdConflict> {
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
        assert_eq!(merged("aXb", "aX"), Err(IdConflict::Taken(id("X"))));
        assert_eq!(merged("a", "aba"), Err(IdConflict::Duplicate(id("a"))));
    }
}
