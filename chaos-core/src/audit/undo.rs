//! The rules that there are once the changes of an entry are undone. Pure: nothing is armed here.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::{
    audit::{
        BeforeAndAfter, Entry,
        action::Action,
        changed::{Changed, Neighbours},
    },
    name::RuleId,
    rule::{Rule, rule_set::RuleSet},
};

/// A rule that is not as an entry has left it.
#[derive(Debug)]
pub(crate) struct NotAsLeft {
    pub(crate) rule: RuleId,
    pub(crate) left: Option<Arc<Rule>>,
    pub(crate) current: Option<Arc<Rule>>,
}

impl Entry {
    /// Returns whether the action is one of rules, whose changes can be undone.
    pub(crate) fn can_be_undone(&self) -> bool {
        let is_edit = matches!(
            self.action,
            Action::Put | Action::Edit | Action::Remove | Action::Replace | Action::Undo
        );
        is_edit && !matches!(self.changed, Changed::Nothing)
    }

    /// Returns whether the action was one of a single rule, which has left the others in their order.
    pub(crate) fn is_of_one_rule(&self) -> bool {
        !matches!(self.changed, Changed::All(..))
    }

    /// Returns the rules of `current` in order, with `changes` undone, which are those of the entry. A rule that was
    /// removed comes back to its place.
    pub(crate) fn undone(
        &self,
        changes: &[BeforeAndAfter],
        current: &RuleSet,
    ) -> Result<Vec<Arc<Rule>>, NotAsLeft> {
        for (before, after) in changes {
            let Some(one) = before.as_ref().or(after.as_ref()) else {
                continue;
            };
            let now = current.find(one.id.as_str());
            if now != after.as_ref() {
                return Err(NotAsLeft {
                    rule: one.id.clone(),
                    left: after.clone(),
                    current: now.cloned(),
                });
            }
        }
        match &self.changed {
            Changed::All(before, after) => {
                let rules = in_earlier_order(kept(changes, current), before, after);
                Ok(with_returned(rules, changes, before))
            }
            Changed::Removed(rule, neighbours) => {
                let mut rules = kept(&[], current);
                let at = place(&rules, neighbours);
                rules.insert(at, Arc::clone(rule));
                Ok(rules)
            }
            Changed::One(..) | Changed::Nothing => Ok(kept(changes, current)),
        }
    }
}

/// Returns the current rules in their earlier form, without those that were added.
fn kept(changes: &[BeforeAndAfter], current: &RuleSet) -> Vec<Arc<Rule>> {
    let changed = changes.iter().filter_map(|(before, after)| {
        let after = after.as_ref()?;
        Some((&after.id, before.as_ref()))
    });
    let earlier: HashMap<_, _> = changed.collect();
    let rules = current.rules.iter();
    let rules = rules.filter_map(|rule| match earlier.get(&rule.id) {
        Some(before) => before.cloned(),
        None => Some(Arc::clone(rule)),
    });
    rules.collect()
}

/// Returns where a rule belongs that had these neighbours.
fn place(rules: &[Arc<Rule>], neighbours: &Neighbours) -> usize {
    let find = |id: &Option<RuleId>| {
        let id = id.as_ref()?;
        rules.iter().position(|rule| rule.id == *id)
    };
    let behind = || find(&neighbours.previous).map(|at| at + 1);
    let at = find(&neighbours.next).or_else(behind);
    at.unwrap_or(match neighbours.previous {
        None => 0,
        Some(_) => rules.len(),
    })
}

/// Moves the rules of `before` to the order that they had there, unless someone has moved them since `after`.
fn in_earlier_order(rules: Vec<Arc<Rule>>, before: &RuleSet, after: &RuleSet) -> Vec<Arc<Rule>> {
    let position = |set: &RuleSet, rule: &Arc<Rule>| set.position(rule.id.as_str());
    let left = rules.iter().filter_map(|rule| position(after, rule));
    if !left.is_sorted() {
        return rules;
    }
    let in_both = |rule: &Arc<Rule>| Some((position(before, rule)?, Arc::clone(rule)));
    let mut earlier: Vec<_> = rules.iter().filter_map(in_both).collect();
    earlier.sort_by_key(|(at, _)| *at);
    let mut earlier = earlier.into_iter().map(|(_, rule)| rule);
    let rules = rules.into_iter();
    let rules = rules.map(|rule| match position(before, &rule) {
        Some(_) => earlier.next().unwrap_or(rule),
        None => rule,
    });
    rules.collect()
}

/// Adds the rules that were removed, each behind the last rule of `before` that is there and stood in front of it.
fn with_returned(
    rules: Vec<Arc<Rule>>,
    changes: &[BeforeAndAfter],
    before: &RuleSet,
) -> Vec<Arc<Rule>> {
    let removed = changes.iter().filter(|(_, after)| after.is_none());
    let removed = removed.filter_map(|(before, _)| Some(&before.as_ref()?.id));
    let removed: HashSet<_> = removed.collect();
    let present: HashSet<_> = rules.iter().map(|rule| &rule.id).collect();
    let mut behind: HashMap<Option<&RuleId>, Vec<Arc<Rule>>> = HashMap::new();
    let mut anchor = None;
    for rule in before.rules.iter() {
        if removed.contains(&rule.id) {
            behind.entry(anchor).or_default().push(Arc::clone(rule));
        } else if present.contains(&rule.id) {
            anchor = Some(&rule.id);
        }
    }
    let mut all = behind.remove(&None).unwrap_or_default();
    for rule in &rules {
        all.push(Arc::clone(rule));
        all.append(&mut behind.remove(&Some(&rule.id)).unwrap_or_default());
    }
    all
}
