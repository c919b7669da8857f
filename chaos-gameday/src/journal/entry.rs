//! What was done, and what came of it, as Chaos Toolkit writes it.

use std::time::SystemTime;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::moment::Moment;
use crate::verdict::ProbeOutcome;

/// What was done once, and what came of it.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Entry {
    /// What was done.
    pub activity: Activity,
    /// What came of it.
    pub output: Value,
    /// Whether it could be done.
    pub status: ActivityStatus,
    /// When it began.
    pub start: Moment,
    /// When it ended.
    pub end: Moment,
    /// How long it took, in seconds.
    pub duration: f64,
    /// Whether what came of it is what was expected; only of a probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance_met: Option<bool>,
}

/// What was done.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Activity {
    /// Whether it asks or changes something.
    #[serde(rename = "type")]
    pub kind: ActivityKind,
    /// What it is called.
    pub name: String,
}

/// Whether something is asked or changed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ActivityKind {
    /// Something is asked.
    Probe,
    /// Something is changed.
    Action,
}

/// Whether something could be done.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ActivityStatus {
    /// It was done.
    Succeeded,
    /// It could not be done.
    Failed,
}

/// What came of the probes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct SteadyStates {
    /// Before anything was injected: the last answer of each probe.
    pub before: Option<SteadyState>,
    /// After the rules were gone: the last answer of each probe.
    pub after: Option<SteadyState>,
    /// While faults were injected: each answer that differs from the probe's last one.
    pub during: Vec<SteadyState>,
}

/// What came of some probes.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct SteadyState {
    /// Whether all of them hold.
    pub steady_state_met: bool,
    /// The probes.
    pub probes: Vec<Entry>,
}

impl Entry {
    /// Creates the entry of an action, or of its failure.
    #[must_use]
    pub fn of_action(
        name: &str,
        output: Result<Value, String>,
        began: SystemTime,
        ended: SystemTime,
    ) -> Self {
        let (status, output) = match output {
            Ok(output) => (ActivityStatus::Succeeded, output),
            Err(problem) => (ActivityStatus::Failed, Value::from(problem)),
        };
        let activity = Activity {
            kind: ActivityKind::Action,
            name: name.into(),
        };
        Self::new(activity, output, status, began, ended)
    }

    pub(super) fn of_probe(
        name: &str,
        outcome: &ProbeOutcome,
        value: Option<f64>,
        began: SystemTime,
        ended: SystemTime,
    ) -> Self {
        let mut output = json!(outcome);
        if let (Some(value), Value::Object(fields)) = (value, &mut output) {
            fields.insert("value".into(), json!(value));
        }
        let status = match outcome {
            ProbeOutcome::Unanswered(_) => ActivityStatus::Failed,
            _ => ActivityStatus::Succeeded,
        };
        let activity = Activity {
            kind: ActivityKind::Probe,
            name: name.into(),
        };
        let entry = Self::new(activity, output, status, began, ended);
        Self {
            tolerance_met: Some(*outcome == ProbeOutcome::Held),
            ..entry
        }
    }

    fn new(
        activity: Activity,
        output: Value,
        status: ActivityStatus,
        began: SystemTime,
        ended: SystemTime,
    ) -> Self {
        let took = ended.duration_since(began).unwrap_or_default();
        Self {
            activity,
            output,
            status,
            start: began.into(),
            end: ended.into(),
            duration: took.as_millis() as f64 / 1000.0,
            tolerance_met: None,
        }
    }

    fn holds(&self) -> bool {
        self.tolerance_met == Some(true)
    }
}

impl Default for SteadyState {
    fn default() -> Self {
        Self {
            steady_state_met: true,
            probes: Vec::new(),
        }
    }
}

impl SteadyState {
    pub(super) fn of(entry: Entry) -> Self {
        let mut state = Self::default();
        state.replace(entry);
        state
    }

    /// Puts an entry in the place of that of the same probe.
    pub(super) fn replace(&mut self, entry: Entry) {
        let same = |it: &&mut Entry| it.activity == entry.activity;
        match self.probes.iter_mut().find(same) {
            Some(found) => *found = entry,
            None => self.probes.push(entry),
        }
        self.steady_state_met = self.probes.iter().all(Entry::holds);
    }
}
