//! A window of hours in JSON.

use crate::{
    error::RuleError,
    wire::{
        document::document,
        shape::{Documented, Shape},
    },
};
#[cfg(feature = "window")]
use crate::{
    trigger::window::{DAYS_ALLOWED, HOURS_ALLOWED, Window, ZONE_ALLOWED},
    wire::read,
};

#[cfg(feature = "window")]
pub(in crate::wire) const WINDOW: Shape = WindowDoc::SHAPE;

#[cfg(not(feature = "window"))]
pub(in crate::wire) const WINDOW: Shape =
    WindowDoc::SHAPE.allowing("a build with the feature `window`");

#[cfg(not(feature = "window"))]
const DAYS_ALLOWED: &str = "days";

#[cfg(not(feature = "window"))]
const HOURS_ALLOWED: &str = "hours";

#[cfg(not(feature = "window"))]
const ZONE_ALLOWED: &str = "a time zone";

#[cfg(feature = "window")]
const UTC: &str = "UTC";

/// A day of the week in upper or lower case, with blanks behind it.
macro_rules! day {
    () => {
        "([Mm][Oo][Nn]|[Tt][Uu][Ee]|[Ww][Ee][Dd]|[Tt][Hh][Uu]|[Ff][Rr][Ii]|[Ss][Aa][Tt]|[Ss][Uu][Nn])\\s*"
    };
}

/// A day, or a range of days.
macro_rules! days {
    () => {
        concat!("\\s*", day!(), "(-\\s*", day!(), ")?")
    };
}

/// A range of times of day.
macro_rules! hours {
    () => {
        "\\s*([01][0-9]|2[0-3]):[0-5][0-9]\\s*-\\s*(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)\\s*"
    };
}

const DAYS_PATTERN: &str = concat!("^", days!(), "(,", days!(), ")*$");
const HOURS_PATTERN: &str = concat!("^", hours!(), "(,", hours!(), "){0,23}$");

document! {
    /// The hours of the week in which a rule is active, in the local time of a time zone.
    WindowDoc as "HoursWindow", "days or hours or both";
    optional {
        /// The days of the week. The default is every day.
        days: String = Shape::text(DAYS_ALLOWED, "days", DAYS_PATTERN);
        /// The hours of the day. The default is the whole day.
        hours: String = Shape::text(HOURS_ALLOWED, "hours", HOURS_PATTERN);
        /// The time zone. The default is UTC.
        zone: String = Shape::text(ZONE_ALLOWED, "time-zone", "");
    }
    examples r#"[{ "days": "mon-fri", "hours": "09:00-17:00", "zone": "Europe/Berlin" }]"#;
}

/// Reads a window of hours from JSON, as the `window` of a rule.
///
/// ```
/// let json = serde_json::json!({ "days": "mon-fri", "hours": "09:00-17:00" });
/// let window = chaos_core::wire::window_from_value(json)?;
/// assert_eq!((window.days(), window.zone()), ("mon-fri", "UTC"));
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
///
/// # Errors
/// Returns an error if it is no object, has an unknown field, has neither days nor hours, or has a value
/// that is not allowed. The path of the field begins with `window`.
#[cfg(feature = "window")]
pub fn window_from_value(value: serde_json::Value) -> Result<Window, RuleError> {
    let doc = read::document::<WindowDoc, _>(value).map_err(|error| error.under("window"))?;
    doc.into_window()
}

impl WindowDoc {
    #[cfg(feature = "window")]
    pub(in crate::wire) fn into_window(self) -> Result<Window, RuleError> {
        if self.days.is_none() && self.hours.is_none() {
            let problem = "neither days nor hours";
            return Err(RuleError::new("window", problem, WINDOW.allowed()));
        }
        Window::new(
            self.days.as_deref().unwrap_or(Window::EVERY_DAY),
            self.hours.as_deref().unwrap_or(Window::ALL_DAY),
            self.zone.as_deref().unwrap_or(UTC),
        )
    }

    /// Returns an error: a build without the feature `window` has no windows.
    #[cfg(not(feature = "window"))]
    pub(in crate::wire) fn into_window(self) -> Result<std::convert::Infallible, RuleError> {
        let problem = "this build has no windows";
        Err(RuleError::new("window", problem, WINDOW.allowed()))
    }
}

#[cfg(feature = "window")]
impl From<&Window> for WindowDoc {
    fn from(window: &Window) -> Self {
        let unless = |text: &str, default| (text != default).then(|| text.to_owned());
        let hours = unless(window.hours(), Window::ALL_DAY);
        Self {
            // Of the two, one is there.
            days: match hours {
                None => Some(window.days().to_owned()),
                Some(_) => unless(window.days(), Window::EVERY_DAY),
            },
            hours,
            zone: unless(window.zone(), UTC),
        }
    }
}

#[cfg(all(test, feature = "window"))]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn window(json: Value) -> Result<Window, RuleError> {
        read::document::<WindowDoc, _>(json)?.into_window()
    }

    fn back(window: &Window) -> Value {
        serde_json::to_value(WindowDoc::from(window)).unwrap()
    }

    #[test]
    fn what_was_read_is_written_back() {
        for json in [
            json!({ "days": "mon-fri", "hours": "09:00-17:00", "zone": "Europe/Berlin" }),
            json!({ "days": "Sat, SUN" }),
            json!({ "hours": "22:00-06:00,12:00-13:00", "zone": "America/New_York" }),
            json!({ "days": "mon-sun" }),
        ] {
            let read = window(json.clone()).unwrap();
            assert_eq!(back(&read), json);
            assert_eq!(window(back(&read)).unwrap(), read);
        }
    }

    #[test]
    fn what_is_left_out_bounds_nothing() {
        let all = ("mon-sun", "00:00-24:00", "UTC");
        for (json, expected) in [
            (json!({ "days": "mon" }), ("mon", all.1, all.2)),
            (
                json!({ "hours": "01:00-02:00" }),
                (all.0, "01:00-02:00", all.2),
            ),
            (
                json!({ "hours": "00:00-24:00", "days": "mon-sun", "zone": "UTC" }),
                all,
            ),
        ] {
            let window = window(json).unwrap();
            let found = (window.days(), window.hours(), window.zone());
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_bad_value_names_its_field_and_what_is_allowed() {
        for (json, field, allowed) in [
            (json!({}), "window", &*WINDOW.allowed()),
            (json!({ "zone": "UTC" }), "window", &*WINDOW.allowed()),
            (json!({ "days": "" }), "window.days", DAYS_ALLOWED),
            (json!({ "days": "weekdays" }), "window.days", DAYS_ALLOWED),
            (
                json!({ "days": "mon-fri,", "zone": "?" }),
                "window.days",
                DAYS_ALLOWED,
            ),
            (json!({ "hours": "" }), "window.hours", HOURS_ALLOWED),
            (json!({ "hours": "9-17" }), "window.hours", HOURS_ALLOWED),
            (
                json!({ "hours": "09:00-25:00" }),
                "window.hours",
                HOURS_ALLOWED,
            ),
            (
                json!({ "days": "mon", "zone": "Mars/Olympus" }),
                "window.zone",
                ZONE_ALLOWED,
            ),
            (
                json!({ "days": "mon", "zone": "" }),
                "window.zone",
                ZONE_ALLOWED,
            ),
        ] {
            let error = window(json.clone()).expect_err(&json.to_string());
            let found = (error.field(), error.allowed());
            assert_eq!(found, (field, allowed), "{json}: {error}");
        }
    }

    /// An error of serde has the path inside the window.
    #[test]
    fn a_wrong_shape_is_refused() {
        for (json, field) in [
            (json!("mon-fri"), ""),
            (json!(["mon", "09:00-17:00", "UTC"]), ""),
            (json!({ "days": "mon", "until": "fri" }), "until"),
            (json!({ "days": ["mon"] }), "days"),
            (json!({ "days": "mon", "zone": 1 }), "zone"),
        ] {
            let error = window(json.clone()).expect_err(&json.to_string());
            assert_eq!(error.field(), field, "{json}: {error}");
            // By itself, it has the path that it has in a rule.
            let error = window_from_value(json.clone()).expect_err(&json.to_string());
            let path = [".", field].concat();
            let path = format!("window{}", path.trim_end_matches('.'));
            assert_eq!(error.field(), path, "{json}: {error}");
        }
    }
}

#[cfg(all(test, not(feature = "window")))]
mod tests {
    use super::*;

    #[test]
    fn a_build_without_windows_says_so() {
        let doc: WindowDoc = serde_json::from_str(r#"{"days": "mon"}"#).unwrap();
        let error = doc.into_window().unwrap_err();
        let expected = "window: this build has no windows; \
                        allowed: a build with the feature `window`";
        assert_eq!(error.to_string(), expected);
    }
}
