//! `RuleList`: the rules of a set, as an edit and as a reader want them.

use std::sync::{Arc, OnceLock};

use crate::rule::{Rule, parted_list::PartedList};

/// An immutable list of rules, in parts that the lists before and after an edit share.
#[derive(Clone, Debug, Default)]
pub(crate) struct RuleList {
    parts: PartedList<Arc<Rule>>,
    /// All in one piece, made for the first who asks.
    whole: OnceLock<Box<[Arc<Rule>]>>,
}

impl RuleList {
    pub(super) fn of(rules: impl Iterator<Item = Arc<Rule>>) -> Self {
        Self::from(PartedList::of(rules))
    }

    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }

    pub(crate) fn get(&self, at: usize) -> Option<&Arc<Rule>> {
        self.parts.get(at)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.parts.iter()
    }

    /// Returns the rules in one piece.
    pub(super) fn as_slice(&self) -> &[Arc<Rule>] {
        (self.whole).get_or_init(|| self.iter().cloned().collect())
    }

    /// Returns the list with `rule` in the place of the one at `at`, or behind all if none is there.
    pub(super) fn with(&self, at: usize, rule: Rule) -> Self {
        Self::from(self.parts.with(at, Arc::new(rule)))
    }

    /// Returns the list without the rule at `at`.
    pub(super) fn without(&self, at: usize) -> Self {
        let others = self.iter().enumerate().filter(|(other, _)| *other != at);
        Self::of(others.map(|(_, rule)| Arc::clone(rule)))
    }
}

impl From<PartedList<Arc<Rule>>> for RuleList {
    fn from(parts: PartedList<Arc<Rule>>) -> Self {
        let whole = OnceLock::new();
        Self { parts, whole }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fault::Fault, rule::parted_list::FULL};

    fn rule(id: &str) -> Rule {
        Rule::new(id.parse().unwrap(), "s".parse().unwrap(), Fault::error(id))
    }

    fn is(list: &RuleList, expected: &[Arc<Rule>]) -> bool {
        let each = (0..expected.len() + 1).map(|at| list.get(at));
        list.len() == expected.len()
            && list.as_slice() == expected
            && list.iter().eq(expected)
            && each.eq(expected.iter().map(Some).chain([None]))
    }

    /// At the ends of parts, too.
    #[test]
    fn a_list_in_parts_is_a_list() {
        let (mut list, mut expected) = (RuleList::default(), Vec::new());
        assert!(is(&list, &expected));
        for at in 0..2 * FULL + 2 {
            list = list.with(at, rule(&format!("r{at}")));
            expected.push(Arc::new(rule(&format!("r{at}"))));
            assert!(is(&list, &expected));
        }
        assert!(is(&RuleList::of(expected.iter().cloned()), &expected));
        for at in [0, FULL - 1, FULL, 2 * FULL - 1, 2 * FULL, 2 * FULL + 1] {
            let before = list.clone();
            list = list.with(at, rule("other"));
            assert!(is(&before, &expected));
            expected[at] = Arc::new(rule("other"));
            assert!(is(&list, &expected));
        }
        for at in [2 * FULL + 1, 0, FULL, FULL - 1] {
            list = list.without(at);
            expected.remove(at);
            assert!(is(&list, &expected));
        }
    }
}
