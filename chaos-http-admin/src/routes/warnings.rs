//! Warnings of the core as JSON: what an accepted rule cannot do at the sites that there are.

use std::collections::HashMap;

use chaos_core::{Injector, Rule, Warning};
use serde_json::{Value, json};

/// Returns the warnings of some rules, in the order of the rules.
pub(crate) fn of<'r>(
    injector: &Injector,
    rules: impl IntoIterator<Item = &'r Rule>,
) -> impl Iterator<Item = Value> {
    injector.warnings(rules).into_iter().map(as_json)
}

/// Returns the warnings of each rule that has some, by its id.
pub(crate) fn by_rule<'r>(
    injector: &Injector,
    rules: impl IntoIterator<Item = &'r Rule>,
) -> HashMap<String, Vec<Value>> {
    let mut by_rule: HashMap<_, Vec<_>> = HashMap::new();
    for warning in injector.warnings(rules) {
        let warnings = by_rule.entry(warning.rule.to_string()).or_default();
        warnings.push(as_json(warning));
    }
    by_rule
}

fn as_json(warning: Warning) -> Value {
    json!({
        "rule": warning.rule.as_str(),
        "field": warning.field,
        "detail": warning.detail,
        "suggestion": warning.suggestion,
    })
}
