//! The days, the hours and the time zone of a window, as they are written.

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::error::RuleError;

pub(crate) const DAYS_ALLOWED: &str =
    "days such as \"mon-fri\" or \"mon,wed,sat-sun\": mon tue wed thu fri sat sun";
pub(crate) const HOURS_ALLOWED: &str = "hours such as \"09:00-17:00\", \"22:00-06:00\" over midnight, or \
                                        several with commas between; 00:00 to 24:00, 24 ranges at most";
pub(crate) const ZONE_ALLOWED: &str =
    "a time zone such as \"Europe/Berlin\" (a name of the IANA database), or \"UTC\"";

/// A bit for each day of the week, the lowest for Monday.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Week(u8);

/// A range in minutes since midnight, without its end. If the end is not above the start, it is on
/// the next day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hours {
    pub(super) start: u16,
    pub(super) end: u16,
}

impl Week {
    const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

    /// Parses names and ranges of days, separated by commas.
    pub(super) fn parse(text: &str) -> Result<Self, RuleError> {
        let mut week = Self(0);
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (Some(first), Some(last)) = (Self::day(first), Self::day(last)) else {
                let problem = format!("{:?} is not a day of the week", shown(part));
                return Err(RuleError::new("window.days", problem, DAYS_ALLOWED));
            };
            let days = (last + 7 - first) % 7;
            for day in first..=first + days {
                week.0 |= 1 << (day % 7);
            }
        }
        Ok(week)
    }

    /// Returns the number of a day; 0 is Monday.
    fn day(name: &str) -> Option<u8> {
        let mut names = (0..).zip(Self::NAMES);
        let found = names.find(|(_, known)| known.eq_ignore_ascii_case(name.trim()));
        found.map(|(day, _)| day)
    }

    /// Returns whether `day` is one of the days; 0 is Monday.
    #[inline]
    pub(super) fn has(self, day: u8) -> bool {
        self.0 >> day & 1 == 1
    }
}

impl Hours {
    const MOST: usize = 24;
    const MIDNIGHT: u16 = 24 * 60;

    /// Parses ranges of hours, separated by commas.
    pub(super) fn parse(text: &str) -> Result<Box<[Self]>, RuleError> {
        let refuse = |problem| RuleError::new("window.hours", problem, HOURS_ALLOWED);
        if text.split(',').nth(Self::MOST).is_some() {
            return Err(refuse("too many ranges".to_owned()));
        }
        let range = |part| {
            Self::range(part)
                .ok_or_else(|| refuse(format!("{:?} is not a range of hours", shown(part))))
        };
        text.split(',').map(range).collect()
    }

    /// Parses one range, such as `09:00-17:00`.
    fn range(text: &str) -> Option<Self> {
        let (start, end) = text.split_once('-')?;
        let (start, end) = (Self::minutes(start)?, Self::minutes(end)?);
        // `09:00-09:00` could mean no time or all day, so it is refused.
        let is_plain = start != end && start < Self::MIDNIGHT;
        is_plain.then_some(Self { start, end })
    }

    /// Parses a time of day into minutes since midnight; `24:00` is the last.
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

/// Finds a time zone by its IANA name.
pub(super) fn time_zone(name: &str) -> Result<TimeZone, RuleError> {
    // The bundled database, so that a window means the same wherever the program runs.
    let found = TimeZoneDatabase::bundled().get(name).ok();
    // "Etc/Unknown" is a valid name without a meaning.
    found.filter(|zone| !zone.is_unknown()).ok_or_else(|| {
        let problem = format!("{:?} is not a time zone", shown(name));
        RuleError::new("window.zone", problem, ZONE_ALLOWED)
    })
}

/// Cuts a wrong text to as much as helps to find it.
fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}
