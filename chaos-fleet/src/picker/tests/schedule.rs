//! When picks are due: never too soon, never too many, the same again, and what becomes of those that were missed.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{BREAK, DAYS, NIGHT, WORK, at, end, minutes, pick, run, start};
use crate::picker::{Choice, Next, State};

#[test]
fn no_two_are_closer_than_the_minimum_and_no_day_has_more_than_its_number() {
    for (window, fields, most) in [
        (
            WORK,
            "mean_time_between = '2h'\nmin_time_between = '1h'\nat_most = 2",
            2,
        ),
        (
            NIGHT,
            "mean_time_between = '1h'\nmin_time_between = '50m'\nat_most = 3",
            3,
        ),
        (
            BREAK,
            "mean_time_between = '5m'\nmin_time_between = '0s'\nat_most = 7",
            7,
        ),
        (
            "days = 'mon-sun'",
            "mean_time_between = '30m'\nmin_time_between = '29m'\nat_most = 10",
            10,
        ),
    ] {
        let pick = pick(window, &format!("{fields}\nseed = 5"));
        let zone = TimeZone::get(pick.window().zone()).unwrap();
        let mut state = pick.start(0, start());
        let end = start() + SignedDuration::from_hours(24 * 300);
        let picks = run(&pick, &mut state, start(), end);
        let min = SignedDuration::try_from(pick.min_time_between()).unwrap();
        for two in picks.windows(2) {
            assert!(two[1].duration_since(two[0]) >= min, "{two:?}");
            let open = minutes(two[0], two[1]).filter(|now| pick.window().contains((*now).into()));
            let open = SignedDuration::from_mins(open.count() as i64);
            // The minutes that are counted begin anywhere.
            assert!(
                open + SignedDuration::from_mins(3) >= min,
                "{two:?}: open for {open:?}"
            );
        }
        let mut by_day = BTreeMap::new();
        for pick in &picks {
            *by_day.entry(zone.to_datetime(*pick).date()).or_insert(0) += 1;
        }
        assert_eq!(by_day.into_values().max(), Some(most), "{window} {fields}");
    }
}

#[test]
fn same_seed_same_picks() {
    let times = |name: &str, seed: u64| {
        let pick = pick(WORK, &format!("name = '{name}'"));
        let mut state = pick.start(seed << 1, start());
        assert_eq!(state.seed(), seed);
        run(&pick, &mut state, start(), end())
    };
    assert_eq!(times("a", 42), times("a", 42));
    assert_ne!(times("a", 42), times("a", 43));
    assert_ne!(times("a", 42), times("b", 42));
}

/// The seed that was drawn and written down makes the same picks when it stands in the file.
#[test]
fn the_seed_that_is_written_down_can_be_written_into_the_file() {
    let drawn = pick(WORK, "");
    let mut state = drawn.start(u64::MAX, start());
    let seed = state.seed();
    let in_file = pick(WORK, &format!("seed = {seed}"));
    let mut other = in_file.start(7, start());
    let picks = run(&drawn, &mut state, start(), end());
    assert_eq!(run(&in_file, &mut other, start(), end()), picks);
    assert_eq!(state, other);
}

#[test]
fn a_restart_goes_on() {
    let pick = pick(WORK, "mean_time_between = '3h'\nat_most = 2");
    let mut whole = pick.start(99, start());
    let picks = run(&pick, &mut whole, start(), end());
    // Once a day, the state is all that is left.
    let mut json = serde_json::to_string(&pick.start(99, start())).unwrap();
    let mut found = Vec::new();
    for day in 0..DAYS {
        let now = start() + SignedDuration::from_hours(24 * day);
        let mut state = serde_json::from_str(&json).unwrap();
        // A span without an end of its own: the next day's run sees what is due then.
        let next_day = now + SignedDuration::from_hours(24);
        found.extend(
            run(&pick, &mut state, now, next_day)
                .into_iter()
                .filter(|at| *at < next_day),
        );
        json = serde_json::to_string(&state).unwrap();
    }
    assert_eq!(found, picks);
    assert_eq!(serde_json::from_str::<State>(&json).unwrap(), whole);
}

/// A picker that was away for a week-end does not begin with what was due on Friday.
#[test]
fn what_was_missed_is_not_made_up_for() {
    let pick = pick(WORK, "mean_time_between = '2h'\nmin_time_between = '1h'");
    let friday = at("2026-06-05T12:00:00Z");
    let state = pick.start(3, friday);
    let due = state.planned().at;
    assert!(matches!(pick.next(&state, due), Next::Due(_)));
    let monday = at("2026-06-08T07:00:00Z");
    let Next::Missed(missed) = pick.next(&state, monday) else {
        panic!("due on {due}, and still on {monday}");
    };
    assert_eq!(missed.planned().ordinal, 0);
    assert!(missed.planned().at > monday);
    assert_eq!(missed.last(), None);
    // It is the state that is asked now, whenever that is.
    assert_eq!(pick.next(&missed, monday), Next::Wait(missed.planned()));
    assert!(matches!(
        pick.next(&missed, missed.planned().at),
        Next::Due(_)
    ));
    // Missed again and again, the ordinal stays, and the times differ.
    let again = at("2026-07-06T07:00:00Z");
    let Next::Missed(twice) = pick.next(&missed, again) else {
        panic!("not missed");
    };
    let gap = |state: &State, since| state.planned().at.duration_since(since);
    assert_ne!(gap(&missed, monday), gap(&twice, again));
}

#[test]
fn a_pick_may_be_an_hour_late_while_the_window_is_open() {
    let hour = SignedDuration::from_hours(1);
    let always = pick("days = 'mon-sun'", "");
    let state = always.start(3, start());
    let latest = state.planned().at + hour;
    assert!(matches!(always.next(&state, latest), Next::Due(_)));
    let later = latest + SignedDuration::from_nanos(1);
    assert!(matches!(always.next(&state, later), Next::Missed(_)));
    // Over a break that is shorter, and not in it.
    let work = pick(
        "hours = '08:00-12:00, 12:30-18:00'",
        "mean_time_between = '1h'",
    );
    let mut state = work.start(0, start());
    let noon = |at: Timestamp| at.to_string().contains("T11:5");
    while !noon(state.planned().at) {
        state = work.record(&state, state.planned().at, Choice::Spared);
    }
    let day = work.calendar().date(state.planned().at);
    let time = |time| at(&format!("{day}T{time}Z"));
    assert!(matches!(
        work.next(&state, time("11:59:59.9")),
        Next::Due(_)
    ));
    assert!(matches!(
        work.next(&state, time("12:00:00")),
        Next::Missed(_)
    ));
    assert!(matches!(work.next(&state, time("12:30:00")), Next::Due(_)));
}

/// The minimum holds for the time since the last pick also if the one after it was missed, and the file was changed.
#[test]
fn a_change_of_the_file_is_in_force_at_once() {
    let before = pick(
        WORK,
        "mean_time_between = '2h'\nmin_time_between = '0s'\nseed = 1",
    );
    let slow = pick(
        WORK,
        "mean_time_between = '80h'\nmin_time_between = '60h'\nseed = 1",
    );
    let monday = at("2026-06-01T07:00:00Z");
    let state = before.start(0, monday);
    let due = state.planned().at;
    let state = before.record(&state, due, Choice::Spared);
    let Next::Missed(missed) = before.next(&state, due + SignedDuration::from_hours(24)) else {
        panic!("not missed");
    };
    for state in [state, missed] {
        let Next::Wait(planned) = slow.next(&state, due) else {
            panic!("due although the file says otherwise");
        };
        let open = minutes(due, planned.at).filter(|now| slow.window().contains((*now).into()));
        assert!(open.count() >= 60 * 60 - 3);
    }
}

/// No state, however strange, makes a picker panic or search for ever.
#[test]
fn times_at_the_ends_of_the_calendar_are_borne() {
    let pick = pick(WORK, "mean_time_between = '2000h'\nat_most = 1");
    let mut now = Timestamp::MAX - SignedDuration::from_hours(24 * 400);
    let mut state = pick.start(1, now);
    for _ in 0..20 {
        state = match pick.next(&state, now) {
            Next::Wait(planned) => {
                now = planned.at;
                continue;
            }
            Next::Due(_) => pick.record(&state, now, Choice::Spared),
            Next::Missed(state) => state,
        };
    }
    assert_eq!(now, Timestamp::MAX);
    let first = pick.start(1, Timestamp::MIN);
    assert!(first.planned().at > Timestamp::MIN);
    assert!(matches!(pick.next(&first, Timestamp::MAX), Next::Missed(_)));
}
