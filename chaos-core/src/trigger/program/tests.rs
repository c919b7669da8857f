//! Programs over time, and phases that are no program.

use super::*;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn constant(rate: f64) -> Phase {
    Phase::new(Ramp::constant(rate))
}

fn rates(program: &Program, at: &[u64]) -> Vec<f64> {
    let rate = |at: &u64| program.at(seconds(*at)).rate;
    at.iter().map(rate).collect()
}

#[test]
fn phases_follow_each_other_over_and_over() {
    let down = constant(1.0).lasting(seconds(10));
    let flapping = Program::new([down, constant(0.0).lasting(seconds(5))]).unwrap();
    assert_eq!(flapping.length(), Some(seconds(15)));
    let at = [0, 9, 10, 14, 15, 24, 25, 15_000_000, 15_000_010];
    let expected = [1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0];
    assert_eq!(rates(&flapping, &at), expected);
    // A phase ends to the nanosecond.
    let just_before = flapping.at(seconds(10) - Duration::from_nanos(1));
    assert_eq!(just_before.rate, 1.0);
}

#[test]
fn the_last_phase_lasts_if_nobody_says_for_how_long() {
    let first = constant(0.25).lasting(seconds(10));
    let program = Program::new([first, constant(0.5)]).unwrap();
    assert_eq!(program.length(), None);
    assert_eq!(
        rates(&program, &[0, 9, 10, 1_000_000]),
        [0.25, 0.25, 0.5, 0.5]
    );
    assert_eq!(program.at(Duration::MAX).rate, 0.5);
    assert_eq!(Program::new([constant(0.5)]).unwrap().length(), None);
}

#[test]
fn ramps_are_straight_lines_up_and_down() {
    let phase = Phase::new(Ramp::between(0.0, 0.5)).lasting(seconds(10));
    let program = Program::new([phase.scale(Ramp::between(100.0, 0.0))]).unwrap();
    let moment = |at| program.at(seconds(at));
    assert_eq!((moment(0).rate, moment(0).scale), (0.0, 100.0));
    assert_eq!((moment(5).rate, moment(5).scale), (0.25, 50.0));
    assert_eq!((moment(8).rate, moment(18).scale), (0.4, 20.0));
    assert_eq!(moment(10), moment(0));
    let latest = program.at(Duration::from_nanos(9_999_999_999));
    assert!(latest.rate < 0.5 && latest.rate > 0.499_999, "{latest:?}");
}

#[test]
fn no_moment_is_out_of_bounds() {
    let ramps = [
        (0.1, 0.3),
        (0.3, 0.1),
        (1.0, 1e-300),
        (0.0, 1.0),
        (0.7, 0.7),
    ];
    let phases = ramps.map(|(from, to)| {
        let phase = Phase::new(Ramp::between(from, to)).lasting(Duration::from_nanos(7));
        phase.scale(Ramp::between(100.0 * to, 100.0 * from))
    });
    let program = Program::new(phases).unwrap();
    for at in (0..70).chain(u64::MAX - 70..=u64::MAX) {
        let Intensity { rate, scale } = program.at(Duration::from_nanos(at));
        assert!((0.0..=1.0).contains(&rate) && (0.0..=100.0).contains(&scale));
    }
    let _ = program.at(Duration::MAX);
}

#[test]
fn a_program_knows_whether_it_fits_into_a_life() {
    let phase = constant(1.0).lasting(seconds(10));
    let again = Program::new([phase]).unwrap();
    assert!(!again.outlasts(seconds(10)));
    assert!(again.outlasts(seconds(9)));
    let lasts = Program::new([phase, constant(0.0)]).unwrap();
    assert!(!lasts.outlasts(seconds(11)));
    assert!(lasts.outlasts(seconds(10)));
}

#[test]
fn what_is_no_program_is_refused_by_field() {
    let year = seconds(365 * 24 * 60 * 60);
    let good = constant(0.5).lasting(seconds(1));
    let ramp = |from, to| Phase::new(Ramp::between(from, to));
    let scale = |scale| good.scale(scale);
    let cases = [
        (vec![], "program", PHASES_ALLOWED),
        (vec![good; 101], "program", PHASES_ALLOWED),
        (vec![good.lasting(year); 2], "program", PHASES_ALLOWED),
        (vec![good, constant(1.5)], "program[1].rate", RATE_ALLOWED),
        (vec![constant(-0.1)], "program[0].rate", RATE_ALLOWED),
        (vec![constant(f64::NAN)], "program[0].rate", RATE_ALLOWED),
        (
            vec![ramp(0.0, f64::INFINITY)],
            "program[0].rate",
            RATE_ALLOWED,
        ),
        (
            vec![scale(Ramp::constant(-1.0))],
            "program[0].scale",
            SCALE_ALLOWED,
        ),
        (
            vec![scale(Ramp::between(1.0, 100.5))],
            "program[0].scale",
            SCALE_ALLOWED,
        ),
        (
            vec![good, good, good.lasting(Duration::ZERO)],
            "program[2].for",
            TIME_ALLOWED,
        ),
        (
            vec![good.lasting(year + Duration::from_nanos(1))],
            "program[0].for",
            TIME_ALLOWED,
        ),
        (
            vec![good.lasting(Duration::MAX)],
            "program[0].for",
            TIME_ALLOWED,
        ),
        (vec![constant(1.0), good], "program[0].for", TIME_ALLOWED),
        (vec![ramp(0.0, 1.0)], "program[0].for", TIME_ALLOWED),
        (
            vec![constant(1.0).scale(Ramp::between(0.0, 1.0))],
            "program[0].for",
            TIME_ALLOWED,
        ),
    ];
    for (phases, field, allowed) in cases {
        let error = Program::new(phases.clone()).expect_err(&format!("{phases:?}"));
        assert_eq!((error.field(), error.allowed()), (field, allowed));
    }
    assert!(Program::new(vec![good; 100]).is_ok());
    assert!(Program::new([good.lasting(year)]).is_ok());
    // The iterator is endless, and only as much of it is read as is needed.
    assert!(Program::new(std::iter::repeat(good)).is_err());
}
