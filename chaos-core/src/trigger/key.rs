//! What identifies calls that are decided alike: a user, a tenant, a trace, the attempts of a
//! request.

use std::{borrow::Cow, fmt, str::FromStr};

use http::HeaderName;

use crate::{
    call::{Call, cut},
    error::RuleError,
    matcher::Matcher,
};

/// Where the key of a call is found.
///
/// Calls with the same key are decided the same way: on every replica, in any order, in every run.
/// A call without a key is not hit. Only the first 256 bytes of a value count.
///
/// A key is written as `header:x-user-id`, `query:user`, `path:id`, `label:tenant`, `peer` or
/// `trace`.
///
/// ```
/// use chaos_core::{Key, Rate, Trigger};
///
/// let one_in_ten_users = Trigger::new().key("header:x-user-id".parse()?).rate(Rate::new(0.1)?);
/// # drop(one_in_ten_users);
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Key {
    /// A header, of which the first value counts.
    Header(HeaderName),
    /// A query parameter, percent-decoded, of which the first value counts.
    Query(Box<str>),
    /// A parameter of the route that the rule matches, as in `/checkout/{id}`.
    PathParameter(Box<str>),
    /// A label of the site.
    Label(Box<str>),
    /// The IP address of the peer, without its port. axum provides it if the router is served with
    /// `into_make_service_with_connect_info::<SocketAddr>()`.
    Peer,
    /// The id of the trace that the call belongs to, from the W3C's `traceparent` header.
    Trace,
}

/// The forms of a key.
const ALLOWED: &str = "header:NAME, query:NAME, path:PARAMETER, label:NAME, peer or trace";

impl Key {
    /// Returns the key of a call, if it has one. `matcher` is that of the rule.
    pub(crate) fn of<'c>(&self, call: &Call<'c>, matcher: &Matcher) -> Option<Cow<'c, str>> {
        let value = match self {
            Self::Header(name) => call.first_header(name)?.to_str().ok()?.into(),
            Self::Query(name) => call.query(name).next()?.into_text(),
            Self::PathParameter(name) => {
                matcher.path.as_ref()?.parameter(call.path()?, name)?.into()
            }
            Self::Label(name) => call.label(name)?.into(),
            Self::Peer => call.peer()?.to_string().into(),
            Self::Trace => call.trace()?.into(),
        };
        Some(cut(value))
    }

    /// Returns whether calls that `matcher` matches can have this key.
    pub(crate) fn fits(&self, matcher: &Matcher) -> bool {
        let Self::PathParameter(name) = self else {
            return true;
        };
        (matcher.path.as_ref()).is_some_and(|path| path.has_parameter(name))
    }
}

impl FromStr for Key {
    type Err = RuleError;

    fn from_str(key: &str) -> Result<Self, RuleError> {
        let refuse = |problem: &str| {
            let problem = format!("{key:?} {problem}");
            RuleError::new("key", problem, ALLOWED)
        };
        match key.split_once(':') {
            None if key == "peer" => Ok(Self::Peer),
            None if key == "trace" => Ok(Self::Trace),
            None => Err(refuse("is not a key")),
            Some((_, "")) => Err(refuse("has no name")),
            Some(("header", name)) => {
                let name = name.parse().map_err(|_| refuse("names no header"))?;
                Ok(Self::Header(name))
            }
            Some(("query", name)) => Ok(Self::Query(name.into())),
            Some(("path", name)) => Ok(Self::PathParameter(name.into())),
            Some(("label", name)) => Ok(Self::Label(name.into())),
            Some(_) => Err(refuse("is not a key")),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Query(name) => write!(f, "query:{name}"),
            Self::PathParameter(name) => write!(f, "path:{name}"),
            Self::Label(name) => write!(f, "label:{name}"),
            Self::Peer => f.write_str("peer"),
            Self::Trace => f.write_str("trace"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_as_it_was_read() {
        for key in [
            "header:x-user-id",
            "query:user",
            "path:id",
            "label:tenant",
            "peer",
            "trace",
        ] {
            assert_eq!(key.parse::<Key>().unwrap().to_string(), key);
        }
        for wrong in ["", "user", "header:", "header:a b", "cookie:a", "peer:1"] {
            let error = wrong.parse::<Key>().unwrap_err();
            assert_eq!((error.field(), error.allowed()), ("key", ALLOWED));
        }
    }
}
