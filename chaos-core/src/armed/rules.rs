//! The rules in force of an injector or an overlay: as they were written, and armed.

use std::{sync::Arc, time::Duration};

use fnv::{FnvHashMap, FnvHashSet};

use crate::{
    armed::{Armed, live_rules::LiveRules, status::Counts},
    audit::Changed,
    guard_rail::monitor::Monitor,
    name::RuleId,
    policy::Policy,
    rule::{
        Rule,
        rule_set::{Change, ChangeError, RuleSet},
    },
};

/// A rule set, and its rules armed, in the same order.
#[derive(Debug, Default)]
pub(crate) struct ArmedRules {
    pub(crate) set: Arc<RuleSet>,
    pub(crate) armed: Vec<Arc<Armed>>,
    /// Whether any of the rules may have a guard rail.
    guarded: bool,
    /// Whether the rules came with a request's token.
    of_token: bool,
}

/// The result of an edit.
#[derive(Debug)]
pub(crate) struct Edited {
    pub(crate) generation: u64,
    pub(crate) changed: Changed,
    /// The rules that are over. Open them when no lock is held, because a task that is woken may take one.
    pub(crate) retired: Retired,
    /// The rule before and after, where one stands in the place of another.
    pub(crate) swapped: Option<[Arc<Armed>; 2]>,
}

/// Rules that are over, and whose waiting calls are to be released.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Retired(pub(crate) Vec<Arc<Armed>>);

impl Retired {
    /// Releases the calls that wait for these rules, which are no longer live.
    pub(crate) fn open(self, live: &LiveRules) {
        for rule in &self.0 {
            rule.open();
        }
        live.remove(&self.0);
    }
}

impl ArmedRules {
    /// Makes an empty list, for rules that come with a request's token or do not.
    pub(crate) fn without_rules(of_token: bool) -> Self {
        Self {
            of_token,
            ..Self::default()
        }
    }

    /// Applies one edit, all or nothing. If `expected` is given, only if that is the generation in force.
    pub(crate) fn apply(
        &mut self,
        change: Change,
        expected: Option<u64>,
        policy: &Policy,
        now: Duration,
    ) -> Result<Edited, ChangeError> {
        let current = self.set.generation;
        if expected.is_some_and(|expected| expected != current) {
            return Err(ChangeError::Stale { current });
        }
        let edited = match &change {
            Change::Put(rule) => Some((rule.id.clone(), true)),
            Change::Edit(rule) => Some((rule.id.clone(), false)),
            Change::Remove(_) | Change::Replace(_) => None,
        };
        let removed = match &change {
            Change::Remove(id) => self.set.find(id.as_str()).cloned(),
            _ => None,
        };
        let edited_one = edited.is_some();
        let position = edited.and_then(|(id, put)| Some((self.position(id.as_str())?, put)));
        let set = Arc::new(self.set.apply(change)?);
        let permitted = policy.permits_set(self.set.weight, set.weight);
        permitted.map_err(ChangeError::Rule)?;
        let generation = set.generation;
        let changed;
        let (retired, swapped) = if let Some((at, put)) = position {
            let rule = Arc::clone(&set.rules[at]);
            self.guarded |= !rule.guards.is_empty();
            changed = Changed::One(
                Some(Arc::clone(&self.set.rules[at])),
                Some(Arc::clone(&rule)),
            );
            let after = Armed::succeed(Some(&self.armed[at]), rule, put, policy, now);
            let before = std::mem::replace(&mut self.armed[at], Arc::clone(&after));
            let is_retired = !Arc::ptr_eq(&before.gate, &after.gate);
            let retired = is_retired.then(|| Arc::clone(&before));
            (retired.into_iter().collect(), Some([before, after]))
        } else if edited_one {
            let rule = set.rules.last().expect("it was put at the end");
            changed = Changed::One(None, Some(Arc::clone(rule)));
            self.guarded |= !rule.guards.is_empty();
            self.armed
                .push(Armed::succeed(None, Arc::clone(rule), true, policy, now));
            (Vec::new(), None)
        } else {
            changed = match removed {
                Some(removed) => Changed::One(Some(removed), None),
                None => Changed::All(Arc::clone(&self.set), Arc::clone(&set)),
            };
            (self.rearm(&set, policy, now), None)
        };
        self.set = set;
        if self.of_token {
            self.armed.iter().for_each(|rule| rule.mark_of_token());
        }
        Ok(Edited {
            generation,
            changed,
            retired: Retired(retired),
            swapped,
        })
    }

    /// Arms another list of rules. Rules that both lists have in common go on. Returns those that are over.
    fn rearm(&mut self, set: &RuleSet, policy: &Policy, now: Duration) -> Vec<Arc<Armed>> {
        let before: FnvHashMap<&RuleId, &Arc<Armed>> = (self.armed.iter())
            .map(|rule| (&rule.rule.id, rule))
            .collect();
        let succeed = |rule: &Arc<Rule>| {
            Armed::succeed(
                before.get(&rule.id).copied(),
                Arc::clone(rule),
                false,
                policy,
                now,
            )
        };
        let armed: Vec<_> = set.rules.iter().map(succeed).collect();
        let kept: FnvHashSet<_> = armed.iter().map(|rule| Arc::as_ptr(&rule.gate)).collect();
        self.guarded = set.rules.iter().any(|rule| !rule.guards.is_empty());
        let mut before = std::mem::replace(&mut self.armed, armed);
        before.retain(|rule| !kept.contains(&Arc::as_ptr(&rule.gate)));
        before
    }

    /// Puts every rule behind a new gate, and returns the rules whose calls are to be released.
    pub(crate) fn halt(&mut self) -> Retired {
        let behind_new_gates = self.armed.iter().map(|rule| rule.behind_new_gate());
        let behind_new_gates = behind_new_gates.collect();
        Retired(std::mem::replace(&mut self.armed, behind_new_gates))
    }

    /// Returns the rules that aim at a site and have not expired, the disabled ones included.
    pub(crate) fn aimed_at(&self, site: &str, now: Duration) -> Vec<Arc<Armed>> {
        let aims_here =
            |rule: &&Arc<Armed>| !rule.arming.has_expired(now) && rule.rule.site.matches(site);
        self.armed.iter().filter(aims_here).cloned().collect()
    }

    /// Returns the guard rails of rules that can act, each with the rule's deadline.
    pub(crate) fn watches(
        &self,
        now: Duration,
    ) -> impl Iterator<Item = (&Arc<Monitor>, Option<Duration>)> {
        let guarded = if self.guarded { &self.armed[..] } else { &[] };
        let live = guarded.iter().filter(move |rule| rule.is_live(now));
        live.flat_map(|rule| {
            let deadline = rule.arming.deadline();
            rule.arming
                .watches
                .iter()
                .map(move |watch| (watch, deadline))
        })
    }

    /// Returns when the last of the rules that can act expires; `Duration::MAX` if one never does, and `None` if
    /// there is no such rule.
    pub(crate) fn last_deadline(&self, now: Duration) -> Option<Duration> {
        let live = self.armed.iter().filter(|rule| rule.is_live(now));
        live.map(|rule| rule.arming.deadline().unwrap_or(Duration::MAX))
            .max()
    }

    /// Returns whether any rule can act.
    pub(crate) fn is_live(&self, now: Duration) -> bool {
        self.armed.iter().any(|rule| rule.is_live(now))
    }

    /// Returns when the first of the rules that can act expires.
    pub(crate) fn first_deadline(&self, now: Duration) -> Option<Duration> {
        let live = self.armed.iter().filter(|rule| rule.is_live(now));
        live.filter_map(|rule| rule.arming.deadline()).min()
    }

    /// Applies a policy that was set after the rules were armed.
    pub(crate) fn hold_to(&self, policy: &Policy) {
        for rule in &self.armed {
            rule.arming.shorten(&rule.rule, policy);
        }
    }

    /// Returns the rules that have expired since this was last called: each rule once.
    pub(crate) fn newly_expired(&self, now: Duration) -> Vec<Arc<Rule>> {
        let expired = self
            .armed
            .iter()
            .filter(|rule| rule.rule.enabled && rule.arming.notice_expiry(now));
        expired.map(|rule| Arc::clone(&rule.rule)).collect()
    }

    pub(crate) fn find(&self, id: &str) -> Option<&Arc<Armed>> {
        self.position(id).map(|at| &self.armed[at])
    }

    pub(crate) fn counts(&self, now: Duration) -> Vec<Counts> {
        self.armed
            .iter()
            .map(|rule| Counts::of(rule, now))
            .collect()
    }

    fn position(&self, id: &str) -> Option<usize> {
        self.armed
            .iter()
            .position(|rule| rule.rule.id.as_str() == id)
    }
}
