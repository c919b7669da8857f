//! The time in which picks may be made: the hours of a window, without holidays, and how time passes in it.

use std::collections::BTreeSet;

use chaos_core::trigger::Window;
use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

const MINUTES_A_DAY: u16 = 24 * 60;

/// The hours of a window, without holidays.
///
/// A holiday is closed from midnight to midnight, and the night that begins on it does not open either.
#[derive(Clone, Debug)]
pub(super) struct Calendar {
    window: Window,
    zone: TimeZone,
    holidays: BTreeSet<Date>,
    /// The minutes of a day at which the window may open or close, ascending. The last is midnight.
    marks: Box<[u16]>,
}

impl Calendar {
    pub(super) fn new(window: Window, zone: TimeZone, holidays: BTreeSet<Date>) -> Self {
        let ends = window.ranges().flat_map(|(start, end)| [start, end]);
        let marks = ends.filter(|mark| *mark > 0).chain([MINUTES_A_DAY]);
        let marks: BTreeSet<_> = marks.collect();
        Self {
            window,
            zone,
            holidays,
            marks: marks.into_iter().collect(),
        }
    }

    pub(super) fn window(&self) -> &Window {
        &self.window
    }

    pub(super) fn holidays(&self) -> &BTreeSet<Date> {
        &self.holidays
    }

    /// Returns the date in the time zone of the window.
    pub(super) fn date(&self, at: Timestamp) -> Date {
        self.zone.to_datetime(at).date()
    }

    /// Returns whether a pick may be made at this moment. `full` is a day on which no further one may be made.
    pub(super) fn is_open(&self, at: Timestamp, full: Option<Date>) -> bool {
        let local = self.zone.to_datetime(at);
        let is_closed = self.holidays.contains(&local.date()) || full == Some(local.date());
        !is_closed && self.holds(local, |day| !self.holidays.contains(&day))
    }

    /// Returns whether a local time is in a range of hours that begins on a day of the window, if the range `opens` on
    /// that day.
    fn holds(&self, local: DateTime, opens: impl Fn(Date) -> bool) -> bool {
        let begins_on = |day: Date| {
            let number = day.weekday().to_monday_zero_offset();
            u8::try_from(number).is_ok_and(|number| self.window.has_day(number)) && opens(day)
        };
        let minute = minute_of(local.time());
        let today = begins_on(local.date());
        let last_night = local.date().yesterday().is_ok_and(begins_on);
        self.window.ranges().any(|(start, end)| match start < end {
            true => today && (start..end).contains(&minute),
            false => today && minute >= start || last_night && minute < end,
        })
    }

    /// Returns the moment that is reached when so much open time has passed since `from`, which itself is open. If that
    /// would be after the year 9999, it is the last moment of that year.
    pub(super) fn after(
        &self,
        from: Timestamp,
        open_time: SignedDuration,
        full: Option<Date>,
    ) -> Timestamp {
        let (mut at, mut left) = (from, open_time);
        while at < Timestamp::MAX {
            let until = self.next_mark(at);
            if self.is_open(at, full) {
                let span = until.duration_since(at);
                if left < span {
                    return at.checked_add(left).unwrap_or(Timestamp::MAX);
                }
                left -= span;
            }
            at = until;
        }
        at
    }

    /// Returns the next moment at which the window may open or close, or clocks are changed. In between, local time
    /// runs as time does, and the window neither opens nor closes.
    fn next_mark(&self, at: Timestamp) -> Timestamp {
        let local = self.zone.to_datetime(at);
        let minute = minute_of(local.time());
        let mark = self.marks.iter().find(|mark| **mark > minute);
        let mark = SignedDuration::from_mins(mark.copied().unwrap_or(MINUTES_A_DAY).into());
        let ahead = mark - local.time().duration_since(Time::midnight());
        let mark = at.checked_add(ahead).unwrap_or(Timestamp::MAX);
        let change = self.zone.following(at).next();
        change.map_or(mark, |change| mark.min(change.timestamp()))
    }

    /// Returns for how long the window is open in a week without holidays and changes of the clock.
    pub(super) fn open_a_week(&self) -> SignedDuration {
        let monday = DateTime::constant(2001, 1, 1, 0, 0, 0, 0);
        let minutes = (0..7 * i64::from(MINUTES_A_DAY)).map(SignedDuration::from_mins);
        let open = minutes.filter(|minute| {
            let local = monday.checked_add(*minute);
            local.is_ok_and(|local| self.holds(local, |_| true))
        });
        SignedDuration::from_mins(open.map(|_| 1).sum())
    }
}

/// Returns the whole minutes since midnight.
fn minute_of(time: Time) -> u16 {
    u16::try_from(i32::from(time.hour()) * 60 + i32::from(time.minute())).unwrap_or_default()
}
