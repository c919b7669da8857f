//! A rule in an experiment: written as anywhere, and kept as it was written.

use std::{borrow::Cow, time::Duration};

use chaos_core::{Rule, wire};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{phase::PhaseRule, strict::Strict};
use crate::{error::ExperimentError, span::Span};

/// The JSON of a rule, which core reads.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct RuleJson(pub(super) Strict);

impl Serialize for RuleJson {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.0.serialize(serializer)
    }
}

impl JsonSchema for RuleJson {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "RuleJson".into()
    }

    /// The schema is core's, whose definitions are put beside those of the experiment.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        if let Value::Object(definitions) = wire::schema()["$defs"].take() {
            // No rule refers to it.
            let of_rules = definitions.into_iter().filter(|(name, _)| name != "Policy");
            generator.definitions_mut().extend(of_rules);
        }
        json_schema!({ "$ref": "#/$defs/Rule" })
    }
}

impl RuleJson {
    /// Reads the rule. One that says nothing of its lifetime lives as long as its phase.
    pub(super) fn read(self, field: &str, phase: Duration) -> Result<PhaseRule, ExperimentError> {
        let Strict(json) = self.0;
        let rule = rule_of(&json, phase).map_err(|error| ExperimentError::rule(field, &error))?;
        let allowed = || format!("at most the phase's own length, {}", Span(phase));
        let own_ttl = json.get("ttl").and_then(Value::as_str);
        // Core has read it, so it is a length of time or the word `never`.
        let own_ttl = own_ttl.map(|ttl| wire::duration_from_text(ttl).unwrap_or(Duration::MAX));
        if own_ttl.is_some_and(|ttl| ttl > phase) {
            let problem = format!("{} outlives the phase", json["ttl"]);
            let field = format!("{field}.ttl");
            return Err(ExperimentError::new(field, problem, allowed()));
        }
        if json.get("mode").is_some_and(|mode| mode != "inject") {
            return Err(ExperimentError::new(
                format!("{field}.mode"),
                "the rule would inject nothing",
                "`inject`, or left out; `estimate` runs the rules in shadow mode",
            ));
        }
        if !rule.is_enabled() {
            return Err(ExperimentError::new(
                format!("{field}.enabled"),
                "the rule would inject nothing",
                "true, or left out",
            ));
        }
        Ok(PhaseRule::new(rule, json, own_ttl))
    }
}

fn rule_of(json: &Value, phase: Duration) -> Result<Rule, chaos_core::RuleError> {
    let mut json = json.clone();
    if let Some(fields) = json.as_object_mut() {
        let ttl = || Span(phase).to_string().into();
        fields.entry("ttl").or_insert_with(ttl);
    }
    wire::rule_from_value(json, None)
}
