//! What someone may do at the port: three rights, each of which includes those before it.

use std::{fmt, str::FromStr};

/// What an access token is good for. Closed on purpose, and in order: each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads, and changes nothing.
    Observe,
    /// Reads, halts, and releases paused calls; arms and resumes nothing.
    Stop,
    /// Everything.
    Arm,
}

impl Role {
    /// Its name in a list of tokens.
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

/// A text that is none of the roles. It does not say which: what stands in the place of a role may be
/// a secret that slipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownRole;

impl fmt::Display for UnknownRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the role is none of observe, stop and arm")
    }
}

impl std::error::Error for UnknownRole {}
