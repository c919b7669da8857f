//! Times for people.

use jiff::Timestamp;
use serde_json::Value;

/// Returns a length of time: `38 s`, `3:34`, `2 h 05 min`, `3 d 4 h`.
pub(crate) fn length(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{}:{:02}", whole / 60, whole % 60),
        3600..86_400 => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
        _ => format!("{} d {} h", whole / 86_400, whole % 86_400 / 3600),
    }
}

/// Returns how long ago the time of an audit entry or event was.
pub(crate) fn ago(at: &Value) -> String {
    match age(at) {
        Some(seconds) => format!("{} ago", length(seconds)),
        None => "?".to_owned(),
    }
}

/// Returns the seconds since a time in RFC 3339.
pub(crate) fn age(at: &Value) -> Option<f64> {
    let at: Timestamp = at.as_str()?.parse().ok()?;
    Some(Timestamp::now().duration_since(at).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_short() {
        for (seconds, expected) in [
            (-1.0, "0 s"),
            (0.4, "0 s"),
            (59.4, "59 s"),
            (59.6, "1:00"),
            (214.0, "3:34"),
            (7500.0, "2 h 05 min"),
            (273_600.0, "3 d 4 h"),
            (f64::NAN, "0 s"),
        ] {
            assert_eq!(length(seconds), expected);
        }
    }
}
