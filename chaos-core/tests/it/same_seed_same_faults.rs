//! With a seed, the n-th matched call of a rule decides the same way in every run.

use chaos_core::{Call, Fault, Injector, Latency, Plan, Rate, Rule, Trigger};
use std::time::Duration;

fn hits(rule: &str, seed: u64, calls: usize) -> Vec<bool> {
    let injector = Injector::new();
    let site = injector.site("seed.hits");
    let trigger = Trigger::new().rate(Rate::new(0.3).unwrap()).seed(seed);
    let rule = Rule::new(
        rule.parse().unwrap(),
        "seed.hits".parse().unwrap(),
        Fault::error("x"),
    );
    injector.put(rule.trigger(trigger));
    (0..calls)
        .map(|_| site.decide(&Call::new()).is_some())
        .collect()
}

#[test]
fn runs_agree_and_seeds_and_rules_differ() {
    assert_eq!(hits("a", 42, 1000), hits("a", 42, 1000));
    assert_ne!(hits("a", 42, 1000), hits("a", 43, 1000));
    assert_ne!(
        hits("a", 42, 1000),
        hits("b", 42, 1000),
        "rules do not fire in step"
    );
}

/// Written down once: another version, platform or optimisation must not decide otherwise.
#[test]
fn decisions_are_the_same_everywhere() {
    let first: Vec<usize> = (0..40).filter(|n| hits("a", 42, 40)[*n]).collect();
    assert_eq!(first, [7, 12, 18, 19, 20, 23, 27, 28, 29, 33, 36, 39]);
}

#[test]
fn rates_are_kept() {
    // The seeds are fixed, so this cannot flake. Four standard deviations of 20,000 draws.
    for seed in [1, 2, 3] {
        let hits = hits("a", seed, 20_000).iter().filter(|hit| **hit).count();
        assert!(
            hits.abs_diff(6_000) < 260,
            "{hits} of 20000 at a rate of 0.3"
        );
    }
}

#[test]
fn delays_repeat_and_fill_their_range() {
    let delays = || {
        let injector = Injector::new();
        let site = injector.site("seed.delays");
        let ms = Duration::from_millis;
        let fault = Fault::latency(Latency::uniform(ms(200), ms(500)).unwrap());
        let rule = Rule::new("r".parse().unwrap(), "seed.delays".parse().unwrap(), fault);
        injector.put(rule.trigger(Trigger::new().seed(7)));
        let delay = || match site.decide(&Call::new()).unwrap().next_plan() {
            Some(Plan::Wait(wait)) => wait.time().as_secs_f64(),
            other => panic!("{other:?}"),
        };
        (0..10_000).map(|_| delay()).collect::<Vec<_>>()
    };
    let drawn = delays();
    assert_eq!(drawn, delays());
    assert!(drawn.iter().all(|delay| (0.2..=0.5).contains(delay)));
    let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
    assert!((mean - 0.35).abs() < 0.004, "mean {mean}");
    for tenth in 0..10 {
        let low = 0.2 + 0.03 * f64::from(tenth);
        let inside = drawn
            .iter()
            .filter(|d| (low..low + 0.03).contains(*d))
            .count();
        assert!(
            inside.abs_diff(1000) < 120,
            "{inside} in the tenth from {low}"
        );
    }
}

#[test]
fn without_a_seed_threads_draw_at_the_rate() {
    let injector = Injector::new();
    let site = injector.site("seed.none");
    let trigger = Trigger::new().rate(Rate::new(0.5).unwrap());
    let rule = Rule::new(
        "r".parse().unwrap(),
        "seed.none".parse().unwrap(),
        Fault::error("x"),
    );
    injector.put(rule.trigger(trigger));
    let hits: usize = std::thread::scope(|scope| {
        let count = || {
            (0..10_000)
                .filter(|_| site.decide(&Call::new()).is_some())
                .count()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    // Ten standard deviations: not in the lifetime of this project.
    assert!(hits.abs_diff(20_000) < 1_000, "{hits} of 40000");
}
