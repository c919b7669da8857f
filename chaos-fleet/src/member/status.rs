//! How a replica stands in its fleet.

use std::{error::Error, sync::Arc, time::SystemTime};

use crate::{
    error::StoreError,
    report::{Fate, Report},
};

/// How a replica stands in its fleet.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MemberStatus {
    /// Whether the fleet is followed at the moment.
    pub is_followed: bool,
    /// Why it is not followed, if it is not; `None` before the first attempt has ended.
    pub error: Option<Arc<str>>,
    /// Since when it is not followed, on the injector's clock.
    pub failing_since: Option<SystemTime>,
    /// What this replica tells the fleet.
    pub report: Report,
    /// How many documents were refused so far; one that is refused again in the same form is not counted again.
    pub refused: u64,
}

impl MemberStatus {
    pub(super) fn of(condition: Condition, (report, refused): (Report, u64)) -> Self {
        Self {
            is_followed: condition.is_followed,
            error: condition.error,
            failing_since: condition.failing_since,
            report,
            refused,
        }
    }

    /// Returns what is wrong, in one line.
    pub(super) fn problem(&self) -> Option<String> {
        if let Some(error) = &self.error {
            return Some(format!("the fleet is not followed: {error}"));
        }
        let refused = self.report.documents.iter();
        let mut refused = refused.filter_map(|(name, outcome)| match &outcome.fate {
            Fate::Refused(refusal) => Some(format!("document `{name}`: {refusal}")),
            _ => None,
        });
        refused.next()
    }
}

/// Whether etcd can be used.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    is_followed: bool,
    error: Option<Arc<str>>,
    failing_since: Option<SystemTime>,
}

impl Condition {
    pub(super) fn new() -> Self {
        Self {
            is_followed: false,
            error: None,
            failing_since: None,
        }
    }

    pub(super) fn followed(&mut self) {
        *self = Self {
            is_followed: true,
            error: None,
            failing_since: None,
        };
    }

    pub(super) fn failed(&mut self, error: &StoreError, now: SystemTime) {
        self.is_followed = false;
        self.failing_since.get_or_insert(now);
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(next) = cause {
            text.push_str(&format!(": {next}"));
            cause = next.source();
        }
        self.error = Some(text.into());
    }
}
