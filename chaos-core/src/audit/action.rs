//! The actions that an audit records, by name.

use crate::rule::rule_set::Change;

/// An action on an injector, as an [`Entry`](crate::audit::Entry) of its audit names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// A rule was added, or replaced the rule with its id.
    Put,
    /// A rule was replaced in place, without being armed anew.
    Edit,
    /// A rule was removed.
    Remove,
    /// All rules were replaced.
    Replace,
    /// The deadline of a rule was moved to a later time.
    Extend,
    /// The changes of an earlier entry were undone.
    Undo,
    /// All injection was halted, or a halt got a further holder.
    Halt,
    /// Injection was resumed: all holds were ended, if there were any.
    Resume,
    /// The calls that a `pause` held were released.
    Release,
    /// A breach was acknowledged, so that the rules it stopped may be armed again.
    Acknowledge,
    /// A token was signed. It carries rules to the requests that bear it.
    Sign,
    /// A rule reached its deadline, or the end of its [`Leash`](crate::Leash), as the reason of the entry says then.
    Expire,
    /// A guard rail stopped a rule, or all injection.
    Breach,
    /// A file of access tokens or certificates was read again because it had changed.
    Reload,
    /// A request or a file was refused and had no effect.
    Refuse,
}

impl Action {
    /// Returns the action's name in JSON, in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Edit => "edit",
            Self::Remove => "remove",
            Self::Replace => "replace",
            Self::Extend => "extend",
            Self::Undo => "undo",
            Self::Halt => "halt",
            Self::Resume => "resume",
            Self::Release => "release",
            Self::Acknowledge => "acknowledge",
            Self::Sign => "sign",
            Self::Expire => "expire",
            Self::Breach => "breach",
            Self::Reload => "reload",
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
