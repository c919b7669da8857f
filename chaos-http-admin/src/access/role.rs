//! Roles: what the owner of an access token may do.

use std::{fmt, str::FromStr};

/// The role of an access token. Roles are ordered: each may do what those before it may do.
///
/// This enum is closed: it is exhaustive, and a new role would be a breaking change.
///
/// ```
/// use chaos_http_admin::Role;
///
/// assert!(Role::Observe < Role::Stop && Role::Stop < Role::Arm);
/// assert_eq!("stop".parse(), Ok(Role::Stop));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// May read rules, sites, metrics, events and the audit.
    Observe,
    /// May also halt all injection, and release calls that a `pause` fault holds. May neither arm
    /// rules nor resume.
    Stop,
    /// May do everything.
    Arm,
}

impl Role {
    /// Returns the role's name as a list of access tokens has it: `observe`, `stop` or `arm`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Stop => "stop",
            Self::Arm => "arm",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, UnknownRole> {
        let roles = [Self::Observe, Self::Stop, Self::Arm];
        let role = roles.into_iter().find(|role| role.as_str() == name);
        role.ok_or(UnknownRole)
    }
}

/// The error for a text that is not the name of a [`Role`]. It does not contain the text, which may
/// be a misplaced secret. `Debug` writes the sentence.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UnknownRole;

impl fmt::Display for UnknownRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the role is unknown; allowed: observe, stop, arm")
    }
}

impl fmt::Debug for UnknownRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for UnknownRole {}
