//! Asking a probe, and judging what it is told.

mod http;
mod promql;
mod site;

use chaos_gameday::{Probe, ProbeOutcome, Question};
use serde_json::Value;

use crate::commands::run::groups::Outcomes;

/// What came of asking a probe.
#[derive(Clone, Debug)]
pub(super) struct ProbeAnswer {
    /// What was seen.
    pub(super) output: Value,
    /// The number of it that is drawn in a report.
    pub(super) drawn: Option<f64>,
    /// Whether what was expected holds.
    pub(super) outcome: ProbeOutcome,
}

impl ProbeAnswer {
    /// Returns why what was expected does not hold, or is not known to.
    pub(super) fn problem(&self) -> Option<&str> {
        match &self.outcome {
            ProbeOutcome::Held => None,
            ProbeOutcome::NotHeld(why)
            | ProbeOutcome::Unanswered(why)
            | ProbeOutcome::Undecided(why) => Some(why),
        }
    }

    fn of(output: Value, drawn: f64, problems: &[String]) -> Self {
        let outcome = match problems {
            [] => ProbeOutcome::Held,
            problems => ProbeOutcome::NotHeld(problems.join("; ")),
        };
        Self {
            output,
            drawn: Some(drawn),
            outcome,
        }
    }

    pub(super) fn unanswered(why: impl Into<String>) -> Self {
        Self {
            output: Value::Null,
            drawn: None,
            outcome: ProbeOutcome::Unanswered(why.into()),
        }
    }
}

/// Asks probes.
pub(super) struct Asker {
    http: reqwest::Client,
}

impl Asker {
    pub(super) fn new(http: reqwest::Client) -> Self {
        Self { http }
    }

    /// Asks a probe. `outcomes` is what the ports have counted since the beginning of the stage.
    pub(super) async fn ask(&self, probe: &Probe, outcomes: &Outcomes) -> ProbeAnswer {
        match &probe.question {
            Question::Http { request, expect } => http::ask(&self.http, request, expect).await,
            Question::Promql { query, expect } => promql::ask(&self.http, query, expect).await,
            Question::Site { site, expect } => site::judge(outcomes.all(site), expect),
            Question::Compare { site, compare } => {
                site::compare(outcomes.of(&compare.rule, site), compare)
            }
        }
    }
}
