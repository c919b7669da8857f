//! The lease of a controller: how a fleet is taken on it, and how it ends.

use std::time::Duration;

use tokio::time::timeout;

use crate::{
    controller::{
        error::FleetError,
        operator::Operator,
        view::{Holder, written},
    },
    error::StoreError,
};

/// How long the end of a lease may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Writes who holds the fleet, if nobody does.
pub(super) async fn take(operator: &Operator, lease: i64, by: &str) -> Result<(), FleetError> {
    let keys = &operator.shared.keys;
    let holder = Holder::new(by, operator.shared.clock.wall());
    let value = &written(&holder);
    let taken = operator.shared.line.ask(|session| async move {
        let key = keys.controller();
        let taken = session.swap(&key, 0, value.as_slice(), Some(lease)).await?;
        if taken.is_some() {
            return Ok(());
        }
        match session.get(&key).await? {
            // Of a request before that was not answered.
            Some(entry) if entry.lease == lease => Ok(()),
            Some(entry) => Err(FleetError::Held(
                serde_json::from_slice(&entry.value).unwrap_or_else(|_| Holder::unknown()),
            )),
            // It has ended just now.
            None => Err(FleetError::Held(Holder::unknown())),
        }
    });
    taken.await
}

pub(super) async fn revoke(operator: &Operator, lease: i64) -> Result<(), StoreError> {
    let revoked = operator
        .shared
        .line
        .ask(|session| async move { session.revoke(lease).await });
    match timeout(PATIENCE, revoked).await {
        Ok(Ok(()) | Err(StoreError::LeaseLost { .. })) => Ok(()),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(operator.shared.line.silent()),
    }
}
