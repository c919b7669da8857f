//! The rules in force of an injector or an overlay: as they were written, and armed.

use std::{sync::Arc, time::Duration};

use crate::{
    armed::{Armed, WayIn, aims::Aims, arming::ArmedBy, status::Counts},
    audit::Changed,
    gate::leash::Leash,
    guard_rail::monitor::Monitor,
    policy::Policy,
    rule::{
        Rule,
        extend_error::ExtendError,
        rule_set::{Change, ChangeError, RuleSet},
    },
};

/// A rule set, and its rules armed, in the same order.
#[derive(Debug, Default)]
pub(crate) struct ArmedRules {
    pub(crate) set: Arc<RuleSet>,
    pub(crate) armed: Vec<Arc<Armed>>,
    /// Which rules aim at which sites, by their positions in `armed`.
    aims: Aims,
    /// The rules that have guard rails.
    guarded: Vec<Arc<Armed>>,
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
    /// The rule before and after, if no other rule was changed.
    pub(crate) one: Option<BeforeAndAfterArmed>,
}

/// A rule before and after an edit. The first is `None` if the rule was added, the second if it was removed.
pub(crate) type BeforeAndAfterArmed = (Option<Arc<Armed>>, Option<Arc<Armed>>);

/// Rules that are over, and whose waiting calls are to be released.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Retired(pub(crate) Vec<Arc<Armed>>);

impl Retired {
    /// Keeps calls from waiting for these rules from now on, and wakes none of those that wait.
    pub(crate) fn mark_over(self) {
        for rule in &self.0 {
            rule.gate.mark_open();
        }
    }

    /// Releases the calls that wait for these rules.
    pub(crate) fn open(self) {
        for rule in &self.0 {
            rule.open();
        }
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
        by: &Arc<ArmedBy>,
    ) -> Result<Edited, ChangeError> {
        let way = match change {
            Change::Put(_) => WayIn::Put,
            _ => WayIn::Edit,
        };
        // Where the one rule stands that is edited; behind all if it is new.
        let at = match &change {
            Change::Put(rule) | Change::Edit(rule) => Some(&rule.id),
            Change::Remove(id) => Some(id),
            Change::Replace(_) => None,
        };
        let at = at.map(|id| self.position(id.as_str()).unwrap_or(self.armed.len()));
        let set = Arc::new(self.next(change, expected, policy)?);
        let before = std::mem::replace(&mut self.set, set);
        let edited = match at {
            Some(at) => self.rearm_one(&before, at, way, policy, by),
            None => self.rearm(before, policy, by),
        };
        Ok(edited)
    }

    /// Returns the rule set that an edit makes, if it is accepted. Nothing changes.
    pub(crate) fn next(
        &self,
        change: Change,
        expected: Option<u64>,
        policy: &Policy,
    ) -> Result<RuleSet, ChangeError> {
        self.check_generation(expected)?;
        let set = self.set.apply(change)?;
        let permitted = policy.permits_set(self.set.weight, set.weight);
        permitted.map_err(ChangeError::Rule)?;
        Ok(set)
    }

    /// Checks that the generation in force is the `expected` one, if one is expected.
    pub(crate) fn check_generation(&self, expected: Option<u64>) -> Result<(), ChangeError> {
        let current = self.set.generation;
        match expected.is_some_and(|expected| expected != current) {
            true => Err(ChangeError::Stale { current }),
            false => Ok(()),
        }
    }

    /// Replaces all rules by these, some of which are in force: what an undo does.
    pub(crate) fn restore(
        &mut self,
        rules: Vec<Arc<Rule>>,
        policy: &Policy,
        by: &Arc<ArmedBy>,
    ) -> Result<Edited, ChangeError> {
        let set = Arc::new(self.set.replaced(rules)?);
        let permitted = policy.permits_set(self.set.weight, set.weight);
        permitted.map_err(ChangeError::Rule)?;
        let before = std::mem::replace(&mut self.set, set);
        Ok(self.rearm(before, policy, by))
    }

    /// Arms the rule at `at`, which alone is not as it was `before`.
    fn rearm_one(
        &mut self,
        before: &RuleSet,
        at: usize,
        way: WayIn,
        policy: &Policy,
        by: &Arc<ArmedBy>,
    ) -> Edited {
        let was = self.armed.get(at).cloned();
        let is_removed = self.set.rules.len() < before.rules.len();
        let rule = self.set.rules.get(at).filter(|_| !is_removed).cloned();
        let changed = Changed::one(before, at, rule.clone());
        let is = rule.map(|rule| {
            let is = Armed::succeed(was.as_ref(), rule, way, policy, by);
            if self.of_token {
                is.mark_of_token();
            }
            is
        });
        match (&was, &is) {
            (Some(was), Some(is)) => {
                if was.rule.site != is.rule.site {
                    self.aims.remove(at, &was.rule.site);
                    self.aims.add(at, &is.rule.site);
                }
                self.armed[at] = Arc::clone(is);
            }
            (None, Some(is)) => {
                self.aims.add(at, &is.rule.site);
                self.armed.push(Arc::clone(is));
            }
            (Some(was), None) => {
                self.aims.remove(at, &was.rule.site);
                self.aims.close_gap(at);
                self.armed.remove(at);
            }
            (None, None) => {}
        }
        let is_other = |rule: &Arc<Armed>| was.as_ref().is_none_or(|was| !Arc::ptr_eq(rule, was));
        self.guarded.retain(is_other);
        self.guarded.extend(is.iter().filter(has_guards).cloned());
        let gate = is.as_ref().map(|is| &is.gate);
        let is_over = |was: &&Arc<Armed>| gate.is_none_or(|gate| !Arc::ptr_eq(&was.gate, gate));
        Edited {
            generation: self.set.generation,
            changed,
            retired: Retired(was.iter().filter(is_over).cloned().collect()),
            one: Some((was, is)),
        }
    }

    /// Arms all rules, which were others `before`. Rules that both lists have in common go on.
    fn rearm(&mut self, before: Arc<RuleSet>, policy: &Policy, by: &Arc<ArmedBy>) -> Edited {
        let mut goes_on = vec![false; self.armed.len()];
        let succeed = |rule: &Arc<Rule>| {
            let at = before.position(rule.id.as_str());
            let was = at.map(|at| &self.armed[at]);
            let is = Armed::succeed(was, Arc::clone(rule), WayIn::Replace, policy, by);
            if let (Some(at), Some(was)) = (at, was) {
                goes_on[at] = Arc::ptr_eq(&was.gate, &is.gate);
            }
            is
        };
        let armed: Vec<_> = self.set.rules.iter().map(succeed).collect();
        if self.of_token {
            armed.iter().for_each(|rule| rule.mark_of_token());
        }
        self.guarded = armed.iter().filter(has_guards).cloned().collect();
        self.aims = Aims::of(armed.iter().map(|rule| &rule.rule.site));
        let mut retired = std::mem::replace(&mut self.armed, armed);
        let mut goes_on = goes_on.into_iter();
        retired.retain(|_| goes_on.next() == Some(false));
        Edited {
            generation: self.set.generation,
            changed: Changed::All(before, Arc::clone(&self.set)),
            retired: Retired(retired),
            one: None,
        }
    }

    /// Moves the deadline of the rule `id` by `by`, and returns the rule before and after. It must end within `max_ttl`
    /// of the moment when it was armed. Nothing else of the rule changes.
    pub(crate) fn extend(
        &mut self,
        id: &str,
        by: Duration,
        max_ttl: Duration,
        now: Duration,
    ) -> Result<BeforeAndAfterArmed, ExtendError> {
        let at = self.position(id).ok_or(ExtendError::Unknown)?;
        let was = Arc::clone(&self.armed[at]);
        if !was.rule.enabled {
            return Err(ExtendError::Disabled);
        }
        let deadline = was.arming.deadline().ok_or(ExtendError::NoDeadline)?;
        if now >= deadline {
            return Err(ExtendError::Ended);
        }
        let last = was.arming.since().saturating_add(max_ttl);
        let most = last.saturating_sub(deadline);
        if by > most {
            return Err(ExtendError::TooLong { most, max_ttl });
        }
        was.arming.extend_to(deadline + by);
        let is = was.extended();
        self.armed[at] = Arc::clone(&is);
        let same = self.guarded.iter_mut().find(|rule| Arc::ptr_eq(rule, &was));
        if let Some(same) = same {
            *same = Arc::clone(&is);
        }
        Ok((Some(was), Some(is)))
    }

    /// Puts every rule behind a new gate, and returns the rules as they were: their calls are to be released.
    pub(crate) fn put_behind_new_gates(&mut self) -> Retired {
        let behind_new_gates = self.armed.iter().map(|rule| rule.behind_new_gate());
        let behind_new_gates: Vec<_> = behind_new_gates.collect();
        self.guarded = (behind_new_gates.iter())
            .filter(has_guards)
            .cloned()
            .collect();
        Retired(std::mem::replace(&mut self.armed, behind_new_gates))
    }

    /// Returns the rules that aim at a site and have not expired, the disabled ones included.
    pub(crate) fn aimed_at(&self, site: &str, now: Duration) -> Vec<Arc<Armed>> {
        let aims_here = |at: usize| self.armed[at].rule.site.matches(site);
        let positions = self.aims.at(site, aims_here).into_iter();
        let rules = positions.map(|at| &self.armed[at]);
        rules
            .filter(|rule| !rule.arming.has_expired(now))
            .cloned()
            .collect()
    }

    /// Returns the guard rails of rules that can act, each with the rule's deadline.
    pub(crate) fn watches(
        &self,
        now: Duration,
    ) -> impl Iterator<Item = (&Arc<Monitor>, Option<Duration>)> {
        let live = self.guarded.iter().filter(move |rule| rule.is_live(now));
        live.flat_map(|rule| {
            let deadline = rule.arming.deadline();
            let watches = rule.arming.watches().iter();
            watches.map(move |watch| (watch, deadline))
        })
    }

    /// Returns when the last of the rules that can act expires; `Duration::MAX` if one never does, and `None` if
    /// there is no such rule.
    pub(crate) fn last_deadline(&self, now: Duration) -> Option<Duration> {
        let live = self.armed.iter().filter(|rule| rule.is_live(now));
        live.map(|rule| rule.arming.deadline().unwrap_or(Duration::MAX))
            .max()
    }

    /// Returns whether any rule can act now.
    pub(crate) fn can_act(&self, now: Duration) -> bool {
        self.armed.iter().any(|rule| rule.can_act(now))
    }

    /// Returns whether any rule can act, as soon as its leash is extended if that is over.
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

    /// Returns the rules on a leash that are enabled and have not expired.
    pub(crate) fn live_on(&self, leash: &Leash, now: Duration) -> impl Iterator<Item = Arc<Rule>> {
        let live = self.armed.iter().filter(move |rule| rule.is_live(now));
        let hang = live.filter(|rule| rule.arming.leash().as_ref() == Some(leash));
        hang.map(|rule| Arc::clone(&rule.rule))
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
        self.set.position(id)
    }
}

fn has_guards(rule: &&Arc<Armed>) -> bool {
    !rule.rule.guards.is_empty()
}
