//! Picks are made in the window alone, wherever clocks are changed, and whatever days are holidays.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use proptest::prelude::*;

use super::{at, minutes, pick};
use crate::picker::{Choice, Next};

/// Zones whose clocks are changed: by an hour, by half an hour, south of the equator, at midnight, by a day that was left
/// out, and never.
const ZONES: [&str; 8] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Africa/Cairo",
    "Pacific/Apia",
    "Asia/Kolkata",
    "UTC",
];

fn day() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "mon", "fri", "sun", "mon-fri", "sat-sun", "fri-mon", "tue,thu",
    ])
    .prop_map(str::to_owned)
}

/// A range of a quarter of an hour or more. A window that is open for less a week has too few picks to test.
fn hours() -> impl Strategy<Value = String> {
    let time = || {
        let minute = prop::sample::select(vec![0_u32, 15, 30, 59]);
        (0..24_u32, minute).prop_map(|(hour, minute)| hour * 60 + minute)
    };
    (time(), time()).prop_filter_map("a short range", |(from, to)| {
        let text = |time| format!("{:02}:{:02}", time / 60, time % 60);
        let length = (to + 24 * 60 - from) % (24 * 60);
        (length >= 15).then(|| format!("{}-{}", text(from), text(to)))
    })
}

/// Whether a night that lasts until this moment began on a holiday, so that it does not open.
fn began_on_holiday(
    window: &chaos_core::trigger::Window,
    at: Timestamp,
    holidays: &BTreeSet<Date>,
) -> bool {
    let local = TimeZone::get(window.zone()).unwrap().to_datetime(at);
    let minute = local.hour() as u16 * 60 + local.minute() as u16;
    let yesterday = local.date().yesterday().unwrap();
    let has = |date: Date| window.has_day(date.weekday().to_monday_zero_offset() as u8);
    let today = has(local.date())
        && window
            .ranges()
            .any(|(start, end)| minute >= start && (minute < end || end <= start));
    !today && has(yesterday) && holidays.contains(&yesterday)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn picks_are_made_in_the_window_alone(
        zone in prop::sample::select(ZONES.to_vec()),
        days in day(),
        hours in prop::collection::vec(hours(), 1..4),
        offsets in prop::collection::btree_set(0..730_i64, 0..40),
        year in prop::sample::select(vec![2011_i16, 2024, 2025, 2026]),
        first_day in 0..550_i64,
        mean in 20..400_i64,
        seed in 0..u64::MAX >> 1,
    ) {
        let first = Date::new(year, 1, 1).unwrap();
        let holidays: BTreeSet<Date> = offsets.into_iter()
            .map(|days| first + SignedDuration::from_hours(24 * days))
            .collect();
        let list: Vec<_> = holidays.iter().map(|date| format!("'{date}'")).collect();
        let window = format!(
            "days = '{days}', hours = '{}', zone = '{zone}', holidays = [{}]",
            hours.join(","), list.join(","),
        );
        let pick = pick(&window, &format!("mean_time_between = '{mean}m'\nseed = {seed}"));
        let place = TimeZone::get(zone).unwrap();
        let mut state = pick.start(0, at(&format!("{year}-01-01T00:00:00Z")) + SignedDuration::from_hours(24 * first_day));
        for _ in 0..60 {
            let made = state.planned().at;
            prop_assert!(matches!(pick.next(&state, made), Next::Due(_)));
            state = pick.record(&state, made, Choice::Spared);
            prop_assert!(pick.window().contains(made.into()), "{made} is not in {window}");
            let date = place.to_datetime(made).date();
            prop_assert!(!holidays.contains(&date), "{made} is on a holiday of {window}");
            prop_assert!(!began_on_holiday(pick.window(), made, &holidays), "{made} is in the night of a holiday");
        }
    }
}

/// Without holidays, the picker's calendar is the window, at every minute around changes of clocks.
#[test]
fn the_calendar_is_the_window() {
    let day = SignedDuration::from_hours(30);
    for (zone, hours) in ZONES.into_iter().flat_map(|zone| {
        let hours = [
            "02:00-03:00",
            "01:30-03:30",
            "22:00-06:00",
            "00:00-24:00",
            "23:59-00:01, 12:00-13:00",
        ];
        hours.map(|hours| (zone, hours))
    }) {
        let place = TimeZone::get(zone).unwrap();
        let of_2026 = place.following(at("2026-01-01T00:00:00Z")).take(2);
        let changes = of_2026.map(|change| change.timestamp());
        // Where no clocks are changed, a night like any other; in Apia, the day that was left out.
        for change in changes.chain([at("2011-12-30T10:00:00Z")]) {
            let pick = pick(
                &format!("hours = '{hours}', zone = '{zone}'"),
                "mean_time_between = '30m'\nseed = 1",
            );
            let (from, mut open) = (change - day, 0);
            for now in minutes(from, change + day) {
                let is_open = pick.calendar().is_open(now, None);
                assert_eq!(
                    is_open,
                    pick.window().contains(now.into()),
                    "{zone} {hours} {now}"
                );
                // The time that passes is that of the minutes in which the window is open.
                if is_open && open % 61 == 0 {
                    let after = pick
                        .calendar()
                        .after(from, SignedDuration::from_mins(open), None);
                    assert_eq!(after, now, "{zone} {hours}");
                }
                open += i64::from(is_open);
            }
        }
    }
}

/// Christmas is a Friday in 2026. The night before it closes at midnight, its own night does not open.
#[test]
fn a_holiday_is_closed_from_midnight_to_midnight_and_so_is_its_night() {
    let pick = pick(
        "hours = '22:00-06:00', zone = 'Europe/Berlin', holidays = [2026-12-25]",
        "",
    );
    let open = minutes(at("2026-12-23T11:00:00Z"), at("2026-12-27T11:00:00Z"))
        .filter(|now| pick.calendar().is_open(*now, None));
    let open: Vec<_> = open.collect();
    let hours = |from: &str, until: &str| minutes(at(from), at(until)).collect::<Vec<_>>();
    let expected = [
        hours("2026-12-23T21:00:00Z", "2026-12-24T05:00:00Z"),
        hours("2026-12-24T21:00:00Z", "2026-12-24T23:00:00Z"),
        hours("2026-12-26T21:00:00Z", "2026-12-27T05:00:00Z"),
    ];
    assert_eq!(open, expected.concat());
}

/// The hour that is left out in Berlin on 29 March 2026 is not waited for, and the one that comes twice counts twice.
#[test]
fn time_in_the_window_is_real_time() {
    let night = pick("hours = '01:00-04:00', zone = 'Europe/Berlin'", "");
    let after = |from: &str, hours| {
        let after = night
            .calendar()
            .after(at(from), SignedDuration::from_hours(hours), None);
        after.to_string()
    };
    assert_eq!(after("2026-03-29T00:00:00Z", 1), "2026-03-29T01:00:00Z");
    // Two hours of that night, and the third is of the next.
    assert_eq!(after("2026-03-29T00:00:00Z", 2), "2026-03-29T23:00:00Z");
    assert_eq!(after("2026-10-24T23:00:00Z", 3), "2026-10-25T02:00:00Z");
    assert_eq!(after("2026-10-24T23:00:00Z", 4), "2026-10-26T00:00:00Z");
}
