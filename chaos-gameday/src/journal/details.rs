//! `Details`: what a journal says of a run and Chaos Toolkit's journals have no word for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    moment::Moment,
    series::{ProbeSeries, SiteSeries},
};
use crate::{
    experiment::Stage,
    statistics::{Difference, Group},
    verdict::Verdict,
};

/// How a run ended, in Chaos Toolkit's words.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It came to its end: the verdict is held or inconclusive.
    Completed,
    /// A probe did not hold, before anything was injected or later, or it is not known that the faults are gone.
    Failed,
    /// A bound ended it before its time.
    Aborted,
    /// A signal ended it before its time, or the program is gone.
    Interrupted,
}

/// What Chaos Toolkit does not know of a run.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default)]
pub struct Details {
    /// The verdict; none if the run was cut off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// The exit code of the verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    /// The reasons for the verdict, in words.
    pub reasons: Vec<String>,
    /// Where the run was when the journal was written last: `before`, `estimate`, the name of a phase, `after`.
    pub ended_in: String,
    /// The seed of the rules, with which the same calls are hit again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// When each stage and each phase began and ended.
    pub phases: Vec<PhaseTimes>,
    /// How many calls were hit in all phases.
    pub hits: u64,
    /// What the estimate found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<EstimateOutcome>,
    /// What came of each probe over time.
    pub probes: Vec<ProbeSeries>,
    /// How the calls of each site fared over time, as each rule sees them.
    pub sites: Vec<SiteSeries>,
    /// How many pairs of a site and a rule there are beyond those.
    #[serde(default)]
    pub sites_left_out: usize,
    /// What the comparisons found.
    pub comparisons: Vec<Comparison>,
    /// Who did what at the targets meanwhile, in order of time.
    pub audit: Vec<AuditNote>,
    /// What became of the rules at each endpoint or replica.
    pub targets: Vec<TargetOutcome>,
}

/// When a stage or a phase began and ended, in seconds since the start of the run.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct PhaseTimes {
    /// The name of the phase; of a stage without phases, what it is called.
    pub name: String,
    /// The stage; none for the estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// When it began.
    pub start: f64,
    /// When it ended; none if the run was cut off in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<f64>,
}

/// What the rules found in shadow mode.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct EstimateOutcome {
    /// How many calls the rules matched.
    pub matched: u64,
    /// How many they would have hit.
    pub hits: u64,
}

/// What a comparison found: the calls of a site that a rule hit, against those that it spared.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Comparison {
    /// The name of the phase.
    pub phase: String,
    /// The name of the site.
    pub site: String,
    /// The id of the rule.
    pub rule: String,
    /// The calls that were hit.
    pub hit: Group,
    /// The calls that were spared.
    pub spared: Group,
    /// The difference of the error ratios; none if a group has no calls, or other than chance decides which calls are hit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_ratio: Option<Difference>,
}

/// Something that was done at a target.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct AuditNote {
    /// When it was done.
    pub at: Moment,
    /// At which endpoint or replica.
    pub target: String,
    /// Who did it.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// Why; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// What became of the rules at an endpoint or a replica.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct TargetOutcome {
    /// The endpoint, or the id of the replica.
    pub target: String,
    /// What became of the rules there.
    pub fate: TargetFate,
    /// What was wrong; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub problem: String,
    /// How many calls were hit there.
    pub hits: u64,
}

/// What became of the rules at an endpoint or a replica.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TargetFate {
    /// They were in force.
    Applied,
    /// They were refused.
    Refused,
    /// They were in force until the target was cut off, and then ended by themselves.
    CutOff,
    /// It did not answer, or was lost, before they were in force.
    Silent,
    /// They were taken back before they were in force: another target did not apply them.
    Withdrawn,
}
