//! An ordered list of rules, and how an edit makes the next one. Pure values; nothing is armed here.

use std::sync::Arc;

use fnv::FnvHashSet;

use crate::{error::RuleError, name::RuleId, rule::Rule};

/// An immutable, ordered list of rules with distinct ids, and the generation it came with.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    pub(crate) generation: u64,
    pub(crate) rules: Vec<Arc<Rule>>,
}

impl RuleSet {
    /// How many edits came before: it goes up by one with each that is accepted.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The rules in order.
    #[must_use]
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// The rule called `id`.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Arc<Rule>> {
        self.rules.iter().find(|rule| rule.id.as_str() == id)
    }

    /// The next set: `change` applied to this one.
    pub(crate) fn apply(&self, change: Change) -> Result<Self, ChangeError> {
        let mut rules = self.rules.clone();
        match change {
            Change::Put(rule) => match rules.iter_mut().find(|old| old.id == rule.id) {
                Some(old) => *old = Arc::new(rule),
                None => rules.push(Arc::new(rule)),
            },
            Change::Edit(rule) => match rules.iter_mut().find(|old| old.id == rule.id) {
                Some(old) => *old = Arc::new(rule),
                None => return Err(ChangeError::Unknown(rule.id)),
            },
            Change::Remove(id) => {
                let before = rules.len();
                rules.retain(|rule| rule.id != id);
                if rules.len() == before {
                    return Err(ChangeError::Unknown(id));
                }
            }
            Change::Replace(new) => {
                rules = new.into_iter().map(Arc::new).collect();
                unique(&rules).map_err(ChangeError::Rule)?;
            }
        }
        let generation = self.generation + 1;
        Ok(Self { generation, rules })
    }
}

fn unique(rules: &[Arc<Rule>]) -> Result<(), RuleError> {
    let mut seen = FnvHashSet::default();
    match rules
        .iter()
        .enumerate()
        .find(|(_, rule)| !seen.insert(&rule.id))
    {
        None => Ok(()),
        Some((at, rule)) => Err(RuleError::new(
            format!("rules[{at}].id"),
            "an earlier rule has this id",
            "an id that no other rule has",
        )
        .in_rule(rule.id.as_str())),
    }
}

/// An edit of the rule set. One value, so that it can be checked, counted and written down.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Change {
    /// Adds the rule at the end, or replaces the one with its id where that stands.
    ///
    /// An unchanged rule goes on as it was, counts and deadline and all, unless it has expired:
    /// then it is armed anew.
    Put(Rule),
    /// Replaces the rule with its id where that stands. Unlike a `Put`, it does not arm an expired
    /// rule that it leaves unchanged, or gives another reason; switching it on, or changing what it
    /// does, arms it like a new one.
    Edit(Rule),
    /// Takes the rule out.
    Remove(RuleId),
    /// Replaces all rules. Unchanged ones go on as they were; unchanged ones that have expired stay
    /// expired.
    Replace(Vec<Rule>),
}

/// Why an edit was not accepted. The rule set is what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeError {
    /// The caller had seen an older generation than this one.
    #[non_exhaustive]
    Stale {
        /// The generation in force.
        current: u64,
    },
    /// There is no such rule.
    Unknown(RuleId),
    /// Two rules with one id.
    Rule(RuleError),
    /// A guard rail has stopped it, and nobody has acknowledged that; or the environment has, for good.
    #[non_exhaustive]
    Locked {
        /// What broke which bound, or what the environment says.
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
                write!(f, "stopped, and not yet to be armed again: {reason}")
            }
        }
    }
}

impl std::error::Error for ChangeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Rule(error) => Some(error),
            Self::Stale { .. } | Self::Unknown(_) | Self::Locked { .. } => None,
        }
    }
}
