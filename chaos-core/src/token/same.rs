//! Whether a rule that was written in JSON and read back is still the same rule.
//!
//! Code can say more than JSON can, such as a body that is no text. A token with less in it than its
//! maker meant would do harm elsewhere, so it is not made.

use serde_json::Value;

use crate::{fault::Fault, matcher::text::Text, rule::Rule};

pub(super) fn is_same(meant: &Rule, read: &Rule) -> bool {
    *read == as_json_has_it(meant)
}

/// The rule, with what JSON says in another order or another form but with the same meaning.
fn as_json_has_it(rule: &Rule) -> Rule {
    let mut rule = rule.clone();
    let matcher = &mut rule.matcher;
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
            Fault::Headers(edit, _) => {
                edit.set
                    .sort_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
            }
            _ => {}
        }
    }
    rule
}

/// JSON without its spaces; what is none stays as it is.
fn compact(json: &str) -> String {
    let value = serde_json::from_str::<Value>(json);
    value.map_or_else(|_| json.to_owned(), |value| value.to_string())
}
