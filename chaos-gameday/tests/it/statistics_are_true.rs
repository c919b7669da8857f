//! What is said of differences is true as often as it should be, tried with rates that are known.

use std::time::Duration;

use chaos_gameday::{
    Difference, EProcess, Finding, Group, KeyGroup, Method, error_ratio_difference,
    error_ratio_difference_by_keys, quantile_difference,
};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::support::{HIT, RUNS, SECONDS, SPARED, counted, failing};

#[test]
fn the_interval_covers_the_truth() {
    for (hit, spared) in [(0.01, 0.01), (0.1, 0.01), (0.5, 0.2)] {
        let covers = |seed: &u64| {
            let mut dice = Xoshiro256PlusPlus::seed_from_u64(*seed);
            let calls = u64::from(SECONDS);
            let of_hit = failing(HIT * calls, hit, &mut dice);
            let of_spared = failing(SPARED * calls, spared, &mut dice);
            covers(
                error_ratio_difference(&of_hit, &of_spared).unwrap(),
                hit - spared,
            )
        };
        let covered = (0..RUNS).filter(covers).count();
        println!("{hit} against {spared}: {covered} of {RUNS} covered");
        assert!(
            (930..=980).contains(&covered),
            "{covered} at {hit} against {spared}"
        );
    }
}

fn covers(difference: Difference, truth: f64) -> bool {
    (difference.lower..=difference.upper).contains(&truth)
}

/// Fifty calls a key that fail together, in 64 groups by the key's hash.
fn keyed(hit: f64, spared: f64, keys: [u64; 2], seed: u64) -> Vec<KeyGroup> {
    let mut dice = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut groups = vec![KeyGroup::default(); 64];
    for (is_hit, ratio, keys) in [(true, hit, keys[0]), (false, spared, keys[1])] {
        for _ in 0..keys {
            let failed = if dice.random_bool(ratio) { 50 } else { 0 };
            let group = &mut groups[dice.random_range(0..64)];
            let group = if is_hit {
                &mut group.hit
            } else {
                &mut group.spared
            };
            group.add(&Group::of(50, failed));
        }
    }
    groups
}

#[test]
fn the_interval_by_keys_covers_the_truth() {
    for (hit, spared, keys) in [
        (0.1, 0.1, [60, 1140]),
        (0.2, 0.1, [60, 1140]),
        (0.1, 0.01, [120, 2280]),
        (0.05, 0.05, [600, 600]),
        (0.01, 0.01, [60, 1140]),
        (0.05, 0.01, [60, 1140]),
        // 10 calls hit and 190 spared a second, for a minute.
        (0.1, 0.01, [12, 228]),
        (0.1, 0.1, [12, 228]),
        (0.3, 0.1, [12, 228]),
    ] {
        let count = |by: &dyn Fn(&[KeyGroup]) -> Difference| {
            let groups = |seed| keyed(hit, spared, keys, seed);
            (0..RUNS)
                .filter(|seed| covers(by(&groups(*seed)), hit - spared))
                .count()
        };
        let by_keys = count(&|groups| {
            let found = error_ratio_difference_by_keys(groups).unwrap();
            assert_eq!(found.method, Method::KeyGroups);
            found
        });
        let by_calls = count(&|groups| {
            let (mut hit, mut spared) = (Group::default(), Group::default());
            for group in groups {
                hit.add(&group.hit);
                spared.add(&group.spared);
            }
            error_ratio_difference(&hit, &spared).unwrap()
        });
        println!("{hit} against {spared}, {keys:?} keys: {by_keys} by keys, {by_calls} by calls");
        // Student's t of so few groups is wider than it need be.
        let most = if keys[0] < 20 { 985 } else { 980 };
        assert!(
            (930..=most).contains(&by_keys),
            "{by_keys} at {hit} against {spared}"
        );
        assert!(by_calls < 500, "{by_calls}");
    }
}

/// The values of Newcombe (1998), table II, method 10.
#[test]
fn newcombes_own_examples_come_out() {
    for (hit, spared, lower, upper) in [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ] {
        let group = |(failed, calls)| Group::of(calls, failed);
        let found = error_ratio_difference(&group(hit), &group(spared)).unwrap();
        assert!(
            (found.lower - lower).abs() < 1e-4,
            "{hit:?} {spared:?}: {found:?}"
        );
        assert!(
            (found.upper - upper).abs() < 1e-4,
            "{hit:?} {spared:?}: {found:?}"
        );
    }
    assert_eq!(
        error_ratio_difference(&Group::of(0, 0), &Group::of(9, 1)),
        None
    );
    assert_eq!(error_ratio_difference_by_keys(&[]), None);
}

/// The evidence of one user, or of four, proves nothing.
#[test]
fn few_keys_do_not_decide() {
    let groups = |hit: usize, failed| -> Vec<KeyGroup> {
        let group = |at| KeyGroup {
            hit: match at < hit {
                true => Group::of(1000, failed),
                false => Group::default(),
            },
            spared: Group::of(1000, 10),
        };
        (0..64).map(group).collect()
    };
    for failed in [0, 200] {
        for hit in 1..5 {
            assert_eq!(error_ratio_difference_by_keys(&groups(hit, failed)), None);
        }
        assert!(error_ratio_difference_by_keys(&groups(5, failed)).is_some());
        let mut swapped = groups(4, failed);
        for group in &mut swapped {
            std::mem::swap(&mut group.hit, &mut group.spared);
        }
        assert_eq!(error_ratio_difference_by_keys(&swapped), None);
    }
}

/// No hit call failed, so how the calls that are hit depend on each other is not known, whatever the spared ones do.
#[test]
fn one_more_spared_failure_does_not_decide() {
    for failed in 0..10 {
        let mut groups = vec![
            KeyGroup {
                hit: Group::default(),
                spared: Group::of(50, 0),
            };
            64
        ];
        for (at, group) in groups.iter_mut().enumerate() {
            group.hit.calls = if at < 10 { 50 } else { 0 };
            group.spared.failed = u64::from(at < failed);
        }
        let found = error_ratio_difference_by_keys(&groups).unwrap();
        let says = found.against(0.01);
        assert_eq!(says, Finding::Undecided, "{failed}: {found:?}");
    }
}

/// Keys that are hit fail as a whole, calls that are spared fail each for itself: what a fault does.
#[test]
fn the_interval_covers_the_truth_if_only_hit_calls_fail_by_key() {
    for keys in [60, 120] {
        let covered = |seed: &u64| {
            let mut groups = keyed(0.1, 0.0, [keys, 0], *seed);
            let mut dice = Xoshiro256PlusPlus::seed_from_u64(!*seed);
            for group in &mut groups {
                group.spared = failing(900, 0.01, &mut dice);
            }
            covers(error_ratio_difference_by_keys(&groups).unwrap(), 0.09)
        };
        let covered = (0..RUNS).filter(covered).count();
        println!("{keys} hit keys: {covered} of {RUNS} covered");
        assert!((930..=980).contains(&covered), "{covered} of {keys} keys");
    }
}

#[test]
fn quantiles_cover_the_truth() {
    for (quantile, calls) in [(0.5, 200), (0.9, 500), (0.99, 3000)] {
        let covered = |seed: &u64| {
            let mut dice = Xoshiro256PlusPlus::seed_from_u64(*seed);
            let latencies =
                (0..calls).map(|_| Duration::from_nanos(dice.random_range(0..1_000_000)));
            let group = counted(latencies);
            let found = group.quantile(quantile).unwrap();
            let truth = (quantile * 1e6) as u64;
            found.lower.is_some_and(|it| it <= truth) && found.upper.is_some_and(|it| it >= truth)
        };
        let covered = (0..RUNS).filter(covered).count();
        println!("quantile {quantile} of {calls}: {covered} of {RUNS} covered");
        // A bucket is wider than the spread by chance, so the interval may cover the truth more often than 95 %.
        assert!(covered >= 930, "{covered}");
    }
}

/// A bucket is 6.25 % wide: what is in one is not told apart, and what is in two is not told from a smaller difference.
#[test]
fn latencies_in_one_bucket_do_not_decide() {
    let calls = |micros| counted([Duration::from_micros(micros); 100]);
    for (hit, spared, allowed) in [
        // The interval once was from 0 to 0, so this held.
        (318_000, 303_000, 5),
        (318_000, 303_000, 12),
        // The interval once was from 16.8 to 16.8 ms, so this did not hold.
        (302_000, 301_900, 10),
    ] {
        let found = quantile_difference(&calls(hit), &calls(spared), 0.5).unwrap();
        let truth = (hit as f64 - spared as f64) * 1e3;
        assert!(covers(found, truth), "{found:?}");
        let bound = f64::from(allowed) * 1e6;
        assert_eq!(found.against(bound), Finding::Undecided, "{found:?}");
    }
    let found = quantile_difference(&calls(318_000), &calls(250_000), 0.5).unwrap();
    assert_eq!(found.against(50e6), Finding::DoesNotHold);
    assert_eq!(found.against(90e6), Finding::Holds);
}

#[test]
fn too_few_calls_do_not_decide() {
    let group = |bounds: &[(u64, u64)]| Group {
        calls: bounds.iter().map(|it| it.1).sum(),
        failed: 0,
        latencies: bounds.to_vec(),
    };
    let few = group(&[(1_000_000, 20)]);
    let found = few.quantile(0.99).unwrap();
    assert_eq!((found.at_most, found.upper), (1_000_000, None));
    let difference = quantile_difference(&few, &few, 0.99).unwrap();
    assert_eq!(difference.against(1e9), Finding::Undecided);
    let json = serde_json::to_string(&difference).unwrap();
    assert_eq!(
        serde_json::from_str::<Difference>(&json).unwrap(),
        difference
    );
    assert_eq!(group(&[]).quantile(0.5), None);
    assert_eq!(few.quantile(1.0), None);
}

/// statrs 0.18 panicked for some small numbers.
#[test]
fn any_number_of_calls_has_quantiles() {
    for calls in (1..300).chain([10_000, 1 << 40]) {
        for quantile in [0.001, 0.5, 0.9, 0.95, 0.99, 0.999] {
            let group = Group {
                latencies: vec![(7, calls)],
                ..Group::of(calls, 0)
            };
            let found = group.quantile(quantile).unwrap();
            assert_eq!((found.at_least, found.at_most), (0, 7));
            // Not even the greatest of so few is known to be beyond the quantile.
            let is_known = 1.0 - quantile.powf(calls as f64) >= 0.975;
            assert_eq!(found.upper.is_some(), is_known, "{quantile} of {calls}");
        }
    }
}

#[test]
fn counts_are_added_and_taken_apart() {
    let first = Group {
        calls: 3,
        failed: 1,
        latencies: vec![(10, 2), (20, 1)],
    };
    let more = Group {
        calls: 2,
        failed: 1,
        latencies: vec![(15, 1), (20, 1)],
    };
    let mut both = first.clone();
    both.add(&more);
    assert_eq!(both.latencies, [(10, 2), (15, 1), (20, 2)]);
    assert_eq!(both.since(&first), more);
    // Counts that began anew are not negative.
    assert_eq!(more.since(&both), more);
}

/// Counts are read while they grow: a call that has failed may be read before it is counted as a call.
#[test]
fn more_failures_than_calls_are_no_panic() {
    let torn = Group::of(10, 11);
    let found = error_ratio_difference(&torn, &Group::of(10, 0)).unwrap();
    assert!((found.estimate - 1.0).abs() < 1e-9, "{found:?}");
    let mut process = EProcess::new(0.1);
    process.add(&torn, &torn);
    assert!(process.value().is_finite());
}
