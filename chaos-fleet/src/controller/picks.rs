//! What pickers need beside what everybody may: where they keep what they remember of picks, and how they put documents.

use tokio::task::JoinHandle;

use super::{Controller, FleetError, Operator, Placed, put};
use crate::{document::Document, name::Name};

impl Controller {
    /// Returns whether the controller is over, so that nothing of it is in force for longer than a hold.
    pub(crate) fn is_over(&self) -> bool {
        self.goes_on().is_err()
    }

    /// Puts a document in a task, which goes on when whoever waits for it does not.
    ///
    /// # Errors
    /// Returns [`FleetError::Over`] if the controller is over.
    pub(crate) fn put_in_task(
        &self,
        document: Document,
        reason: String,
    ) -> Result<JoinHandle<Result<Placed, FleetError>>, FleetError> {
        self.goes_on()?;
        let (operator, by, lease) = (self.operator.clone(), self.by.clone(), self.lease);
        let putting = async move { put(&operator, &by, lease, &document, Some(&reason)).await };
        Ok(tokio::spawn(putting))
    }
}

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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;
    use tokio::sync::{oneshot, watch};

    use super::*;
    use crate::{controller::Ended, controller::View, store::Etcd};

    /// Its lease may still be in etcd, so that etcd would take a document that nobody beats for.
    #[tokio::test]
    async fn a_controller_that_is_over_puts_nothing() {
        let etcd = Etcd::new(["http://127.0.0.1:1"]).unwrap();
        let operator = Operator::new(etcd, "shop".parse().unwrap());
        let silent = Arc::new(operator.shared.line.silent());
        let controller = Controller {
            by: "ann".to_owned(),
            lease: 7,
            view: watch::channel(View::default()).1,
            ended: watch::channel(Some(Ended::Unreachable(silent))).1,
            release: oneshot::channel().0,
            task: tokio::spawn(async { Ok(()) }),
            operator,
        };
        let document = Document::from_value(json!({
            "name": "lost",
            "rules": [{ "id": "lost", "site": "db.read", "faults": [{ "error": "lost" }] }],
            "ttl": "10m",
        }));
        let document = document.unwrap();
        let put = controller.put(&document, None).await.map(drop);
        let in_task = controller.put_in_task(document, "why".to_owned()).map(drop);
        for put in [put, in_task] {
            let is_over = matches!(put, Err(FleetError::Over(Ended::Unreachable(_))));
            assert!(is_over, "{put:?}");
        }
    }
}
