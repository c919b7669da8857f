//! A run is stopped soon if calls that are hit fare worse, and seldom if they do not.

use chaos_gameday::{EProcess, Group, KeyGroup, design_effect};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::support::{HIT, RUNS, SECONDS, SPARED, failing};

/// The second in which each run was stopped.
fn stopped(hit: f64, spared: f64, allowed: f64) -> Vec<Option<u32>> {
    let run = |seed| {
        let mut dice = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut test = EProcess::new(allowed);
        (1..=SECONDS).find(|_| {
            test.add(
                &failing(HIT, hit, &mut dice),
                &failing(SPARED, spared, &mut dice),
            );
            test.stops()
        })
    };
    (0..RUNS).map(run).collect()
}

fn within(stopped: &[Option<u32>], second: u32) -> usize {
    let stopped = stopped.iter().flatten();
    stopped.filter(|at| **at <= second).count()
}

/// Nothing is wrong, and one looks each second.
#[test]
fn runs_without_a_difference_are_not_stopped() {
    for (hit, spared, allowed) in [
        (0.01, 0.01, 0.0),
        (0.01, 0.01, 0.02),
        (0.03, 0.01, 0.02),
        (0.5, 0.5, 0.0),
        (0.0, 0.0, 0.0),
        (0.0, 0.3, 0.0),
    ] {
        let stopped = within(&stopped(hit, spared, allowed), SECONDS);
        println!("{hit} against {spared}, {allowed} allowed: {stopped} of {RUNS} stopped");
        assert!(
            stopped <= 50,
            "{stopped} at {hit} against {spared}, {allowed} allowed"
        );
    }
}

#[test]
fn runs_with_a_difference_are_stopped_soon() {
    let all = stopped(0.1, 0.01, 0.0);
    for second in 1..10 {
        println!("within {second} s: {}", within(&all, second));
    }
    assert!(within(&all, 6) >= 500, "{}", within(&all, 6));
    assert_eq!(within(&all, SECONDS), RUNS as usize);
    let allowing = stopped(0.1, 0.01, 0.02);
    let half = (1..=SECONDS).find(|at| within(&allowing, *at) >= 500);
    println!("0.02 allowed: half within {half:?} s");
    assert!(
        within(&allowing, SECONDS) >= 990,
        "{}",
        within(&allowing, SECONDS)
    );
}

/// Calls of a key are hit or spared together, and fail together, within one second.
#[test]
fn keys_do_not_stop_runs_without_a_difference() {
    let stops = |seed, together| {
        let mut dice = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut test = EProcess::new(0.0);
        test.set_calls_together(together);
        (0..SECONDS).any(|_| {
            let [hit, spared] = [50, 950].map(|calls| {
                let keys = failing(calls / 50, 0.05, &mut dice);
                Group::of(calls, keys.failed * 50)
            });
            test.add(&hit, &spared);
            test.stops()
        })
    };
    let stopped = |together| (0..RUNS).filter(|seed| stops(*seed, together)).count();
    assert!(stopped(50.0) <= 50, "{}", stopped(50.0));
    // Taken for independent, they would.
    assert!(stopped(1.0) > 200, "{}", stopped(1.0));
}

/// Each key has a call in each second, and fails in all of them or in none. How many fail together is estimated meanwhile.
#[test]
fn keys_of_many_seconds_do_not_stop_runs_without_a_difference() {
    let stops = |seed: &u64| {
        let mut dice = Xoshiro256PlusPlus::seed_from_u64(*seed);
        let second: Vec<_> = (0..64)
            .map(|_| KeyGroup {
                hit: failing(1, 0.1, &mut dice),
                spared: failing(18, 0.1, &mut dice),
            })
            .collect();
        let (mut groups, mut all) = (second.clone(), KeyGroup::default());
        for group in &second {
            all.hit.add(&group.hit);
            all.spared.add(&group.spared);
        }
        let mut test = EProcess::new(0.0);
        (0..SECONDS).any(|_| {
            test.add(&all.hit, &all.spared);
            test.set_calls_together(design_effect(&groups).unwrap());
            for (group, second) in groups.iter_mut().zip(&second) {
                group.hit.add(&second.hit);
                group.spared.add(&second.spared);
            }
            test.stops()
        })
    };
    let stopped = (0..RUNS).filter(stops).count();
    println!("{stopped} of {RUNS} stopped");
    assert!(stopped <= 50, "{stopped}");
}

/// One call a second is either hit or spared. No second has both.
#[test]
fn one_call_a_second_is_heard() {
    let run = |seed, hit: f64, spared: f64| {
        let mut dice = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut test = EProcess::new(0.0);
        (1..=SECONDS).find(|_| {
            match dice.random_bool(0.5) {
                true => test.add(&failing(1, hit, &mut dice), &Group::default()),
                false => test.add(&Group::default(), &failing(1, spared, &mut dice)),
            }
            test.stops()
        })
    };
    let all: Vec<_> = (0..RUNS).map(|seed| run(seed, 1.0, 0.0)).collect();
    println!("within 15 s: {}", within(&all, 15));
    assert_eq!(within(&all, SECONDS), RUNS as usize);
    for ratio in [0.01, 0.2, 0.5] {
        let none: Vec<_> = (0..RUNS).map(|seed| run(seed, ratio, ratio)).collect();
        let stopped = within(&none, SECONDS);
        println!("{ratio} of both: {stopped} of {RUNS} stopped");
        assert!(stopped <= 50, "{stopped} at {ratio}");
    }
}

/// Infinity would be no number in the journal of the run that it stops.
#[test]
fn evidence_is_finite() {
    let mut test = EProcess::new(0.0);
    for _ in 0..100 {
        test.add(&Group::of(200, 200), &Group::of(3800, 0));
    }
    assert_eq!(test.value(), f64::MAX);
    assert!(test.stops());
    // What is learnt of keys counts for the calls before, too.
    test.set_calls_together(1e6);
    assert!(test.value() < 2.0, "{}", test.value());
}
