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

    /// Returns how many documents have each outcome here: `applied`, `refused`, `not_meant`, `over` and `stopped`, and as
    /// `left_out` how many there are beyond those that a replica takes. Each is there, also with 0.
    ///
    /// Give them to the admin port as `fleet_documents`.
    #[must_use]
    pub fn document_counts(&self) -> [(&'static str, u64); 6] {
        let count = |is_counted: fn(&Fate) -> bool| {
            let fates = self.report.documents.values().map(|it| &it.fate);
            fates.filter(|fate| is_counted(fate)).count() as u64
        };
        [
            (
                "applied",
                count(|fate| matches!(fate, Fate::Applied { .. })),
            ),
            ("refused", count(|fate| matches!(fate, Fate::Refused(_)))),
            ("not_meant", count(|fate| matches!(fate, Fate::NotMeant))),
            ("over", count(|fate| matches!(fate, Fate::Over))),
            (
                "stopped",
                count(|fate| matches!(fate, Fate::Stopped { .. })),
            ),
            ("left_out", self.report.left_out as u64),
        ]
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_counted_by_outcome() {
        let report = json!({
            "id": "shop-1",
            "version": "0.1.0",
            "seen": 7,
            "generation": 1,
            "state": "armed",
            "documents": {
                "a": { "revision": 1, "outcome": "applied" },
                "b": { "revision": 2, "outcome": "applied", "warnings": ["a site"] },
                "c": { "revision": 3, "outcome": "not_meant" },
                "d": { "revision": 4, "outcome": "stopped", "reason": "errors" },
            },
            "left_out": 3,
        });
        let report = serde_json::from_value(report).unwrap();
        let status = MemberStatus::of(Condition::new(), (report, 0));
        let expected = [
            ("applied", 2),
            ("refused", 0),
            ("not_meant", 1),
            ("over", 0),
            ("stopped", 1),
            ("left_out", 3),
        ];
        assert_eq!(status.document_counts(), expected);
    }
}
