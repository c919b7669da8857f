//! The errors of a fleet: what is not acceptable, and why the store cannot be used.

use std::{error::Error, fmt};

use chaos_core::{OneLine, RuleError, WithCauses};
use serde::{Deserialize, Serialize};

/// The reason why a document, a name or another setting is not acceptable: the field, what is wrong with it, and what is
/// allowed.
///
/// Replicas write it into their reports, so it has a form in JSON. `Debug` writes its sentence.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct Refusal {
    /// The path of the field, such as `rules[0].rate`; empty if it concerns the whole.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    field: String,
    problem: String,
    /// What is allowed in its place.
    allowed: String,
}

impl Refusal {
    /// The longest text of a part, in characters: a report with the refusals of many documents has to fit into etcd.
    const LONGEST: usize = 500;

    pub(crate) fn new(
        field: impl Into<String>,
        problem: impl fmt::Display,
        allowed: impl Into<String>,
    ) -> Self {
        let cut = |text: String| text.chars().take(Self::LONGEST).collect();
        Self {
            field: cut(field.into()),
            problem: cut(problem.to_string()),
            allowed: cut(allowed.into()),
        }
    }

    /// Puts the field under another, which it is a part of.
    #[cfg(feature = "picker")]
    pub(crate) fn under(self, place: &str) -> Self {
        let field = match self.field.as_str() {
            "" => place.to_owned(),
            field => format!("{place}.{field}"),
        };
        Self::new(field, self.problem, self.allowed)
    }

    /// Moves the refusal to a field. The path that it had becomes a part of the problem.
    #[cfg(feature = "picker")]
    pub(crate) fn moved_to(self, field: &str) -> Self {
        let problem = match self.field.as_str() {
            "" => self.problem,
            inner => format!("{inner}: {}", self.problem),
        };
        Self::new(field, problem, self.allowed)
    }

    /// Returns the path of the field, such as `rules[0].rate`; empty if the refusal concerns the whole.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Returns what is wrong.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// Returns what is allowed.
    #[must_use]
    pub fn allowed(&self) -> &str {
        &self.allowed
    }
}

impl From<RuleError> for Refusal {
    fn from(error: RuleError) -> Self {
        let problem = match error.rule() {
            Some(rule) => format!("rule `{}`: {}", OneLine(rule), error.problem()),
            None => error.problem().to_owned(),
        };
        Self::new(error.field(), problem, error.allowed())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", OneLine(&self.field))?;
        }
        let (problem, allowed) = (OneLine(&self.problem), OneLine(&self.allowed));
        write!(f, "{problem}; allowed: {allowed}")
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Refusal {}

/// The reason why the store cannot be used: it is not reached, it refuses, or it answers with what is not understood.
///
/// `Debug` writes the sentences of the error and of its cause.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// etcd is not reached, or refuses.
    #[error("etcd at {endpoint} cannot be used")]
    #[non_exhaustive]
    Etcd {
        /// The endpoint that was asked.
        endpoint: String,
        /// What its client says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// etcd does not let this user do it, or not without a user.
    #[error("etcd at {endpoint} does not allow it: {problem}")]
    #[non_exhaustive]
    Denied {
        /// The endpoint that was asked.
        endpoint: String,
        /// What etcd says.
        problem: String,
    },
    /// etcd does not answer in time.
    #[error("etcd at {endpoint} does not answer")]
    #[non_exhaustive]
    Silent {
        /// The endpoint that was asked.
        endpoint: String,
    },
    /// A lease is over: what hung on it is gone.
    #[error("etcd at {endpoint} no longer has the lease")]
    #[non_exhaustive]
    LeaseLost {
        /// The endpoint that was asked.
        endpoint: String,
    },
    /// A watch or the keeping of a lease has ended.
    #[error("etcd at {endpoint} has ended the {what}")]
    #[non_exhaustive]
    Ended {
        /// The endpoint that was asked.
        endpoint: String,
        /// What has ended: the watch, or the keeping of the lease.
        what: &'static str,
    },
    /// Somebody else has put a key that only one may have, such as a second replica with the same id.
    #[error("at {endpoint}, somebody else has put {key}")]
    #[non_exhaustive]
    Taken {
        /// The endpoint that was asked.
        endpoint: String,
        /// The key.
        key: String,
    },
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", WithCauses(self))
    }
}

impl StoreError {
    /// Sorts an error of the client.
    pub(crate) fn of(endpoint: &str, error: &etcd_client::Error) -> Self {
        // Numbers of gRPC's codes, whose type is that of a crate which is not needed otherwise.
        const INVALID_ARGUMENT: i32 = 3;
        const NOT_FOUND: i32 = 5;
        const PERMISSION_DENIED: i32 = 7;
        const UNAUTHENTICATED: i32 = 16;
        let endpoint = endpoint.to_owned();
        let unusable = |texts: Vec<String>| Self::Etcd {
            endpoint: endpoint.clone(),
            source: texts.join(": ").into(),
        };
        let status = match error {
            etcd_client::Error::LeaseKeepAliveError(text) if text == "lease not found" => {
                return Self::LeaseLost { endpoint };
            }
            etcd_client::Error::GRpcStatus(status) => status,
            etcd_client::Error::TransportError(error) => return unusable(causes(error)),
            _ => return unusable(vec![error.to_string()]),
        };
        let problem = status.message().trim_start_matches("etcdserver: ");
        match status.code() as i32 {
            NOT_FOUND if problem.contains("lease not found") => Self::LeaseLost { endpoint },
            PERMISSION_DENIED | UNAUTHENTICATED => Self::Denied {
                endpoint,
                problem: problem.to_owned(),
            },
            // What is asked is fine, so it is the user who is not: none is named, or not with this password.
            INVALID_ARGUMENT if problem.contains("user") => Self::Denied {
                endpoint,
                problem: problem.to_owned(),
            },
            _ => {
                // The causes say what the message says, and more.
                let texts = status.source().map(causes);
                unusable(texts.unwrap_or_else(|| vec![problem.to_owned()]))
            }
        }
    }

    /// Returns whether etcd has decided: another endpoint would say the same.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Denied { .. } | Self::LeaseLost { .. })
    }
}

/// Returns what an error says, and each of its causes.
fn causes(error: &dyn Error) -> Vec<String> {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let mut texts: Vec<_> = causes.map(ToString::to_string).collect();
    // Some say what their cause says.
    texts.dedup();
    texts
}
