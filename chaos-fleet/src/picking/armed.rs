//! The rules of picks: how they are put, and how they end.

use std::{future::ready, panic::resume_unwind};

use chaos_core::wire;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::task::JoinError;

use super::{Made, Picker};
use crate::{
    controller::{Controller, DocumentEnd, Ended, FleetError, Placed},
    document::Document,
    error::Refusal,
    picker::{Choice, Pick},
};

/// The document of a pick that is in force.
#[derive(Debug)]
pub(super) struct Armed {
    pick: String,
    ordinal: u64,
    placed: Placed,
    /// When the time of its rules is over.
    until: Timestamp,
}

/// The rules of a pick that are over.
#[derive(Debug)]
#[non_exhaustive]
pub struct PickEnd {
    /// The name of the pick.
    pub pick: String,
    /// The number of the pick; the first is 0.
    pub ordinal: u64,
    /// Why they are over; `None` if their time is.
    pub end: Option<DocumentEnd>,
}

impl Picker {
    /// Takes back what is over at the time `now`, and returns the picks whose rules are over since it was last asked: their
    /// time is, a guard rail has stopped them, or somebody has halted the fleet or removed the document. To be called each
    /// second or so while rules [are in force](Self::is_armed).
    ///
    /// Cancel safe: what it has not returned, the next call does.
    ///
    /// # Errors
    /// Returns an error if etcd cannot be used. Replicas end rules whose time is over by themselves.
    pub async fn ended(&mut self, now: Timestamp) -> Result<Vec<PickEnd>, FleetError> {
        let Some(controller) = &self.controller else {
            return Ok(std::mem::take(&mut self.untold));
        };
        let mut at = 0;
        while let Some(armed) = self.armed.get(at) {
            let end = over_by_now(controller, &armed.placed).await;
            if end.is_none() && now < armed.until {
                at += 1;
                continue;
            }
            let armed = self.armed.remove(at);
            // What somebody else has put in its place is not this picker's.
            if !matches!(end, Some(DocumentEnd::Removed | DocumentEnd::Replaced)) {
                self.to_remove.push(armed.placed.name);
            }
            let Armed { pick, ordinal, .. } = armed;
            self.untold.push(PickEnd { pick, ordinal, end });
        }
        match self.take_back().await {
            // An end that is known is told, whatever etcd does.
            Err(error) if self.untold.is_empty() => Err(error),
            _ => Ok(std::mem::take(&mut self.untold)),
        }
    }

    /// Puts the rules of a pick at the replica that was chosen, if one was.
    pub(super) async fn arm(
        &mut self,
        pick: &Pick,
        ordinal: u64,
        at: Timestamp,
        choice: Choice,
    ) -> Made {
        let put = match &choice {
            Choice::Replica { id, .. } => self.put(pick, ordinal, at, id).await.map(Some),
            _ => Ok(None),
        };
        if put.is_err() {
            // What is left is removed with the next end.
            let _ = self.take_back().await;
        }
        Made {
            pick: pick.name().to_owned(),
            ordinal,
            at,
            choice,
            put,
        }
    }

    async fn put(
        &mut self,
        pick: &Pick,
        ordinal: u64,
        at: Timestamp,
        replica: &str,
    ) -> Result<Placed, FleetError> {
        let document = document(pick, replica)?;
        self.settle().await;
        let Some(controller) = &self.controller else {
            return Err(FleetError::Gone(document.name().clone()));
        };
        let reason = format!("pick {} of {}", ordinal + 1, pick.name());
        // If this is dropped or fails, the document may be there nevertheless.
        self.to_remove.push(document.name().clone());
        let putting = controller.put_in_task(document, reason)?;
        let put = self.putting.insert(putting).await;
        self.putting = None;
        let placed = outcome(put)?;
        self.to_remove.retain(|name| *name != placed.name);
        // What was in force of this pick has been replaced.
        self.armed.retain(|armed| armed.placed.name != placed.name);
        let ttl = SignedDuration::try_from(pick.ttl()).unwrap_or(SignedDuration::MAX);
        self.armed.push(Armed {
            pick: pick.name().to_owned(),
            ordinal,
            until: at.checked_add(ttl).unwrap_or(Timestamp::MAX),
            placed: placed.clone(),
        });
        Ok(placed)
    }

    /// Waits until a document has been put whose turn was dropped midway, or has not.
    async fn settle(&mut self) {
        if let Some(putting) = &mut self.putting {
            let put = putting.await;
            self.putting = None;
            let _ = outcome(put);
        }
    }

    /// Removes what is to be removed: with the hold on the fleet, if nothing else is in force.
    async fn take_back(&mut self) -> Result<(), FleetError> {
        self.settle().await;
        if self.armed.is_empty() {
            return self.let_go().await;
        }
        while let (Some(name), Some(controller)) = (self.to_remove.last(), &self.controller) {
            // With the hold, the documents are gone.
            if !controller.is_over() {
                controller.remove(name).await?;
            }
            self.to_remove.pop();
        }
        Ok(())
    }
}

/// Returns what came of a put in a task. A panic of the task goes on in the caller.
fn outcome(put: Result<Result<Placed, FleetError>, JoinError>) -> Result<Placed, FleetError> {
    put.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        // Its runtime has ended.
        Err(_) => Err(FleetError::Over(Ended::Cancelled)),
    })
}

/// Returns the document that arms the rules of a pick at one replica.
fn document(pick: &Pick, replica: &str) -> Result<Document, Refusal> {
    let written = |rule| match wire::rule_to_value(rule) {
        // It is the document's.
        Value::Object(mut rule) => {
            rule.remove("ttl");
            Value::Object(rule)
        }
        rule => rule,
    };
    let rules: Vec<_> = pick.rules().iter().map(written).collect();
    Document::from_value(json!({
        "name": format!("pick.{}", pick.name()),
        "rules": rules,
        "aim": { "ids": [replica] },
        "ttl": humantime::format_duration(pick.ttl()).to_string(),
    }))
}

/// Returns why a document is over, if it is. It never waits.
async fn over_by_now(controller: &Controller, placed: &Placed) -> Option<DocumentEnd> {
    tokio::select! {
        biased;
        end = controller.over(placed) => Some(end),
        () = ready(()) => None,
    }
}

#[cfg(test)]
mod tests {
    use tokio::spawn;

    use super::*;

    #[tokio::test]
    #[should_panic(expected = "a defect of the put")]
    async fn a_panic_of_a_put_is_one_of_the_picker() {
        let _ = outcome(spawn(async { panic!("a defect of the put") }).await);
    }

    #[tokio::test]
    async fn a_put_whose_runtime_has_ended_is_cancelled() {
        let putting = spawn(std::future::pending());
        putting.abort();
        let put = outcome(putting.await);
        assert!(
            matches!(put, Err(FleetError::Over(Ended::Cancelled))),
            "{put:?}"
        );
    }
}
