//! Which rules an action changed, and where a rule stood that was removed.

use std::sync::Arc;

use crate::{
    name::RuleId,
    rule::{Rule, rule_set::RuleSet},
};

/// A rule before and after an edit. The first is `None` if the rule was added, the second is
/// `None` if it was removed.
pub type BeforeAndAfter = (Option<Arc<Rule>>, Option<Arc<Rule>>);

/// Which rules an entry changed.
#[derive(Clone, Debug, Default)]
pub(crate) enum Changed {
    #[default]
    Nothing,
    One(Option<Arc<Rule>>, Option<Arc<Rule>>),
    Removed(Arc<Rule>, Neighbours),
    /// The rule sets before and after. They are compared only when [`list`](Self::list) is called,
    /// since each may hold thousands of rules.
    All(Arc<RuleSet>, Arc<RuleSet>),
}

/// The rules that stood next to one that was removed, if there were any.
#[derive(Clone, Debug)]
pub(crate) struct Neighbours {
    pub(super) previous: Option<RuleId>,
    pub(super) next: Option<RuleId>,
}

impl Changed {
    /// Returns the change of the rule that stood at `at` in the set `before`, or was added there.
    pub(crate) fn one(before: &RuleSet, at: usize, after: Option<Arc<Rule>>) -> Self {
        let id_at = |at: usize| before.rules.get(at).map(|rule| rule.id.clone());
        match (before.rules.get(at), after) {
            (Some(rule), None) => {
                let neighbours = Neighbours {
                    previous: at.checked_sub(1).and_then(id_at),
                    next: id_at(at + 1),
                };
                Self::Removed(Arc::clone(rule), neighbours)
            }
            (rule, after) => Self::One(rule.cloned(), after),
        }
    }

    /// Returns about how many bytes of memory the rules take that it keeps alive.
    pub(super) fn weight(&self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::One(before, after) => {
                let rules = [before, after].into_iter().flatten();
                rules.map(|rule| rule.weight().memory()).sum()
            }
            Self::Removed(rule, _) => rule.weight().memory(),
            Self::All(before, after) => before.weight.memory() + after.weight.memory(),
        }
    }

    /// Returns the rules that were changed. Removed rules come first; the others have the order of the rule set after
    /// the action.
    pub(super) fn list(&self) -> Vec<BeforeAndAfter> {
        match self {
            Self::Nothing => Vec::new(),
            Self::One(before, after) => vec![(before.clone(), after.clone())],
            Self::Removed(rule, _) => vec![(Some(Arc::clone(rule)), None)],
            Self::All(before, after) => {
                let rules = before.rules.iter();
                let removed = rules.filter(|rule| after.find(rule.id.as_str()).is_none());
                let removed = removed.map(|rule| (Some(Arc::clone(rule)), None));
                let kept = after.rules.iter().filter_map(|rule| {
                    let old = before.find(rule.id.as_str());
                    let is_same = old.is_some_and(|old| Arc::ptr_eq(old, rule) || old == rule);
                    (!is_same).then(|| (old.cloned(), Some(Arc::clone(rule))))
                });
                removed.chain(kept).collect()
            }
        }
    }
}
