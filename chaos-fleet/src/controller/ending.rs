//! Why a controller is over, or one of its documents.

use std::{collections::BTreeMap, fmt, sync::Arc};

use chaos_core::WithCauses;

use crate::{
    controller::{place::Placed, view::View},
    error::StoreError,
    name::Name,
    report::{Halt, Stop},
};

/// The reason why a controller is over.
///
/// `Debug` writes the sentences of the error and of its causes.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Ended {
    /// It was released: its documents are gone.
    #[error("it was released")]
    Released,
    /// etcd has ended its lease, or somebody has removed what says that it holds the fleet: its documents are gone, or are
    /// about to go.
    #[error("its lease was ended")]
    Lost,
    /// It could not extend its lease for one hold. Replicas have heard no beat meanwhile, so its documents are over there;
    /// etcd may still have them until its own end of the lease.
    #[error("it could not reach etcd for as long as the hold")]
    Unreachable(#[source] Arc<StoreError>),
    /// Its task was cancelled, as when the runtime ends.
    #[error("its runtime has ended")]
    Cancelled,
}

impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", WithCauses(self))
    }
}

/// The reason why a document of a controller is over.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum DocumentEnd {
    /// As many replicas have stopped it as end it everywhere: these, each with the reason.
    Stopped(BTreeMap<Name, Stop>),
    /// The fleet was halted.
    Halted(Halt),
    /// Somebody else has removed it.
    Removed,
    /// It was put anew.
    Replaced,
    /// The controller is over.
    Ended(Ended),
}

impl DocumentEnd {
    /// Returns why a document on a lease is over; `None` if it is not, or the lease is over.
    pub(super) fn of(view: &View, placed: &Placed, lease: i64) -> Option<Self> {
        let Placed { name, revision, .. } = placed;
        let stops = view.stops_at(name, *revision);
        if view.revision < *revision {
            None
        } else if stops.len() >= placed.breaches {
            Some(Self::Stopped(stops))
        } else if let Some(halt) = &view.halt {
            Some(Self::Halted(halt.clone()))
        } else if view.has(name, *revision) || view.lease != lease {
            // What hung on the lease is gone with it.
            None
        } else if view.documents.contains_key(name) {
            Some(Self::Replaced)
        } else {
            Some(Self::Removed)
        }
    }
}
