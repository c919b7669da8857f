//! What an attacker says when it is done.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The result of an attack.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Report {
    /// How many responses had each status.
    pub(super) answers: BTreeMap<u16, u64>,
    /// What was done and has no status, such as a TLS handshake.
    pub(super) done: u64,
    /// Requests whose connection was closed before their response.
    pub(super) unanswered: u64,
    pub(super) seconds: f64,
}

impl Report {
    /// Returns how many requests had a response of 2xx.
    pub(super) fn accepted(&self) -> u64 {
        self.answers.range(200..300).map(|(_, number)| number).sum()
    }

    pub(super) fn per_second(&self) -> f64 {
        let answers: u64 = self.answers.values().sum();
        (answers + self.done) as f64 / self.seconds
    }

    /// Returns the statuses that most responses had.
    pub(super) fn statuses(&self) -> String {
        let all: u64 = self.answers.values().sum();
        let often = self
            .answers
            .iter()
            .filter(|(_, number)| **number * 100 >= all);
        let often: Vec<_> = often.map(|(status, _)| status.to_string()).collect();
        often.join(", ")
    }
}
