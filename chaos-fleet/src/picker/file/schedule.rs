//! The fields of a pick that say when: the window, its holidays, and the times between picks.

use std::{collections::BTreeSet, time::Duration};

use chaos_core::wire;
use jiff::{SignedDuration, civil::Date, tz::TimeZoneDatabase};
use serde_json::Value as Json;
use toml::{Value, value::Datetime};

use super::fields::{Field, Fields, allowed, shown};
use crate::{error::Refusal, picker::calendar::Calendar};

const WINDOW: &[Field] = &[
    ("days", "days such as \"mon-fri\""),
    ("hours", "hours such as \"09:00-17:00\""),
    ("zone", "a time zone such as \"Europe/Berlin\""),
    (
        "holidays",
        "a list of at most 1000 dates, such as [2026-12-25, 2026-12-26]",
    ),
];

const MOST_HOLIDAYS: usize = 1000;

const DEFAULT_TTL: Duration = Duration::from_secs(10 * 60);
const LONGEST_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// Two working days. Together with half of it as the least time, these are the defaults of Chaos Monkey.
const DEFAULT_MEAN: Duration = Duration::from_secs(16 * 60 * 60);
const LEAST_MEAN: Duration = Duration::from_secs(60);

/// The longest mean, in weeks by the calendar.
const MOST_WEEKS: i32 = 53;

pub(super) fn ttl(fields: &mut Fields) -> Result<Duration, Refusal> {
    let ttl = fields.duration("ttl")?.unwrap_or(DEFAULT_TTL);
    match (Duration::from_secs(1)..=LONGEST_TTL).contains(&ttl) {
        true => Ok(ttl),
        false => Err(fields.refuse("ttl", format!("{ttl:?} is not allowed"))),
    }
}

pub(super) fn calendar(fields: &mut Fields) -> Result<Calendar, Refusal> {
    let table = match fields.take("window") {
        None => return Err(fields.missing("window")),
        Some(Value::Table(table)) => table,
        Some(_) => return Err(fields.refuse("window", "not a table")),
    };
    let mut window = Fields::new("window", table, WINDOW)?;
    let holidays = holidays(&mut window)?;
    let mut rule = serde_json::Map::new();
    for (name, value) in window.rest() {
        let Value::String(text) = value else {
            let problem = format!("{} is no text", shown(&value));
            return Err(Refusal::new(
                format!("window.{name}"),
                problem,
                allowed(WINDOW, &name),
            ));
        };
        rule.insert(name, text.into());
    }
    let window = wire::window_from_value(Json::Object(rule))?;
    // The database that the window has found it in.
    let zone = TimeZoneDatabase::bundled().get(window.zone());
    let zone = zone.map_err(|error| fields.refuse("window", error))?;
    Ok(Calendar::new(window, zone, holidays))
}

fn holidays(window: &mut Fields) -> Result<BTreeSet<Date>, Refusal> {
    let dates = match window.take("holidays") {
        None => return Ok(BTreeSet::new()),
        Some(Value::Array(dates)) => dates,
        Some(_) => return Err(window.refuse("holidays", "not a list")),
    };
    if dates.len() > MOST_HOLIDAYS {
        return Err(window.refuse("holidays", format!("{} dates", dates.len())));
    }
    let mut holidays = BTreeSet::new();
    for value in dates {
        let date = match &value {
            Value::Datetime(date) => date_of(date),
            // Without a time, and written as it is in TOML.
            Value::String(text) => {
                let date = text.parse::<Date>().ok();
                date.filter(|date| date.to_string() == *text)
            }
            _ => None,
        };
        match date {
            Some(date) if !holidays.insert(date) => {
                return Err(window.refuse("holidays", format!("{date} occurs twice")));
            }
            Some(_) => {}
            None => return Err(window.refuse("holidays", format!("{} is no date", shown(&value)))),
        }
    }
    Ok(holidays)
}

/// Returns a date that has no time.
fn date_of(date: &Datetime) -> Option<Date> {
    if date.time.is_some() || date.offset.is_some() {
        return None;
    }
    let date = date.date?;
    let year = i16::try_from(date.year).ok()?;
    let (month, day) = (date.month.try_into().ok()?, date.day.try_into().ok()?);
    Date::new(year, month, day).ok()
}

/// Reads the mean and the least time between picks.
pub(super) fn mean_and_min(
    fields: &mut Fields,
    calendar: &Calendar,
) -> Result<(SignedDuration, SignedDuration), Refusal> {
    let given = fields.duration("mean_time_between")?;
    let mean = given.unwrap_or(DEFAULT_MEAN);
    let min = fields.duration("min_time_between")?.unwrap_or(mean / 2);
    let a_week = calendar.open_a_week();
    let signed = |time| SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
    if mean < LEAST_MEAN {
        return Err(fields.refuse("mean_time_between", format!("{mean:?} is too short")));
    }
    if signed(mean) > a_week * MOST_WEEKS {
        let problem = format!(
            "{} of a window that is open for {} a week are more than a year",
            text(mean),
            text(a_week.unsigned_abs()),
        );
        return Err(fields.refuse("mean_time_between", problem));
    }
    if min >= mean {
        let problem = format!("{} is not less than the mean of {}", text(min), text(mean));
        return Err(fields.refuse("min_time_between", problem));
    }
    Ok((signed(mean), signed(min)))
}

fn text(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}
