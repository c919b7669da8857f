//! Windows at moments around midnight and around changes of the clock, and texts that are no
//! windows.

use std::time::Duration;

use super::*;

fn window(days: &str, hours: &str, zone: &str) -> Window {
    Window::new(days, hours, zone).unwrap()
}

fn utc(text: &str) -> SystemTime {
    text.parse::<Timestamp>().unwrap().into()
}

/// Returns the quarters of an hour of a day in UTC at which the window is open.
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
fn days_and_ranges_are_those_that_were_written() {
    let shift = window("fri-mon", "22:00-06:00, 12:00-24:00", "UTC");
    let days: Vec<_> = (0..=u8::MAX).filter(|day| shift.has_day(*day)).collect();
    assert_eq!(days, [0, 4, 5, 6]);
    let ranges: Vec<_> = shift.ranges().collect();
    assert_eq!(ranges, [(22 * 60, 6 * 60), (12 * 60, 24 * 60)]);
}

#[test]
fn what_was_written_is_what_is_shown() {
    let window = window(" Mon-FRI", "09:00-17:00 ", "europe/berlin");
    let texts = (window.days(), window.hours(), window.zone());
    assert_eq!(texts, (" Mon-FRI", "09:00-17:00 ", "europe/berlin"));
    assert_eq!(window, window.clone());
    assert_ne!(window, Window::new("mon", "09:00-17:00", "UTC").unwrap());
}
