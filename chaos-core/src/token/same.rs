//! Whether a rule that was written as JSON and read back is the same rule.
//!
//! A rule made in code can hold what JSON cannot, such as a body that is not text. A token with a
//! rule that lacks a part would do other harm than its issuer meant, so it is not signed.

use std::sync::Arc;

use serde_json::Value;

use crate::{fault::Fault, matcher::text::Text, rule::Rule};

/// Returns whether `read` is what `meant` becomes in JSON without a change of meaning.
pub(super) fn is_same(meant: &Rule, read: &Rule) -> bool {
    *read == as_json_has_it(meant)
}

/// Returns the rule in the order and the form that JSON gives it, with the same meaning.
fn as_json_has_it(rule: &Rule) -> Rule {
    let mut rule = rule.clone();
    let matcher = Arc::make_mut(&mut rule.matcher);
    matcher
        .headers
        .sort_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
    matcher.query.sort_by(|(a, _), (b, _)| a.cmp(b));
    matcher.labels.sort_by(|(a, _), (b, _)| a.cmp(b));
    if let Some(Text::Is(path)) = &matcher.path
        && !path.contains(['{', '}'])
        && let Ok(route) = Text::route(path)
    {
        matcher.path = Some(route);
    }
    for fault in &mut rule.faults {
        match fault {
            Fault::Value(json) => *json = compact(json).into(),
            Fault::Custom(custom) => custom.arguments = compact(&custom.arguments).into(),
            Fault::Headers(edit, _) => edit.sort(),
            _ => {}
        }
    }
    rule
}

/// Returns JSON without insignificant whitespace; a text that is not JSON is returned as it is.
fn compact(json: &str) -> String {
    let value = serde_json::from_str::<Value>(json);
    value.map_or_else(|_| json.to_owned(), |value| value.to_string())
}
