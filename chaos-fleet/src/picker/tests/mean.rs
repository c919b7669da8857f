//! The mean time between picks.

use jiff::{SignedDuration, Timestamp};

use super::{BREAK, DAYS, NIGHT, WORK, end, pick, run, start};
use crate::picker::Pick;

/// The steps in which open time is counted, which divide the ends of all windows here.
const STEP: SignedDuration = SignedDuration::from_mins(5);

/// Returns for how long the window is open between the first pick and the last, and the mean of that between two. It is
/// counted step by step. If a day has its number of picks, `without_full_days` leaves its rest out.
fn mean(pick: &Pick, open: &[Timestamp], picks: &[Timestamp], without_full_days: bool) -> f64 {
    let most = pick.at_most().filter(|_| without_full_days);
    let calendar = pick.calendar();
    let (mut coming, mut counted) = (picks.iter().peekable(), 0);
    let (mut today, mut number) = (None, 0);
    for now in open {
        while let Some(pick) = coming.next_if(|pick| *pick <= now) {
            let date = calendar.date(*pick);
            number = if today == Some(date) { number + 1 } else { 1 };
            today = Some(date);
        }
        let has_begun = coming.len() < picks.len();
        let is_full = most.is_some_and(|most| number >= most && today == Some(calendar.date(*now)));
        let is_over = coming.peek().is_none();
        counted += i64::from(has_begun && !is_over && !is_full);
    }
    counted as f64 * STEP.as_secs_f64() / (picks.len() - 1) as f64
}

/// Returns the steps of 1,000 days at which the window is open.
fn open_steps(pick: &Pick) -> Vec<Timestamp> {
    let steps = 24 * 12 * DAYS;
    let steps = (0..steps).map(|step| start() + STEP * i32::try_from(step).unwrap());
    steps
        .filter(|now| pick.window().contains((*now).into()))
        .collect()
}

fn is_near(found: f64, asked: f64) -> bool {
    (0.8..=1.2).contains(&(found / asked))
}

#[test]
fn the_mean_is_within_a_fifth_over_a_thousand_days() {
    for (window, fields, least) in [
        (WORK, "", 300),
        (
            WORK,
            "mean_time_between = '4h'\nmin_time_between = '0s'",
            1200,
        ),
        (
            WORK,
            "mean_time_between = '8h'\nmin_time_between = '7h'",
            600,
        ),
        (
            WORK,
            "mean_time_between = '45m'\nmin_time_between = '10m'",
            6000,
        ),
        (
            NIGHT,
            "mean_time_between = '10h'\nmin_time_between = '1h'",
            300,
        ),
        (BREAK, "mean_time_between = '15h'", 400),
        ("days = 'mon-sun'", "mean_time_between = '24h'", 900),
    ] {
        let open = open_steps(&pick(window, ""));
        for seed in [1, 2] {
            let pick = pick(window, &format!("{fields}\nseed = {seed}"));
            let mut state = pick.start(0, start());
            let picks = run(&pick, &mut state, start(), end());
            let (found, gaps) = (mean(&pick, &open, &picks, false), picks.len() - 1);
            let asked = pick.mean_time_between().as_secs_f64();
            println!(
                "{window} {fields:?} seed {seed}: {gaps} gaps, {:.3}",
                found / asked
            );
            assert!(
                is_near(found, asked),
                "{window} {fields}: {found} for {asked}"
            );
            assert!(gaps * 5 > least * 4, "{window} {fields}: only {gaps}");
        }
    }
}

#[test]
fn the_mean_leaves_out_the_rest_of_full_days() {
    let open = open_steps(&pick(WORK, ""));
    for (fields, seed) in [
        (
            "mean_time_between = '8h'\nmin_time_between = '1h'\nat_most = 1",
            1,
        ),
        (
            "mean_time_between = '2h'\nmin_time_between = '30m'\nat_most = 3",
            2,
        ),
        ("mean_time_between = '1h'\nat_most = 1", 3),
    ] {
        let pick = pick(WORK, &format!("{fields}\nseed = {seed}"));
        let mut state = pick.start(0, start());
        let picks = run(&pick, &mut state, start(), end());
        let asked = pick.mean_time_between().as_secs_f64();
        let (found, gaps) = (mean(&pick, &open, &picks, true), picks.len() - 1);
        let with_rest = mean(&pick, &open, &picks, false);
        println!(
            "{fields:?}: {gaps} gaps, {:.3}, with the rest of full days {:.3}",
            found / asked,
            with_rest / asked
        );
        assert!(is_near(found, asked), "{fields}: {found} for {asked}");
        // The bound is reached, and tells.
        assert!(
            with_rest > 1.05 * asked,
            "{fields}: {with_rest} for {asked}"
        );
    }
}
