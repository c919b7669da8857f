//! An ordered list of rules, and the edits that make the next one. Pure values: nothing is armed
//! here.

use std::{ops::Add, sync::Arc};

use crate::{
    error::{OneLine, RuleError, WithCauses},
    name::RuleId,
    rule::{Rule, positions::Positions, rule_list::RuleList, weight::Weight},
};

/// An immutable, ordered list of rules with distinct ids, and its generation.
///
/// The order decides: faults of rules that hit the same call are executed in the order of their
/// rules. [`Injector::rules`](crate::Injector::rules) returns the current set.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    pub(crate) generation: u64,
    pub(crate) rules: RuleList,
    positions: Positions,
    /// What the rules take together.
    pub(crate) weight: Weight,
}

impl RuleSet {
    /// Returns the generation: the number of accepted edits so far.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns the rules in order.
    #[must_use]
    pub fn rules(&self) -> &[Arc<Rule>] {
        self.rules.as_slice()
    }

    /// Returns the rule with this id, at a cost that does not grow with the number of rules.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Arc<Rule>> {
        self.rules.get(self.position(id)?)
    }

    /// Returns the position of the rule with this id.
    pub(crate) fn position(&self, id: &str) -> Option<usize> {
        self.positions.find(&self.rules, id)
    }

    /// Applies `change`, and returns the next rule set.
    pub(crate) fn apply(&self, change: Change) -> Result<Self, ChangeError> {
        let mut next = match change {
            Change::Replace(rules) => Self::of(RuleList::of(rules.into_iter().map(Arc::new)))?,
            Change::Put(rule) => match self.position(rule.id.as_str()) {
                Some(at) => self.with(at, rule),
                None => self.with_last(rule),
            },
            Change::Edit(rule) => match self.position(rule.id.as_str()) {
                Some(at) => self.with(at, rule),
                None => return Err(ChangeError::Unknown(rule.id)),
            },
            Change::Remove(id) => match self.position(id.as_str()) {
                Some(at) => self.without(at),
                None => return Err(ChangeError::Unknown(id)),
            },
        };
        next.generation = self.generation + 1;
        Ok(next)
    }

    /// Returns the next rule set, with these rules in place of all.
    pub(crate) fn replaced(&self, rules: Vec<Arc<Rule>>) -> Result<Self, ChangeError> {
        let mut next = Self::of(RuleList::of(rules.into_iter()))?;
        next.generation = self.generation + 1;
        Ok(next)
    }

    fn of(rules: RuleList) -> Result<Self, ChangeError> {
        let positions = Positions::of(&rules);
        let positions = positions.map_err(|at| ChangeError::Rule(not_unique(&rules, at)))?;
        let weights = rules.iter().map(|rule| rule.weight());
        Ok(Self {
            generation: 0,
            weight: weights.fold(Weight::default(), Weight::add),
            rules,
            positions,
        })
    }

    /// Returns the rules with `rule` in the place of the one at `at`, which has the same id.
    fn with(&self, at: usize, rule: Rule) -> Self {
        let before = self.rules.get(at).map(|rule| rule.weight());
        Self {
            generation: self.generation,
            weight: self.weight + rule.weight() - before.unwrap_or_default(),
            rules: self.rules.with(at, rule),
            positions: self.positions.clone(),
        }
    }

    /// Returns the rules with `rule` behind them, whose id none of them has.
    fn with_last(&self, rule: Rule) -> Self {
        let at = self.rules.len();
        let mut next = self.with(at, rule);
        let added = next.positions.add(&next.rules, at);
        debug_assert!(added.is_ok(), "no rule has the id");
        next
    }

    /// Returns the rules without the one at `at`.
    fn without(&self, at: usize) -> Self {
        let rules = self.rules.without(at);
        // Every rule behind it has moved.
        Self::of(rules).expect("the ids differ")
    }
}

/// Returns the error of a list in which the rule at `at` has the id of an earlier one.
fn not_unique(rules: &RuleList, at: usize) -> RuleError {
    let problem = "an earlier rule has this id";
    let allowed = "an id that no other rule has";
    let error = RuleError::new(format!("rules[{at}].id"), problem, allowed);
    error.in_rule(rules.get(at).map_or("", |rule| rule.id.as_str()))
}

/// An edit of a rule set. It is a value, so that it can be checked, counted and recorded.
///
/// ```
/// use chaos_core::{Fault, Injector, Rule, rule::Change};
///
/// let injector = Injector::new();
/// let rule = Rule::new("lost".parse()?, "db.read".parse()?, Fault::error("lost"));
/// let seen = injector.rules().generation();
/// injector.apply(Change::Put(rule.clone()), Some(seen))?;
/// // Someone who has not seen that edit does not overwrite it.
/// assert!(injector.apply(Change::Remove("lost".parse()?), Some(seen)).is_err());
/// # drop(rule);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Change {
    /// Adds the rule at the end, or replaces the rule with its id in place.
    ///
    /// An unchanged rule keeps its counters and its deadline, unless it has expired: then it is
    /// armed anew.
    Put(Rule),
    /// Replaces the rule with its id in place. Unlike a `Put`, it does not arm an expired rule anew
    /// if it leaves the rule unchanged or changes only its reason. Enabling the rule, or changing
    /// what it does, arms it like a new one.
    Edit(Rule),
    /// Removes the rule with this id.
    Remove(RuleId),
    /// Replaces all rules. Unchanged rules keep their counters and deadlines, and stay expired if
    /// they have expired.
    Replace(Vec<Rule>),
}

impl Change {
    /// Checks that no rule of the edit has a guard rail, as rules of overlays must not.
    pub(crate) fn has_no_guard_rail(&self) -> Result<(), ChangeError> {
        let rules = match self {
            Self::Put(rule) | Self::Edit(rule) => std::slice::from_ref(rule),
            Self::Replace(rules) => rules,
            Self::Remove(_) => &[],
        };
        let checked = rules.iter().try_for_each(|rule| {
            rule.has_no_guard_rail()
                .map_err(|error| error.in_rule(rule.id.as_str()))
        });
        checked.map_err(ChangeError::Rule)
    }
}

/// Why an edit was not accepted. The rule set stays as it was.
///
/// `Debug` writes the sentences of the error and of its causes.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeError {
    /// The rules have changed since the generation that the caller has seen.
    #[non_exhaustive]
    Stale {
        /// The current generation.
        current: u64,
    },
    /// There is no rule with this id.
    Unknown(RuleId),
    /// The rules are invalid: two of them have the same id, a rule of an overlay has a guard rail, or
    /// they are more than the [policy](crate::Policy) allows together.
    Rule(RuleError),
    /// A breach of a guard rail stopped the rules and has not been acknowledged, or the environment
    /// disabled injection for the life of the process.
    #[non_exhaustive]
    Locked {
        /// Which bound was broken by what, or the setting of the environment.
        reason: Arc<str>,
    },
    /// A fleet of which the process is a part has halted injection, and only the fleet resumes it.
    #[non_exhaustive]
    HeldByFleet {
        /// The name of the fleet.
        fleet: Arc<str>,
        /// Why the fleet has halted.
        reason: Arc<str>,
    },
    /// A [`HaltHook`](crate::HaltHook) has refused a resume.
    #[non_exhaustive]
    ResumeRefused {
        /// Why, in the words of the hook.
        reason: Arc<str>,
    },
}

impl std::fmt::Display for ChangeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stale { current } => {
                write!(f, "the rules have changed; the generation is now {current}")
            }
            Self::Unknown(id) => write!(f, "there is no rule `{id}`"),
            Self::Rule(_) => f.write_str("the rules cannot be accepted"),
            Self::Locked { reason } => {
                write!(f, "stopped, and cannot be armed again yet: {reason}")
            }
            Self::HeldByFleet { fleet, reason } => {
                let (fleet, reason) = (OneLine(fleet), OneLine(reason));
                write!(
                    f,
                    "injection stays halted until the fleet `{fleet}` resumes it: {reason}"
                )
            }
            Self::ResumeRefused { reason } => {
                write!(f, "injection stays halted: {}", OneLine(reason))
            }
        }
    }
}

impl std::fmt::Debug for ChangeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", WithCauses(self))
    }
}

impl std::error::Error for ChangeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Rule(error) => Some(error),
            Self::Stale { .. }
            | Self::Unknown(_)
            | Self::Locked { .. }
            | Self::HeldByFleet { .. }
            | Self::ResumeRefused { .. } => None,
        }
    }
}
