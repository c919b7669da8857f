//! Whether the calls that a rule hits can be compared with those that it spares: only if chance decides between the two.

use serde_json::Value;

use super::phase::PhaseRule;
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

/// Refuses a comparison of a rule whose hit calls and spared calls differ by more than the fault. `field` is what compares.
pub(super) fn check(
    field: &str,
    rule: &PhaseRule,
    compared: Compared,
) -> Result<(), ExperimentError> {
    let json = rule.json();
    let refuse = |why: String, allowed: &str| {
        let problem = format!("the rule `{}` {why}", rule.id());
        Err(ExperimentError::new(field, problem, allowed))
    };
    let given = |name: &&&str| !json[**name].is_null();
    if let Some(name) = NOT_BY_CHANCE.iter().find(given) {
        let why = format!("has `{name}`, so that other than chance decides which calls it spares");
        return refuse(
            why,
            "a rule with `rate` or a `program`, and without such a field",
        );
    }
    let is_always = json["rate"].is_null() || json["rate"].as_f64() == Some(1.0);
    if is_always && json["program"].is_null() {
        let why = "hits each call that it matches, and spares none".to_owned();
        return refuse(why, "a rule with a `rate` below 1");
    }
    let faults = json["faults"].as_array().into_iter().flatten();
    if faults.clone().any(acts_on_the_response) {
        let why =
            "acts on responses: a call without a response is not hit, and spared nevertheless";
        return refuse(why.to_owned(), "a rule whose faults act before the call");
    }
    if compared == Compared::Latencies && !json["key"].is_null() {
        let why = "has a key: the latencies of its calls depend on each other".to_owned();
        return refuse(why, "error_ratio, or a rule without a key");
    }
    Ok(())
}

fn acts_on_the_response(fault: &Value) -> bool {
    let has = |outer: &str, inner: &[&str]| inner.iter().any(|it| !fault[outer][it].is_null());
    !fault["headers"].is_null()
        || !fault["body"].is_null()
        || has("latency", &["when", "at_least"])
        || has("abort", &["after"])
}
