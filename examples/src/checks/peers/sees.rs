//! Compares what a client observed with what it must observe.

use serde_json::Value;

/// Checks that `seen` fits `expected`. `seen` may have additional fields.
///
/// | expected | fits |
/// |---|---|
/// | an object | an object whose fields all fit |
/// | the text `"a..b"`, for a number | a number from `a` to `b`; either bound may be omitted |
/// | the text `"~part"`, for a text | a text that contains `part` |
/// | a list, for anything but a list | a value that fits one of its elements |
/// | `null` | `null` or an absent field |
/// | anything else | an equal value |
///
/// # Errors
/// Returns a description of each difference.
///
/// # Panics
/// Panics if a number is compared with a text that is not a range.
pub(super) fn check(expected: &Value, seen: &Value) -> Result<(), String> {
    let mut wrong = Vec::new();
    compare("", expected, seen, &mut wrong);
    match wrong.as_slice() {
        [] => Ok(()),
        wrong => {
            // A body may be large; its beginning is enough to identify it.
            let all: String = seen.to_string().chars().take(1000).collect();
            Err(format!("{}; observed: {all}", wrong.join("; ")))
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
        wrong.push(format!("{field} is {seen}, expected {expected}"));
    }
}

fn fits(expected: &Value, seen: &Value) -> bool {
    match (expected, seen) {
        (Value::Array(any), seen) if !seen.is_array() => any.iter().any(|one| fits(one, seen)),
        (Value::String(range), Value::Number(number)) => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            is_between(range, number).expect("ranges in the table have the form `a..b`")
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
