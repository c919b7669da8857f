//! The promises of the picker.

mod choice;
mod mean;
mod pickers;
mod schedule;
mod window;

use jiff::{SignedDuration, Timestamp};

use crate::picker::{Choice, Next, Pick, State, picks_from_toml};

pub(super) const WORK: &str = "days = 'mon-fri', hours = '09:00-17:00', zone = 'Europe/Berlin'";
pub(super) const NIGHT: &str = "days = 'fri-sun', hours = '22:00-06:00', zone = 'America/New_York'";
pub(super) const BREAK: &str = "hours = '08:00-12:00, 13:00-16:30', zone = 'Asia/Kolkata'";

pub(super) const DAYS: i64 = 1000;

pub(super) fn start() -> Timestamp {
    at("2024-01-01T00:00:00Z")
}

pub(super) fn end() -> Timestamp {
    start() + SignedDuration::from_hours(24 * DAYS)
}

/// Reads a pick with a window and further fields.
pub(super) fn pick(window: &str, fields: &str) -> Pick {
    let text = format!(
        "[[pick]]\ngroup_by = ['service']\nfault = 'status(503)'\nwindow = {{ {window} }}\n{fields}"
    );
    let picks = picks_from_toml(&text);
    picks
        .unwrap_or_else(|error| panic!("{text}: {error}"))
        .remove(0)
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Runs a picker that asks again exactly when it is told to, until `end`, and returns when the picks were made.
pub(super) fn run(
    pick: &Pick,
    state: &mut State,
    mut now: Timestamp,
    end: Timestamp,
) -> Vec<Timestamp> {
    let mut picks = Vec::new();
    while now < end {
        match pick.next(state, now) {
            Next::Wait(planned) => now = planned.at,
            Next::Due(_) => {
                picks.push(now);
                *state = pick.record(state, now, Choice::Nobody { meant: 0 });
            }
            Next::Missed(_) => panic!("missed {:?} at {now}", state.planned()),
        }
    }
    picks
}

/// Returns the moments of a span, a minute apart.
pub(super) fn minutes(from: Timestamp, until: Timestamp) -> impl Iterator<Item = Timestamp> {
    let mut next = from;
    std::iter::from_fn(move || {
        let now = next;
        next = next.checked_add(SignedDuration::from_mins(1)).unwrap();
        (now < until).then_some(now)
    })
}
