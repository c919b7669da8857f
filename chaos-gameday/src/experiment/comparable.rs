//! Whether the calls that a rule hits can be compared with those that it spares: only if chance decides between the two.

use serde_json::Value;

use super::{Experiment, phase::PhaseRule};
use crate::error::ExperimentError;

/// The fields by which other than chance decides which calls are spared: later ones, those that come while many are held,
/// retries.
const NOT_BY_CHANCE: [&str; 6] = [
    "skip",
    "every",
    "limit",
    "max_active",
    "first_attempts",
    "budget",
];

/// What of a rule is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Compared {
    Failures,
    Latencies,
}

impl Experiment {
    /// Returns why the calls that a rule hits in a phase may not be compared with those that it spares; `None` if chance
    /// alone decides between the two, or there is no such rule.
    #[must_use]
    pub fn not_comparable(&self, phase: &str, rule: &str) -> Option<String> {
        let phase = self.phases.iter().find(|it| it.name == phase)?;
        let rule = phase.rules.iter().find(|it| it.id() == rule)?;
        let (why, _) = not_by_chance(rule.json())?;
        Some(format!("the rule `{}` {why}", rule.id()))
    }
}

/// Refuses a comparison of a rule whose hit calls and spared calls differ by more than the fault. `field` is what compares.
pub(super) fn check(
    field: &str,
    rule: &PhaseRule,
    compared: Compared,
) -> Result<(), ExperimentError> {
    let of_latencies = || {
        let has_key = compared == Compared::Latencies && !rule.json()["key"].is_null();
        has_key.then(|| {
            let why = "has a key: the latencies of its calls depend on each other";
            (why.to_owned(), "error_ratio, or a rule without a key")
        })
    };
    match not_by_chance(rule.json()).or_else(of_latencies) {
        Some((why, allowed)) => {
            let problem = format!("the rule `{}` {why}", rule.id());
            Err(ExperimentError::new(field, problem, allowed))
        }
        None => Ok(()),
    }
}

/// Returns why other than chance decides which calls a rule spares, and what is allowed in its place.
fn not_by_chance(json: &Value) -> Option<(String, &'static str)> {
    let given = |name: &&&str| !json[**name].is_null();
    if let Some(name) = NOT_BY_CHANCE.iter().find(given) {
        let why = format!("has `{name}`, so that other than chance decides which calls it spares");
        let allowed = "a rule with `rate` or a `program`, and without such a field";
        return Some((why, allowed));
    }
    let is_always = json["rate"].is_null() || json["rate"].as_f64() == Some(1.0);
    if is_always && json["program"].is_null() {
        let why = "hits each call that it matches, and spares none";
        return Some((why.to_owned(), "a rule with a `rate` below 1"));
    }
    let mut faults = json["faults"].as_array().into_iter().flatten();
    faults.any(acts_on_the_response).then(|| {
        let why =
            "acts on responses: a call without a response is not hit, and spared nevertheless";
        (why.to_owned(), "a rule whose faults act before the call")
    })
}

fn acts_on_the_response(fault: &Value) -> bool {
    let has = |outer: &str, inner: &[&str]| inner.iter().any(|it| !fault[outer][it].is_null());
    !fault["headers"].is_null()
        || !fault["body"].is_null()
        || has("latency", &["when", "at_least"])
        || has("abort", &["after"])
}
