//! The rules of picks that are in force, and how they end.

use std::future::ready;

use jiff::Timestamp;

use super::Picker;
use crate::controller::{Controller, DocumentEnd, FleetError, Placed};

/// The document of a pick that is in force.
#[derive(Debug)]
pub(super) struct Armed {
    pub(super) pick: String,
    pub(super) ordinal: u64,
    pub(super) placed: Placed,
    /// When the time of its rules is over.
    pub(super) until: Timestamp,
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
    /// # Errors
    /// Returns an error if etcd cannot be used. Replicas end rules whose time is over by themselves.
    pub async fn ended(&mut self, now: Timestamp) -> Result<Vec<PickEnd>, FleetError> {
        let mut ended = Vec::new();
        let Some(controller) = &self.controller else {
            return Ok(ended);
        };
        let mut problem = None;
        for armed in std::mem::take(&mut self.armed) {
            let end = over_by_now(controller, &armed.placed).await;
            if end.is_none() && now < armed.until {
                self.armed.push(armed);
                continue;
            }
            // What somebody else has put in its place is not this picker's.
            let is_there = !matches!(end, Some(DocumentEnd::Removed | DocumentEnd::Replaced));
            if is_there
                && !controller.is_over()
                && let Err(error) = controller.remove(&armed.placed.name).await
            {
                problem = Some(error);
            }
            let Armed { pick, ordinal, .. } = armed;
            ended.push(PickEnd { pick, ordinal, end });
        }
        let released = self.let_go().await;
        match problem.map_or(released, Err) {
            // An end that is known is told, whatever etcd does.
            Err(error) if ended.is_empty() => Err(error),
            _ => Ok(ended),
        }
    }
}

/// Returns why a document is over, if it is.
async fn over_by_now(controller: &Controller, placed: &Placed) -> Option<DocumentEnd> {
    tokio::select! {
        biased;
        end = controller.over(placed) => Some(end),
        () = ready(()) => None,
    }
}
