//! The end of a part at a fleet: its rules are disabled, looked at for the last time, and removed.

use std::collections::BTreeMap;

use chaos_fleet::{Controller, Name, Placed};
use futures_util::FutureExt;
use serde_json::Value;
use tokio::{
    task::coop::unconstrained,
    time::{sleep, timeout},
};

use crate::{
    commands::run::{
        stage::Part,
        target::{
            fleet::{FleetRun, LONGEST_ANSWER, answers},
            ports::{LAST_CALLS, Looks, PACE},
        },
    },
    failure::{Exit, Failure},
};

impl FleetRun {
    /// Ends the document of a part. Its rules are disabled first, which keeps what they have counted; then it is removed.
    pub(in crate::commands::run::target) async fn end(
        &self,
        part: &Part,
        rules: &[Value],
        observed: &[String],
    ) -> Looks {
        let Some(controller) = self.controller().filter(|_| !rules.is_empty()) else {
            // No rule was put, so none can be left.
            let looks = self.look(&part.ids, observed).await;
            return looks
                .into_iter()
                .map(|look| Ok(look.unwrap_or_default()))
                .collect();
        };
        let placed = self.placed.borrow().clone();
        // One look: a task that has used up its budget would see it as there in any case.
        let is_there = |placed: &Placed| {
            let over = unconstrained(controller.over(placed));
            over.now_or_never().is_none()
        };
        if placed.as_ref().is_some_and(is_there)
            && let Ok(document) = self.documents.of_part(part, rules, false)
            && let Ok(placed) = controller
                .put(&document, Some(self.documents.reason()))
                .await
        {
            // Those who do not answer are told below.
            if let Ok(answers) = answers(&controller, &placed).await {
                self.replicas.join(answers.applied.keys());
            }
        }
        let _ = timeout(LAST_CALLS, self.await_last_calls(&part.ids)).await;
        let looks = self.look(&part.ids, observed).await;
        let left = match controller.remove(&self.documents.name).await {
            Ok(_) => self.left(&controller).await,
            Err(error) => self.replicas.all_meant(&Failure::of_fleet(&error)),
        };
        let looks = self.replicas.ended(looks, &left);
        self.placed.replace(None);
        self.replicas.all_are_asked();
        looks
    }

    async fn await_last_calls(&self, ids: &[String]) {
        let is_active = |looks: &Looks| {
            let mut known = looks.iter().flatten();
            known.any(|look| look.sum("active") > 0)
        };
        while is_active(&self.look(ids, &[]).await) {
            sleep(PACE).await;
        }
    }

    /// Waits until those whom the document was meant for say that it is gone. Returns who has not, and why.
    async fn left(&self, controller: &Controller) -> BTreeMap<Name, Failure> {
        let silent = Failure::new(Exit::NoAnswer, "it has not said that the rules are gone");
        let mut left = self.replicas.all_meant(&silent);
        let all_say_so = async {
            loop {
                if let Ok(reports) = controller.operator().replicas().await {
                    left = self.replicas.not_gone(&reports, &self.documents.name);
                }
                if left.is_empty() {
                    return;
                }
                sleep(PACE).await;
            }
        };
        let _ = timeout(LONGEST_ANSWER, all_say_so).await;
        left
    }
}
