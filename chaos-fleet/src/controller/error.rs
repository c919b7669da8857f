//! Why something cannot be done with a fleet.

use std::fmt;

use chaos_core::WithCauses;

use crate::{
    controller::{ending::Ended, view::Holder},
    error::{Refusal, StoreError},
    name::Name,
    store::line::AsStoreError,
};

/// The reason why something cannot be done with a fleet.
///
/// `Debug` writes the sentences of the error and of its causes.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum FleetError {
    /// etcd cannot be used. What was asked may have been done nevertheless.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is asked for is not acceptable.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Another controller holds the fleet.
    #[error("the fleet is held by {}, since {}", .0.by, .0.since())]
    Held(Holder),
    /// The controller is over, so it puts nothing more.
    #[error("the controller is over")]
    Over(#[source] Ended),
    /// The document is no longer there in this revision: it was removed, or put anew.
    #[error("the document `{0}` is no longer there: it was removed, or put anew")]
    Gone(Name),
}

impl fmt::Debug for FleetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", WithCauses(self))
    }
}

impl AsStoreError for FleetError {
    fn as_store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{error::Error, sync::Arc};

    use super::*;

    /// A `main` that returns an error prints its `Debug`.
    #[test]
    fn debug_writes_sentences() {
        let refusal = || Refusal::new("aim.share", "5 is out of range", "a number from 0 to 1");
        let unusable = || StoreError::Etcd {
            endpoint: "http://a:2379".to_owned(),
            source: "connection refused".into(),
        };
        let ended = Ended::Unreachable(Arc::new(unusable()));
        for (error, expected) in [
            (
                &refusal() as &dyn Error,
                "aim.share: 5 is out of range; allowed: a number from 0 to 1",
            ),
            (
                &unusable(),
                "etcd at http://a:2379 cannot be used: connection refused",
            ),
            (
                &FleetError::Refused(refusal()),
                "aim.share: 5 is out of range; allowed: a number from 0 to 1",
            ),
            (
                &FleetError::Store(unusable()),
                "etcd at http://a:2379 cannot be used: connection refused",
            ),
            (
                &FleetError::Over(ended),
                "the controller is over: it could not reach etcd for as long as the hold: \
                 etcd at http://a:2379 cannot be used: connection refused",
            ),
        ] {
            assert_eq!(format!("{error:?}"), expected);
        }
    }
}
