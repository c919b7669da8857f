//! An experiment as it is written: the one place that knows its JSON, YAML and TOML.
//!
//! The structs know the shape alone. What is allowed is decided when they are turned into the types that users see.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    probe_document::ProbeDoc,
    rule_document::RuleJson,
    terms::{Conclusive, Estimate, FollowUpDoc, Observe, Stop},
};
use crate::{objects, span::Span};

/// An experiment: what is believed, what is injected, and what would be a surprise.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Experiment")]
pub(crate) struct ExperimentDoc {
    /// What the experiment is called, in one line of at most 200 bytes.
    #[schemars(length(min = 1, max = 200))]
    pub(crate) title: String,
    /// What is done and why, in at most 10000 bytes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 10000))]
    pub(crate) description: String,
    /// Who is responsible for the experiment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub(crate) owner: Option<String>,
    /// Who wants to know what comes of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub(crate) watchers: Vec<String>,
    /// Words to find the experiment by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub(crate) tags: Vec<String>,
    /// Where faults are injected: exactly one of `endpoint`, `endpoints` and `fleet`.
    #[serde(deserialize_with = "objects::object")]
    pub(crate) target: TargetDoc,
    /// What is believed to hold, and how it is asked.
    #[serde(deserialize_with = "objects::object")]
    pub(crate) hypothesis: HypothesisDoc,
    /// How long the rules run in shadow mode first, and whom they have to find.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "objects::maybe")]
    pub(crate) estimate: Option<Estimate>,
    /// How long is observed before and after the phases.
    #[serde(default, deserialize_with = "objects::object")]
    pub(crate) observe: Observe,
    /// What is injected, one phase after another.
    #[schemars(length(min = 1, max = 32))]
    #[serde(deserialize_with = "objects::list")]
    pub(crate) phases: Vec<PhaseDoc>,
    /// What ends the experiment before its time.
    #[serde(default, skip_serializing_if = "Stop::is_empty")]
    #[serde(deserialize_with = "objects::object")]
    pub(crate) stop: Stop,
    /// What must have happened for the experiment to prove anything.
    #[serde(default, deserialize_with = "objects::object")]
    pub(crate) conclusive: Conclusive,
    /// What is to be done afterwards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub(crate) follow_ups: Vec<FollowUpDoc>,
}

/// Where faults are injected: exactly one of `endpoint`, `endpoints` and `fleet`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Target")]
pub(crate) struct TargetDoc {
    /// An admin port: `http://HOST:PORT`, `https://HOST:PORT` or `unix:/PATH`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<String>,
    /// Several admin ports, each of which gets the rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub(crate) endpoints: Option<Vec<String>>,
    /// Replicas that are reached through etcd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "objects::maybe")]
    pub(crate) fleet: Option<super::target::FleetTarget>,
}

/// What is believed to hold.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Hypothesis")]
pub(crate) struct HypothesisDoc {
    /// The belief, in one sentence of at most 200 bytes.
    #[schemars(length(min = 1, max = 200))]
    pub(crate) title: String,
    /// How it is asked whether the belief holds.
    #[schemars(length(min = 1, max = 64))]
    #[serde(deserialize_with = "objects::list")]
    pub(crate) probes: Vec<ProbeDoc>,
}

/// What is injected for a while.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Phase")]
pub(crate) struct PhaseDoc {
    /// What the phase is called; no other phase is called so.
    #[schemars(length(min = 1, max = 100))]
    pub(crate) name: String,
    /// How long the phase lasts: 1s to 24h.
    #[serde(rename = "for")]
    pub(crate) length: Span,
    /// The part of the fleet's replicas in this phase, in place of the target's own `share`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) share: Option<f64>,
    /// The rules that are armed during the phase. Without any, the phase is a pause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub(crate) rules: Vec<RuleJson>,
}
