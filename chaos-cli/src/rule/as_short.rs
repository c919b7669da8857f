//! A rule in the short form, for the list of rules and for a command that makes the rule.

use chaos_core::wire;
use serde_json::{Value, json};

/// Returns the faults of a rule in the short form, with its percentage and its count.
pub(crate) fn term(rule: &Value) -> String {
    let mut term = String::new();
    if let Some(rate) = rule["rate"].as_f64() {
        term += &format!("{}%", percent(rate));
    }
    if let Some(limit) = rule["limit"].as_u64() {
        term += &format!("{limit}*");
    }
    let faults = rule["faults"].as_array().into_iter().flatten();
    term + &faults.map(action).collect::<Vec<_>>().join("+")
}

/// Returns a percentage without the digits that the multiplication adds.
fn percent(rate: f64) -> String {
    let text = format!("{:.10}", rate * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn action(fault: &Value) -> String {
    let Some((name, argument)) = fault.as_object().and_then(|fields| fields.iter().next()) else {
        return fault.to_string();
    };
    let plain = match argument {
        // A text in a value must not be read as a number or a word.
        Value::String(text) if name != "value" && is_plain(text) => text.clone(),
        Value::Object(fields) if name == "error" && fields.len() == 1 => {
            let kind = fields.get("kind").and_then(Value::as_str);
            kind.map_or_else(|| argument.to_string(), str::to_owned)
        }
        other => other.to_string(),
    };
    let candidate = format!("{name}({plain})");
    match reads_as(&candidate, fault) {
        true => candidate,
        false => format!("{name}({argument})"),
    }
}

fn is_plain(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " ._:-".contains(c);
    !text.is_empty() && text.trim() == text && text.chars().all(allowed)
}

/// Returns whether an action of the short form makes this fault.
fn reads_as(action: &str, fault: &Value) -> bool {
    let Ok(read) = wire::rules_from_short(&format!("x={action}")) else {
        return false;
    };
    let [read] = read.as_slice() else {
        return false;
    };
    // The fault may be written in another form than the wire format's own.
    let document = json!({ "id": "x", "site": "x", "faults": [fault] });
    let wanted = wire::rule_from_value(document, None).map(|rule| wire::rule_to_value(&rule));
    wanted.is_ok_and(|wanted| wanted["faults"] == wire::rule_to_value(read)["faults"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_written_as_they_would_be_read() {
        for (rule, expected) in [
            (json!({ "faults": [{ "status": 503 }] }), "status(503)"),
            (
                json!({ "rate": 0.07, "limit": 3, "faults": [{ "latency": "200ms..500ms" }, { "status": 503 }] }),
                "7%3*latency(200ms..500ms)+status(503)",
            ),
            (json!({ "faults": [{ "error": "lost" }] }), "error(lost)"),
            (
                json!({ "faults": [{ "error": { "kind": "connection_reset" } }] }),
                "error(connection_reset)",
            ),
            (json!({ "faults": [{ "value": "7" }] }), "value(\"7\")"),
            (json!({ "faults": [{ "value": null }] }), "value(null)"),
            (json!({ "faults": [{ "error": "a)b" }] }), "error(\"a)b\")"),
        ] {
            assert_eq!(term(&rule), expected);
        }
    }
}
