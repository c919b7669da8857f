//! Why the changes of an entry were not undone.

use std::{error::Error, fmt, sync::Arc};

use crate::{
    audit::{Entry, action::Action},
    error::WithCauses,
    name::RuleId,
    rule::{Rule, rule_set::ChangeError},
};

/// Why [`Injector::undo`](crate::Injector::undo) has not undone the changes of an entry. The rules stay as they were.
///
/// `Debug` writes the sentences of the error and of its causes.
#[derive(Clone)]
#[non_exhaustive]
pub enum UndoError {
    /// There is no entry with this id yet.
    #[non_exhaustive]
    Unknown {
        /// The id of the newest entry; 0 if there is none.
        last: u64,
    },
    /// The audit has dropped the entry.
    Dropped,
    /// The action has changed no rule, or is that of a guard rail.
    #[non_exhaustive]
    NotAnEdit {
        /// The action of the entry.
        action: Action,
    },
    /// The entry has put a rule as it was, which has armed it anew at most. Nothing that is written differs.
    NothingWritten,
    /// A rule of the entry was changed after it.
    #[non_exhaustive]
    EditedSince {
        /// The id of the rule.
        rule: RuleId,
        /// The rule as the entry has left it; `None` if the entry has removed it.
        left: Option<Arc<Rule>>,
        /// The rule as it is now; `None` if there is none.
        current: Option<Arc<Rule>>,
        /// The last entry that has changed the rule, if it is kept.
        by: Option<Arc<Entry>>,
    },
    /// The edit that undoes the entry is refused: the rules have changed since the generation that the caller has seen,
    /// a guard rail has stopped a rule that would be armed, or the policy does not allow one.
    Refused(ChangeError),
}

impl fmt::Display for UndoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { last } => write!(f, "there is no such entry; the last is {last}"),
            Self::Dropped => f.write_str("the entry is no longer kept"),
            Self::NotAnEdit { action } => {
                write!(
                    f,
                    "an entry of the action `{}` cannot be undone",
                    action.as_str()
                )
            }
            Self::NothingWritten => f.write_str(
                "the entry has changed nothing that is written in a rule; disable or delete the rule to end it",
            ),
            Self::EditedSince { rule, by, .. } => {
                write!(f, "the rule `{rule}` has changed since")?;
                match by {
                    Some(by) => {
                        let (id, action) = (by.id, by.action.as_str());
                        write!(f, ", by entry {id}: {action} by {}", by.actor)
                    }
                    None => Ok(()),
                }
            }
            Self::Refused(_) => f.write_str("the rules cannot be put back"),
        }
    }
}

impl fmt::Debug for UndoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", WithCauses(self))
    }
}

impl Error for UndoError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused(error) => Some(error),
            _ => None,
        }
    }
}

impl From<ChangeError> for UndoError {
    fn from(error: ChangeError) -> Self {
        Self::Refused(error)
    }
}
