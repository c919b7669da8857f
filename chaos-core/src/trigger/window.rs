//! The hours of the week in which a rule is active. Pure: it reads no clock, and is given the time
//! of day.

mod parse;
#[cfg(test)]
mod tests;

use std::time::SystemTime;

use jiff::{Timestamp, tz::TimeZone};

use self::parse::{Hours, Week, time_zone};
use crate::error::RuleError;

#[cfg(any(test, feature = "serde"))]
pub(crate) use self::parse::{DAYS_ALLOWED, HOURS_ALLOWED, ZONE_ALLOWED};

/// Days of the week and hours of the day, in the local time of a time zone.
///
/// Where clocks are put forward, the skipped hour belongs to no window. Where they are put back,
/// the hour that occurs twice is in its window twice.
///
/// ```
/// use chaos_core::trigger::Window;
///
/// let office = Window::new("mon-fri", "09:00-12:00, 13:00-17:00", "Europe/Berlin")?;
/// assert_eq!(office.zone(), "Europe/Berlin");
/// // From Friday evening to Saturday morning: a range belongs to the day on which it begins.
/// let night = Window::new("fri", "22:00-06:00", "UTC")?;
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    week: Week,
    hours: Box<[Hours]>,
    zone: TimeZone,
    /// The three texts as they were written.
    days_text: Box<str>,
    hours_text: Box<str>,
    zone_text: Box<str>,
}

impl Window {
    /// The text for all days of the week, for [`new`](Self::new).
    pub const EVERY_DAY: &str = "mon-sun";

    /// The text for all hours of the day, for [`new`](Self::new).
    pub const ALL_DAY: &str = "00:00-24:00";

    /// Creates a window of these hours on these days, in this time zone.
    ///
    /// - `days` are names of three letters and ranges of them, such as `mon-fri` or `fri-mon`,
    ///   separated by commas.
    /// - `hours` are ranges such as `09:00-17:00`, separated by commas, 24 at most. The end is not
    ///   part of the range. A range over midnight belongs to the day on which it begins.
    /// - `zone` is a name of the IANA database, such as `Europe/Berlin`, or `UTC`. The database is
    ///   compiled into the program.
    ///
    /// # Errors
    /// Returns an error if one of the three is not of this form.
    pub fn new(days: &str, hours: &str, zone: &str) -> Result<Self, RuleError> {
        Ok(Self {
            week: Week::parse(days)?,
            hours: Hours::parse(hours)?,
            zone: time_zone(zone)?,
            days_text: days.into(),
            hours_text: hours.into(),
            zone_text: zone.into(),
        })
    }

    /// Returns the days as they were written.
    #[must_use]
    pub fn days(&self) -> &str {
        &self.days_text
    }

    /// Returns the hours as they were written.
    #[must_use]
    pub fn hours(&self) -> &str {
        &self.hours_text
    }

    /// Returns the time zone as it was written.
    #[must_use]
    pub fn zone(&self) -> &str {
        &self.zone_text
    }

    /// Returns whether one of the days is this one; 0 is Monday, and 6 is Sunday.
    #[must_use]
    pub fn has_day(&self, day: u8) -> bool {
        day < 7 && self.week.has(day)
    }

    /// Returns the ranges of hours as they were written, each as its start and its end in minutes since
    /// midnight. The end is not part of the range. An end that is not above its start is on the next day.
    pub fn ranges(&self) -> impl Iterator<Item = (u16, u16)> {
        self.hours.iter().map(|hours| (hours.start, hours.end))
    }

    /// Returns whether the window is open at this moment. A moment outside of the years -9999 to
    /// 9999 is in no window.
    #[must_use]
    pub fn contains(&self, at: SystemTime) -> bool {
        let Ok(at) = Timestamp::try_from(at) else {
            return false;
        };
        let local = self.zone.to_datetime(at);
        let today = local.weekday().to_monday_zero_offset() as u8;
        let yesterday = (today + 6) % 7;
        let minute = local.hour() as u16 * 60 + local.minute() as u16;
        let is_open = |hours: &Hours| {
            if hours.start < hours.end {
                return self.week.has(today) && (hours.start..hours.end).contains(&minute);
            }
            self.week.has(today) && minute >= hours.start
                || self.week.has(yesterday) && minute < hours.end
        };
        self.hours.iter().any(is_open)
    }
}
