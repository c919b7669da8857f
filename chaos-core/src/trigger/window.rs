//! The hours of the week in which a rule lives. Pure: it reads no clock; the wall time is an
//! argument.

use std::time::SystemTime;

use jiff::{
    Timestamp,
    tz::{TimeZone, TimeZoneDatabase},
};

use crate::error::RuleError;

pub(crate) const DAYS_ALLOWED: &str =
    "days such as \"mon-fri\" or \"mon,wed,sat-sun\": mon tue wed thu fri sat sun";
pub(crate) const HOURS_ALLOWED: &str = "hours such as \"09:00-17:00\", \"22:00-06:00\" over midnight, or \
                                        several with commas between; 00:00 to 24:00, 24 ranges at most";
pub(crate) const ZONE_ALLOWED: &str =
    "a time zone such as \"Europe/Berlin\" (a name of the IANA database), or \"UTC\"";

/// Days of the week and hours of the day, by the clock on the wall of a place.
///
/// Where the clocks are put forward, the hour that is left out belongs to no window; where they are
/// put back, the hour that comes twice is in its window twice.
///
/// ```
/// use chaos_core::Window;
///
/// let office = Window::new("mon-fri", "09:00-12:00, 13:00-17:00", "Europe/Berlin")?;
/// assert_eq!(office.zone(), "Europe/Berlin");
/// // From Friday evening to Saturday morning; the day is the one on which it begins.
/// let night = Window::new("fri", "22:00-06:00", "UTC")?;
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    week: Week,
    hours: Box<[Hours]>,
    place: TimeZone,
    /// As they were written.
    days_text: Box<str>,
    hours_text: Box<str>,
    zone_text: Box<str>,
}

/// A bit for each day, the lowest for Monday.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Week(u8);

/// In minutes since midnight: from the first on, before the second. If that is the lower one, it is
/// meant on the next day.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Hours {
    start: u16,
    end: u16,
}

impl Window {
    /// All days of the week, for [`new`](Self::new).
    pub const EVERY_DAY: &str = "mon-sun";

    /// All hours of the day, for [`new`](Self::new).
    pub const ALL_DAY: &str = "00:00-24:00";

    /// These days, these hours on each of them, in this time zone.
    ///
    /// Days are names of three letters, and ranges of them such as `mon-fri` or `fri-mon`, with
    /// commas between. Hours are ranges from a time to another that is not in them any more, with
    /// commas between; one over midnight belongs to the day on which it begins. A zone is a name of
    /// the IANA database, such as `Europe/Berlin`, or `UTC`; the database is part of the program.
    ///
    /// # Errors
    /// If one of the three is none.
    pub fn new(days: &str, hours: &str, zone: &str) -> Result<Self, RuleError> {
        Ok(Self {
            week: Week::parse(days)?,
            hours: Hours::parse(hours)?,
            place: place(zone)?,
            days_text: days.into(),
            hours_text: hours.into(),
            zone_text: zone.into(),
        })
    }

    /// The days, as they were written.
    #[must_use]
    pub fn days(&self) -> &str {
        &self.days_text
    }

    /// The hours, as they were written.
    #[must_use]
    pub fn hours(&self) -> &str {
        &self.hours_text
    }

    /// The time zone, as it was written.
    #[must_use]
    pub fn zone(&self) -> &str {
        &self.zone_text
    }

    /// Whether it is open at this moment. What no calendar has (before the year -9999, after 9999)
    /// is in no window.
    pub(crate) fn contains(&self, at: SystemTime) -> bool {
        let Ok(at) = Timestamp::try_from(at) else {
            return false;
        };
        let wall = self.place.to_datetime(at);
        let today = wall.weekday().to_monday_zero_offset() as u8;
        let yesterday = (today + 6) % 7;
        let minute = wall.hour() as u16 * 60 + wall.minute() as u16;
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

impl Week {
    const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

    fn parse(text: &str) -> Result<Self, RuleError> {
        let mut week = Self(0);
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (Some(first), Some(last)) = (Self::day(first), Self::day(last)) else {
                let problem = format!("{:?} is no day of the week", shown(part));
                return Err(RuleError::new("window.days", problem, DAYS_ALLOWED));
            };
            let days = (last + 7 - first) % 7;
            for day in first..=first + days {
                week.0 |= 1 << (day % 7);
            }
        }
        Ok(week)
    }

    fn day(name: &str) -> Option<u8> {
        let mut names = (0..).zip(Self::NAMES);
        let found = names.find(|(_, known)| known.eq_ignore_ascii_case(name.trim()));
        found.map(|(day, _)| day)
    }

    fn has(self, day: u8) -> bool {
        self.0 >> day & 1 == 1
    }
}

impl Hours {
    const MOST: usize = 24;
    const MIDNIGHT: u16 = 24 * 60;

    fn parse(text: &str) -> Result<Box<[Self]>, RuleError> {
        let refuse = |problem| RuleError::new("window.hours", problem, HOURS_ALLOWED);
        if text.split(',').nth(Self::MOST).is_some() {
            return Err(refuse("too many ranges".to_owned()));
        }
        let range = |part| {
            Self::range(part)
                .ok_or_else(|| refuse(format!("{:?} is no range of hours", shown(part))))
        };
        text.split(',').map(range).collect()
    }

    fn range(text: &str) -> Option<Self> {
        let (start, end) = text.split_once('-')?;
        let (start, end) = (Self::minutes(start)?, Self::minutes(end)?);
        // Nothing, or all day? Nobody could tell.
        let is_plain = start != end && start < Self::MIDNIGHT;
        is_plain.then_some(Self { start, end })
    }

    fn minutes(text: &str) -> Option<u16> {
        let (hour, minute) = text.trim().split_once(':')?;
        let number = |text: &str| {
            let is_plain = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
            is_plain.then(|| text.parse::<u16>().ok())?
        };
        let (hour, minute) = (number(hour)?, number(minute)?);
        let minutes = hour * 60 + minute;
        (minute < 60 && minutes <= Self::MIDNIGHT).then_some(minutes)
    }
}

fn place(name: &str) -> Result<TimeZone, RuleError> {
    // Its own database, so that a window means the same wherever the program runs.
    let found = TimeZoneDatabase::bundled().get(name).ok();
    // "Etc/Unknown" is a name, and says nothing.
    found.filter(|zone| !zone.is_unknown()).ok_or_else(|| {
        let problem = format!("{:?} is no time zone", shown(name));
        RuleError::new("window.zone", problem, ZONE_ALLOWED)
    })
}

/// As much of a wrong text as helps to find it.
fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn window(days: &str, hours: &str, zone: &str) -> Window {
        Window::new(days, hours, zone).unwrap()
    }

    fn utc(text: &str) -> SystemTime {
        text.parse::<Timestamp>().unwrap().into()
    }

    /// The moments of a day in UTC, every quarter of an hour, at which it is open.
    fn open(window: &Window, day: &str) -> Vec<String> {
        let quarters = (0..96).map(|quarter| (quarter / 4, quarter % 4 * 15));
        let times = quarters.map(|(hour, minute)| format!("{hour:02}:{minute:02}"));
        let is_open = |time: &String| window.contains(utc(&format!("{day}T{time}:00Z")));
        times.filter(is_open).collect()
    }

    fn ends(open: &[String]) -> Option<(usize, &str, &str)> {
        Some((open.len(), open.first()?, open.last()?))
    }

    #[test]
    fn days_are_days_and_ranges_of_them() {
        // 2026-06-01 is a Monday.
        let days = |days: &str| -> String {
            let window = window(days, Window::ALL_DAY, "UTC");
            let open = |day: &u8| window.contains(utc(&format!("2026-06-{day:02}T12:00:00Z")));
            let open = (1..=7).filter(open);
            open.map(|day| day.to_string()).collect()
        };
        assert_eq!(days("mon-fri"), "12345");
        assert_eq!(days("fri-mon"), "1567");
        assert_eq!(days("Mon, WED ,sun"), "137");
        assert_eq!(days("sat-sun,sat,tue - tue"), "267");
        assert_eq!(days("sun-sat"), "1234567");
        assert_eq!(days(Window::EVERY_DAY), "1234567");
    }

    #[test]
    fn hours_begin_with_their_start_and_stop_before_their_end() {
        let hours = window("mon", "09:00-12:30, 13:00-24:00", "UTC");
        let open = open(&hours, "2026-06-01");
        let expected = (14 + 44, "09:00", "23:45");
        assert_eq!(ends(&open), Some(expected));
        assert!(!hours.contains(utc("2026-06-01T12:30:00Z")));
        assert!(hours.contains(utc("2026-06-01T12:29:59.999999999Z")));
        assert!(hours.contains(utc("2026-06-01T23:59:59.999999999Z")));
        assert!(!hours.contains(utc("2026-06-02T00:00:00Z")));
    }

    #[test]
    fn over_midnight_the_day_is_the_one_on_which_it_began() {
        let night = window("fri", "22:00-06:00", "UTC");
        assert_eq!(
            ends(&open(&night, "2026-06-05")),
            Some((8, "22:00", "23:45"))
        );
        assert_eq!(
            ends(&open(&night, "2026-06-06")),
            Some((24, "00:00", "05:45"))
        );
        assert_eq!(ends(&open(&night, "2026-06-07")), None);
        // From Sunday to Monday, too.
        let sunday = window("sun", "22:00-06:00", "UTC");
        assert!(sunday.contains(utc("2026-06-08T05:59:00Z")));
        assert!(!sunday.contains(utc("2026-06-07T05:59:00Z")));
        // Midnight is the end of one day and the start of the next.
        let evening = window("fri", "22:00-00:00", "UTC");
        assert_eq!(
            ends(&open(&evening, "2026-06-05")),
            Some((8, "22:00", "23:45"))
        );
        assert_eq!(ends(&open(&evening, "2026-06-06")), None);
    }

    /// On 29 March 2026 in Berlin, 01:59:59 is followed by 03:00:00.
    #[test]
    fn an_hour_that_is_left_out_is_in_no_window() {
        let berlin = |hours| window(Window::EVERY_DAY, hours, "Europe/Berlin");
        assert_eq!(open(&berlin("02:00-03:00"), "2026-03-29"), [""; 0]);
        assert_eq!(open(&berlin("02:00-03:00"), "2026-03-28").len(), 4);
        // 01:30 is in winter time, 03:30 in summer time, and only an hour lies between.
        let sunday = window("sun", "01:30-03:30", "Europe/Berlin");
        let open_at = open(&sunday, "2026-03-29");
        assert_eq!(open_at, ["00:30", "00:45", "01:00", "01:15"]);
        // Business begins an hour earlier by UTC than on the day before.
        let business = berlin("09:00-17:00");
        assert_eq!(
            ends(&open(&business, "2026-03-28")),
            Some((32, "08:00", "15:45"))
        );
        assert_eq!(
            ends(&open(&business, "2026-03-29")),
            Some((32, "07:00", "14:45"))
        );
    }

    /// On 25 October 2026 in Berlin, 02:59:59 is followed by 02:00:00.
    #[test]
    fn an_hour_that_comes_twice_is_in_its_window_twice() {
        let berlin = |hours| window(Window::EVERY_DAY, hours, "Europe/Berlin");
        let open_at = open(&berlin("02:30-03:00"), "2026-10-25");
        assert_eq!(open_at, ["00:30", "00:45", "01:30", "01:45"]);
        // The night from Saturday is an hour longer, and is still Saturday's.
        let night = window("sat", "22:00-06:00", "Europe/Berlin");
        assert_eq!(
            ends(&open(&night, "2026-10-24")),
            Some((16, "20:00", "23:45"))
        );
        assert_eq!(
            ends(&open(&night, "2026-10-25")),
            Some((20, "00:00", "04:45"))
        );
    }

    #[test]
    fn the_day_is_that_of_the_place() {
        // It is Monday in Auckland while it is still Sunday in UTC.
        let auckland = window("mon", Window::ALL_DAY, "Pacific/Auckland");
        assert!(auckland.contains(utc("2026-06-07T12:00:00Z")));
        assert!(!auckland.contains(utc("2026-06-08T12:00:00Z")));
        // Half hours, too.
        let kolkata = window("mon", "09:00-09:30", "Asia/Kolkata");
        assert_eq!(open(&kolkata, "2026-06-01"), ["03:30", "03:45"]);
    }

    #[test]
    fn no_time_is_too_far() {
        let always = window(Window::EVERY_DAY, Window::ALL_DAY, "Europe/Berlin");
        let epoch = SystemTime::UNIX_EPOCH;
        assert!(always.contains(epoch));
        // Beyond the calendar, as far as this system's time goes.
        let mut far = Duration::from_secs(1 << 39);
        while far < Duration::from_secs(1 << 62) {
            for at in [epoch.checked_add(far), epoch.checked_sub(far)] {
                assert!(!at.is_some_and(|at| always.contains(at)), "{far:?}");
            }
            far *= 2;
        }
        for at in [Timestamp::MIN, Timestamp::MAX] {
            assert!(always.contains(at.into()));
        }
    }

    #[test]
    fn what_is_no_window_is_refused_by_field() {
        let refused = |window: Result<Window, RuleError>, field, allowed| {
            let error = window.unwrap_err();
            assert_eq!(
                (error.field(), error.allowed()),
                (field, allowed),
                "{error}"
            );
        };
        let long = "mon ".repeat(100_000);
        for days in [
            "",
            " ",
            "mon,",
            ",",
            "monday",
            "mo",
            "mon-",
            "-fri",
            "mon-wed-fri",
            "1-5",
            "mon tue",
            "*",
            "–",
            &long,
        ] {
            let window = Window::new(days, Window::ALL_DAY, "UTC");
            refused(window, "window.days", DAYS_ALLOWED);
        }
        let many = ["00:00-01:00"; 25].join(",");
        for hours in [
            "",
            "9-17",
            "9:00-17:00",
            "09:00",
            "09:00-",
            "-17:00",
            "09:00-17:00,",
            "09:00-25:00",
            "09:00-24:01",
            "24:00-06:00",
            "09:60-10:00",
            "09:00-09:00",
            "00:00-00:00",
            "+9:00-17:00",
            "09:00–17:00",
            "09:00:00-17:00:00",
            "099:00-17:00",
            "99:99-99:99",
            "٠٩:00-17:00",
            &many,
        ] {
            let window = Window::new("mon", hours, "UTC");
            refused(window, "window.hours", HOURS_ALLOWED);
        }
        for zone in [
            "",
            "Mars/Olympus",
            "Europe/",
            "+01:00",
            "CET-1CEST,M3.5.0,M10.5.0/3",
            "Etc/Unknown",
            "../../etc/passwd",
            " UTC",
        ] {
            let window = Window::new("mon", Window::ALL_DAY, zone);
            refused(window, "window.zone", ZONE_ALLOWED);
        }
        assert!(
            Window::new("mon", Window::ALL_DAY, &long)
                .unwrap_err()
                .problem()
                .len()
                < 200
        );
    }

    #[test]
    fn what_was_written_is_what_is_shown() {
        let window = window(" Mon-FRI", "09:00-17:00 ", "europe/berlin");
        let texts = (window.days(), window.hours(), window.zone());
        assert_eq!(texts, (" Mon-FRI", "09:00-17:00 ", "europe/berlin"));
        assert_eq!(window, window.clone());
        assert_ne!(window, Window::new("mon", "09:00-17:00", "UTC").unwrap());
    }
}
