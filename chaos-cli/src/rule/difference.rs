//! What edits change, line by line.

use chaos_core::OneLine;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::rule::as_command::as_written;

/// Returns the lines of a rule that are taken away and added, under its id; `None` if it stays as it is.
pub(crate) fn lines(before: Option<&Value>, after: Option<&Value>) -> Option<String> {
    let rule = before.or(after)?;
    let (old, new) = (before.map(as_written), after.map(as_written));
    if old == new {
        return None;
    }
    let (old, new) = (text(old.as_ref()), text(new.as_ref()));
    let mut lines = format!("  {}", rule["id"].as_str().unwrap_or_default());
    for change in TextDiff::from_lines(&old, &new).iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => continue,
        };
        lines += &format!("\n{sign}   {}", change.value().trim_end());
    }
    Some(lines)
}

/// Returns the id of each rule that differs between two lists, with the lines that do, for a terminal.
pub(crate) fn between(before: &[Value], after: &[Value]) -> Vec<(String, String)> {
    let find = |list: &'_ [Value], rule: &Value| {
        let found = list.iter().find(|other| other["id"] == rule["id"]);
        found.cloned()
    };
    let named = |rule: &Value, lines: Option<String>| {
        let id = rule["id"].as_str().unwrap_or_default();
        Some((id.to_owned(), printable(&lines?)))
    };
    let put = after
        .iter()
        .filter_map(|rule| named(rule, lines(find(before, rule).as_ref(), Some(rule))));
    let gone = before.iter().filter(|rule| find(after, rule).is_none());
    let gone = gone.filter_map(|rule| named(rule, lines(Some(rule), None)));
    put.chain(gone).collect()
}

/// Returns lines without what would steer a terminal.
fn printable(text: &str) -> String {
    let lines = text.lines().map(|line| OneLine(line).to_string());
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns a rule as lines: a field each.
fn text(rule: Option<&Value>) -> String {
    let fields = rule.and_then(Value::as_object).into_iter().flatten();
    let fields = fields.filter(|(name, _)| *name != "id");
    let lines = fields.map(|(name, value)| format!("{name} = {value}\n"));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_lines_that_change_are_shown() {
        let rule = |rate| json!({ "id": "a", "site": "db.read", "rate": rate, "faults": [{ "error": "x" }] });
        let (old, new) = (rule(0.1), rule(0.3));
        assert_eq!(lines(Some(&old), Some(&old)), None);
        let changed = lines(Some(&old), Some(&new)).unwrap();
        assert_eq!(changed, "  a\n-   rate = 0.1\n+   rate = 0.3");
        let made = lines(None, Some(&new)).unwrap();
        assert_eq!(made.matches("\n+").count(), 4, "{made}");
        let gone = lines(Some(&old), None).unwrap();
        assert_eq!(gone.matches("\n-").count(), 4, "{gone}");
    }
}
