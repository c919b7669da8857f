//! `RuleList`: a list of rules of which an edit copies a part.

use std::sync::{Arc, OnceLock};

use crate::rule::Rule;

/// An immutable list of rules, in parts that the lists before and after an edit share.
///
/// A list of ten thousand in one piece takes two hundred microseconds to copy and to drop, because each rule is counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct RuleList {
    /// Each but the last is full.
    parts: Vec<Arc<Vec<Arc<Rule>>>>,
    /// All in one piece, made for the first who asks.
    whole: OnceLock<Box<[Arc<Rule>]>>,
}

/// The number of rules in a full part.
const FULL: usize = 128;

impl RuleList {
    pub(super) fn of(rules: impl Iterator<Item = Arc<Rule>>) -> Self {
        let (mut parts, mut rules) = (Vec::new(), rules.peekable());
        while rules.peek().is_some() {
            let mut part = Vec::with_capacity(FULL);
            part.extend(rules.by_ref().take(FULL));
            part.shrink_to_fit();
            parts.push(Arc::new(part));
        }
        let whole = OnceLock::new();
        Self { parts, whole }
    }

    pub(crate) fn len(&self) -> usize {
        let last = self.parts.last();
        last.map_or(0, |last| (self.parts.len() - 1) * FULL + last.len())
    }

    pub(crate) fn get(&self, at: usize) -> Option<&Arc<Rule>> {
        self.parts.get(at / FULL)?.get(at % FULL)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.parts.iter().flat_map(|part| part.iter())
    }

    /// Returns the rules in one piece.
    pub(super) fn as_slice(&self) -> &[Arc<Rule>] {
        (self.whole).get_or_init(|| self.iter().cloned().collect())
    }

    /// Returns the list with `rule` in the place of the one at `at`, or behind all if none is there.
    pub(super) fn with(&self, at: usize, rule: Rule) -> Self {
        let mut parts = self.parts.clone();
        if at / FULL == parts.len() {
            parts.push(Arc::default());
        }
        let part = Arc::make_mut(&mut parts[at / FULL]);
        match part.get_mut(at % FULL) {
            Some(place) => *place = Arc::new(rule),
            None => part.push(Arc::new(rule)),
        }
        let whole = OnceLock::new();
        Self { parts, whole }
    }

    /// Returns the list without the rule at `at`.
    pub(super) fn without(&self, at: usize) -> Self {
        let others = self.iter().enumerate().filter(|(other, _)| *other != at);
        Self::of(others.map(|(_, rule)| Arc::clone(rule)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Fault;

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
