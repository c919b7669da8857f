//! Merge patches (RFC 7396), and their application to a rule.

use axum::http::StatusCode;
use chaos_core::{Rule, wire};
use serde_json::{Map, Value, json};

use crate::problem::Problem;

/// The fields to change. A field that is `null` is reset to its default.
#[derive(Debug)]
pub(crate) struct Patch(Value);

impl Patch {
    /// Parses a patch.
    pub(crate) fn read(json: &[u8]) -> Result<Self, Problem> {
        let patch = serde_json::from_slice(json).map_err(|error| {
            let problem = Problem::new(StatusCode::BAD_REQUEST, error.to_string());
            problem.at("body", "a JSON object with the fields to change")
        })?;
        Ok(Self(patch))
    }

    /// Returns whether the patch disables the rule, and changes nothing else but its reason.
    pub(crate) fn only_disables(&self) -> bool {
        let Value::Object(fields) = &self.0 else {
            return false;
        };
        let disables = fields.get("enabled") == Some(&Value::Bool(false));
        disables
            && fields
                .keys()
                .all(|name| name == "enabled" || name == "reason")
    }

    /// Returns `rule` with the patch applied.
    pub(crate) fn apply(&self, rule: &Rule) -> Result<Rule, Problem> {
        let is_no_deed = |name: &String| name == "enabled" || name == "reason";
        match &self.0 {
            Value::Object(fields) if fields.keys().all(is_no_deed) => {
                self.set(fields, rule.clone())
            }
            _ => {
                let mut merged = wire::rule_to_value(rule);
                json_patch::merge(&mut merged, &self.0);
                Ok(wire::rule_from_value(merged, Some(rule.id().as_str()))?)
            }
        }
    }

    /// Applies a patch of `enabled` and `reason` only to the rule itself, without a detour through
    /// JSON: a rule that was made in code may not be expressible in JSON, and it must be possible
    /// to disable it.
    fn set(&self, fields: &Map<String, Value>, mut rule: Rule) -> Result<Rule, Problem> {
        // The fields are parsed as part of a complete rule, so they are checked in the same way as
        // in any rule.
        let mut stand_in = json!({ "site": "**", "faults": [{ "status": 503 }] });
        json_patch::merge(&mut stand_in, &self.0);
        let read = wire::rule_from_value(stand_in, Some(rule.id().as_str()))?;
        if fields.contains_key("enabled") {
            rule = rule.enabled(read.is_enabled());
        }
        if fields.contains_key("reason") {
            rule = match read.reason() {
                Some(reason) => rule.because(reason),
                None => rule.without_reason(),
            };
        }
        Ok(rule)
    }
}
