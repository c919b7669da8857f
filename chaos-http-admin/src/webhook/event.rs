//! What an audit entry means to the receivers of a webhook: which event it is, and which rules it has
//! armed or ended.

use std::sync::Arc;

use chaos_core::{
    Rule,
    audit::{Action, BeforeAndAfter, Entry},
};

/// The event that an audit entry is about.
#[derive(Debug)]
pub(crate) struct Event {
    /// The name in JSON.
    pub(crate) name: &'static str,
    pub(crate) topic: Topic,
    pub(crate) changes: Vec<BeforeAndAfter>,
}

/// What a message is about. The messages about one topic are sent in order, and do not wait for those
/// about another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topic {
    /// All injection is halted or resumed, also by a guard rail.
    Halt,
    /// A guard rail has stopped a rule.
    Breach,
    /// Rules are armed, or have ended.
    Rules,
}

impl Event {
    /// Returns the event, or `None` if the entry neither arms nor ends anything.
    pub(crate) fn of(entry: &Entry) -> Option<Self> {
        let changes = entry.changes();
        let (name, topic) = match entry.action {
            Action::Put | Action::Edit | Action::Remove | Action::Replace | Action::Undo => {
                if changes.iter().any(is_armed) {
                    ("arm", Topic::Rules)
                } else if changes.iter().any(is_ended) {
                    ("disarm", Topic::Rules)
                } else {
                    return None;
                }
            }
            Action::Halt => ("halt", Topic::Halt),
            // Without anyone who had halted, it ended nothing.
            Action::Resume if entry.what.is_some() => ("resume", Topic::Halt),
            Action::Expire => ("expire", Topic::Rules),
            Action::Extend => ("extend", Topic::Rules),
            // A breach stops one rule, or, without a change, all injection.
            Action::Breach if changes.is_empty() => ("breach", Topic::Halt),
            Action::Breach => ("breach", Topic::Breach),
            _ => return None,
        };
        Some(Self {
            name,
            topic,
            changes,
        })
    }

    /// Returns the rules that were armed.
    pub(crate) fn armed(&self) -> Vec<&Rule> {
        let armed = self.changes.iter().filter(|change| is_armed(change));
        armed.filter_map(|(_, after)| after.as_deref()).collect()
    }

    /// Returns the rules that have ended, as they were before.
    pub(crate) fn ended(&self) -> Vec<&Rule> {
        let ended = self.changes.iter().filter(|change| is_ended(change));
        ended.filter_map(|(before, _)| before.as_deref()).collect()
    }
}

fn is_enabled(rule: Option<&Arc<Rule>>) -> bool {
    rule.is_some_and(|rule| rule.is_enabled())
}

/// Returns whether the rule is enabled after the change, which has armed it.
fn is_armed((_, after): &BeforeAndAfter) -> bool {
    is_enabled(after.as_ref())
}

/// Returns whether the change has ended the rule, which was enabled before.
fn is_ended(change: &BeforeAndAfter) -> bool {
    is_enabled(change.0.as_ref()) && !is_armed(change)
}
