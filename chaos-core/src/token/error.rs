//! Why a token, or a secret, is not accepted. No error reveals anything of a secret.

use std::{error::Error, fmt};

use crate::error::{RuleError, WithCauses};

/// The reason why a token is not accepted. The request that carried it is served as if it had no token.
///
/// `Debug` writes the sentences of the error and of its causes.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// The token is larger than 8 KiB. It was not read.
    Oversized,
    /// The token is not a JWT, or lacks a claim, or has one of another type.
    Malformed,
    /// No known secret has signed the token with HS256.
    Forged,
    /// The time of `exp` has come.
    Expired,
    /// The time of `nbf` has not come.
    NotYetValid,
    /// The token lives longer than the key allows.
    TooLong,
    /// The token is genuine, but its rules are invalid.
    Refused(RuleError),
}

impl TokenError {
    /// Returns a short name for counters: `oversized`, `malformed`, `forged`, `expired`,
    /// `not_yet_valid`, `too_long` or `refused`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Oversized => "oversized",
            Self::Malformed => "malformed",
            Self::Forged => "forged",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::TooLong => "too_long",
            Self::Refused(_) => "refused",
        }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Oversized => "the token is larger than 8 KiB",
            Self::Malformed => {
                "the token is no JWT with numbers exp, nbf and iat, a sub of 1 to 256 bytes, and rules"
            }
            Self::Forged => "the token is not signed with HS256 by a known key",
            Self::Expired => "the token has expired",
            Self::NotYetValid => "the token is not valid yet",
            Self::TooLong => "the token lives longer than the key allows",
            Self::Refused(_) => "the rules of the token cannot be accepted",
        })
    }
}

impl Error for TokenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Debug for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", WithCauses(self))
    }
}

/// The reason why a secret is not accepted: it is too short.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenKeyError {
    pub(super) length: usize,
}

impl fmt::Display for TokenKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { length } = self;
        write!(f, "a secret of {length} bytes; allowed: 32 bytes or more")
    }
}

impl fmt::Debug for TokenKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for TokenKeyError {}
