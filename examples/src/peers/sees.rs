//! Comparing what a client saw with what it should have seen.

use serde_json::Value;

/// Whether all that is `expected` was `seen`. Of what was seen, more is fine.
///
/// | expected | fits |
/// |---|---|
/// | an object | one whose fields all fit |
/// | `"a..b"`, of a number | from `a` to `b`; either may be left out |
/// | `"~text"`, of a text | a text with this in it |
/// | a list, of anything but a list | what fits one of it |
/// | `null` | null, and what is not there |
/// | anything else | the same |
///
/// # Errors
/// What was seen instead.
pub(super) fn check(expected: &Value, seen: &Value) -> Result<(), String> {
    let mut wrong = Vec::new();
    compare("", expected, seen, &mut wrong);
    match wrong.as_slice() {
        [] => Ok(()),
        wrong => {
            // Of a large body, the beginning will do.
            let all: String = seen.to_string().chars().take(1000).collect();
            Err(format!("{}; of all that was seen: {all}", wrong.join("; ")))
        }
    }
}

fn compare(field: &str, expected: &Value, seen: &Value, wrong: &mut Vec<String>) {
    if let Value::Object(fields) = expected {
        for (name, expected) in fields {
            let within = format!("{field}{}{name}", if field.is_empty() { "" } else { "." });
            compare(&within, expected, &seen[name], wrong);
        }
    } else if !fits(expected, seen) {
        wrong.push(format!("{field} is {seen} and not {expected}"));
    }
}

fn fits(expected: &Value, seen: &Value) -> bool {
    match (expected, seen) {
        (Value::Array(any), seen) if !seen.is_array() => any.iter().any(|one| fits(one, seen)),
        (Value::String(range), Value::Number(number)) => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            is_between(range, number).expect("a range of the table is written as `a..b`")
        }
        (Value::String(text), Value::String(seen)) => match text.strip_prefix('~') {
            Some(part) => seen.contains(part),
            None => seen == text,
        },
        (expected, seen) => expected == seen,
    }
}

fn is_between(range: &str, number: f64) -> Option<bool> {
    let (from, to) = range.split_once("..")?;
    let end = |text: &str, open: f64| match text {
        "" => Some(open),
        text => text.parse().ok(),
    };
    Some(number >= end(from, f64::NEG_INFINITY)? && number <= end(to, f64::INFINITY)?)
}
