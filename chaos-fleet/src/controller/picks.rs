//! Where pickers keep what they remember of picks.

use crate::{controller::error::FleetError, controller::operator::Operator, name::Name};

impl Operator {
    /// Returns what is remembered of a pick, with the revision in which it was written.
    pub(crate) async fn read_pick(
        &self,
        pick: &Name,
    ) -> Result<Option<(Vec<u8>, i64)>, FleetError> {
        let key = &self.shared.keys.pick(pick);
        let entry = (self.shared.line)
            .ask(|session| async move { session.get(key).await })
            .await
            .map_err(FleetError::Store)?;
        Ok(entry.map(|entry| (entry.value, entry.revision)))
    }

    /// Replaces what is remembered of a pick if it was written in this revision, 0 if nothing is. Returns whether it was
    /// replaced; after an error of an endpoint, it may have been although it says no.
    pub(crate) async fn swap_pick(
        &self,
        pick: &Name,
        revision: i64,
        value: &[u8],
    ) -> Result<bool, FleetError> {
        let key = &self.shared.keys.pick(pick);
        let swapped = (self.shared.line)
            .ask(|session| async move { session.swap(key, revision, value, None).await })
            .await
            .map_err(FleetError::Store)?;
        Ok(swapped.is_some())
    }
}
