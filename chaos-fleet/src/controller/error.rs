//! Why something cannot be done with a fleet.

use crate::{
    controller::{ending::Ended, view::Holder},
    error::{Refusal, StoreError},
    name::Name,
    store::line::AsStoreError,
};

/// The reason why something cannot be done with a fleet.
#[derive(Debug, thiserror::Error)]
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

impl AsStoreError for FleetError {
    fn as_store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}
