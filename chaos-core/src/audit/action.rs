//! What can be done to an injector, by name.

use crate::rule::rule_set::Change;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// A rule was added, or replaced where it stood.
    Put,
    /// A rule was replaced where it stood, without arming it anew.
    Edit,
    /// A rule was taken out.
    Remove,
    /// All rules were replaced.
    Replace,
    /// All injection was stopped.
    Halt,
    /// A halt was undone.
    Resume,
    /// Paused calls were let go.
    Release,
    /// Someone took note of a breach, so that what it stopped may be armed again.
    Acknowledge,
    /// A token was signed, which brings rules to the requests that bear it.
    Sign,
    /// A rule came to its deadline.
    Expire,
    /// A guard rail stopped a rule, or everything.
    Breach,
    /// Something was not allowed, and not done.
    Refuse,
}

impl Action {
    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Edit => "edit",
            Self::Remove => "remove",
            Self::Replace => "replace",
            Self::Halt => "halt",
            Self::Resume => "resume",
            Self::Release => "release",
            Self::Acknowledge => "acknowledge",
            Self::Sign => "sign",
            Self::Expire => "expire",
            Self::Breach => "breach",
            Self::Refuse => "refuse",
        }
    }
}

impl From<&Change> for Action {
    fn from(change: &Change) -> Self {
        match change {
            Change::Put(_) => Self::Put,
            Change::Edit(_) => Self::Edit,
            Change::Remove(_) => Self::Remove,
            Change::Replace(_) => Self::Replace,
        }
    }
}
