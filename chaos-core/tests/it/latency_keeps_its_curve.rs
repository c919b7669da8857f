//! A delay is drawn from the distribution that the rule names: what is told of it has its quantiles.
//!
//! Every seed is fixed, so none of this can flake.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use chaos_core::{Call, Fault, Injector, Latency, Rule, RuleError, Trigger};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What observers are told of so many calls, in the order of the calls.
fn delays(latency: &Latency, seed: u64, calls: usize) -> Vec<Duration> {
    let injector = Injector::new();
    let site = injector.site("latency.curve");
    let told = Arc::new(Mutex::new(Vec::with_capacity(calls)));
    let tell = Arc::clone(&told);
    injector.observe(move |injection| tell.lock().unwrap().push(injection.delay));
    let fault = Fault::latency(latency.clone());
    let rule = Rule::new(
        "r".parse().unwrap(),
        "latency.curve".parse().unwrap(),
        fault,
    );
    injector.put(rule.trigger(Trigger::new().seed(seed)));
    for _ in 0..calls {
        // Handed out, told of, and not waited for.
        site.decide(&Call::new()).unwrap().next_plan().unwrap();
    }
    let told = std::mem::take(&mut *told.lock().unwrap());
    assert_eq!(told.len(), calls);
    told
}

/// That the drawn quantiles are the named ones, within a share of each: about four standard
/// deviations of what so many draws give there.
fn keeps(latency: Result<Latency, RuleError>, calls: usize, quantiles: &[(f64, Duration, f64)]) {
    let latency = latency.unwrap();
    for seed in [1, 2] {
        let mut drawn = delays(&latency, seed, calls);
        drawn.sort_unstable();
        for &(share, named, tolerance) in quantiles {
            let met = drawn[(share * calls as f64) as usize].as_secs_f64();
            let error = met / named.as_secs_f64() - 1.0;
            assert!(
                error.abs() <= tolerance,
                "{share}: {met} s drawn, {named:?} named, off by {error}, seed {seed}"
            );
        }
    }
}

#[test]
fn two_quantiles_are_met_and_the_rest_is_log_normal() {
    let curve = Latency::quantiles(&[(0.5, ms(20)), (0.99, ms(800))]);
    // Between: as far below the middle as the 99th is above, and half as far above it.
    let quantiles = [
        (0.01, Duration::from_micros(500), 0.2),
        (0.5, ms(20), 0.06),
        (0.877_627, Duration::from_micros(126_491), 0.08),
        (0.99, ms(800), 0.2),
    ];
    keeps(curve, 20_000, &quantiles);
}

#[test]
fn four_quantiles_are_met_though_no_one_line_meets_them() {
    let points = [
        (0.5, ms(12)),
        (0.9, ms(15)),
        (0.99, ms(400)),
        (0.999, ms(450)),
    ];
    let quantiles = [
        (0.5, ms(12), 0.005),
        (0.9, ms(15), 0.05),
        (0.99, ms(400), 0.05),
        (0.999, ms(450), 0.02),
    ];
    keeps(Latency::quantiles(&points), 100_000, &quantiles);
}

#[test]
fn equal_delays_at_two_quantiles_make_a_step() {
    let points = [(0.25, ms(10)), (0.75, ms(10)), (0.9, ms(50))];
    let latency = Latency::quantiles(&points).unwrap();
    let drawn = delays(&latency, 3, 20_000);
    // The line through the first two is level, and goes on below them.
    let level = drawn.iter().filter(|delay| **delay == ms(10)).count();
    assert!(level.abs_diff(15_000) < 250, "{level} of 20000 at 0.75");
    assert!(drawn.iter().all(|delay| *delay >= ms(10)));
}

#[test]
fn a_normal_delay_is_met_and_never_below_nothing() {
    let quantiles = [
        (0.158_655, ms(80), 0.02),
        (0.5, ms(100), 0.02),
        (0.841_345, ms(120), 0.02),
        (0.977_25, ms(140), 0.02),
    ];
    keeps(Latency::normal(ms(100), ms(20)), 20_000, &quantiles);

    let half_below = Latency::normal(Duration::ZERO, ms(20)).unwrap();
    let drawn = delays(&half_below, 4, 20_000);
    let nothing = drawn.iter().filter(|delay| delay.is_zero()).count();
    assert!(nothing.abs_diff(10_000) < 290, "{nothing} of 20000 at 0.5");
    let always = Latency::normal(ms(7), Duration::ZERO).unwrap();
    assert_eq!(delays(&always, 5, 10), [ms(7); 10]);
}

#[test]
fn a_pareto_delay_has_its_tail() {
    let alpha = 1.5_f64;
    let of = |share: f64| ms(10).mul_f64((1.0 - share).powf(-1.0 / alpha));
    let quantiles = [0.1, 0.5, 0.9, 0.99].map(|share| {
        // A tail: the rarer, the less sure.
        let tolerance = 4.0 / alpha * (share / (1.0 - share) / 20_000.0_f64).sqrt();
        (share, of(share), tolerance)
    });
    keeps(Latency::pareto(ms(10), alpha), 20_000, &quantiles);
    let drawn = delays(&Latency::pareto(ms(10), alpha).unwrap(), 6, 20_000);
    assert!(drawn.iter().all(|delay| *delay >= ms(10)));
}

#[test]
fn a_uniform_delay_is_level() {
    let of = |share: f64| ms(200) + ms(300).mul_f64(share);
    let quantiles = [0.01, 0.25, 0.5, 0.75, 0.99].map(|share| (share, of(share), 0.015));
    keeps(Latency::uniform(ms(200), ms(500)), 20_000, &quantiles);
}

#[test]
fn no_delay_is_longer_than_a_day() {
    for latency in [
        Latency::pareto(ms(10), 1e-300),
        Latency::pareto(DAY, 0.1),
        Latency::normal(DAY, DAY),
        Latency::quantiles(&[(0.5, Duration::from_nanos(1)), (0.500_01, DAY)]),
    ] {
        let drawn = delays(&latency.unwrap(), 7, 1_000);
        assert!(drawn.iter().all(|delay| *delay <= DAY));
        assert!(drawn.contains(&DAY), "the cap was never asked");
    }
}

/// A curve has no upper end, so one delay in ten thousand outlasted the caller's timeout.
#[test]
fn no_delay_is_longer_than_its_max_and_the_curve_below_it_stays() {
    for (latency, max) in [
        (Latency::pareto(ms(10), 1.5), ms(30)),
        (Latency::pareto(ms(10), 1.5), ms(10)),
        (Latency::normal(ms(100), ms(20)), ms(110)),
        (Latency::normal(ms(100), ms(20)), ms(100)),
        (Latency::quantiles(&[(0.5, ms(20)), (0.9, ms(50))]), ms(50)),
        // No binary fraction, and one that no sum of them meets.
        (
            Latency::pareto(ms(10), 0.1),
            Duration::new(86_399, 999_999_999),
        ),
    ] {
        let latency = latency.unwrap();
        let whole = delays(&latency, 10, 2_000);
        let bounded = latency.at_most(max).unwrap();
        let expected: Vec<_> = whole.iter().map(|delay| *delay.min(&max)).collect();
        assert_ne!(whole, expected, "{max:?} was never asked");
        assert_eq!(delays(&bounded, 10, 2_000), expected, "{max:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_delays() {
    for latency in [
        Latency::quantiles(&[(0.5, ms(20)), (0.9, ms(50)), (0.99, ms(800))]),
        Latency::normal(ms(100), ms(20)),
        Latency::pareto(ms(10), 1.5),
        Latency::uniform(ms(200), ms(500)),
    ] {
        let latency = latency.unwrap();
        assert_eq!(delays(&latency, 8, 1_000), delays(&latency, 8, 1_000));
        assert_ne!(delays(&latency, 8, 1_000), delays(&latency, 9, 1_000));
    }
}

/// Written down once: another version or platform must not draw otherwise. In microseconds, as
/// logarithms may differ in their last bit.
#[test]
fn delays_are_the_same_everywhere() {
    let micros = |latency: Result<Latency, RuleError>| {
        let drawn = delays(&latency.unwrap(), 42, 4);
        let rounded = drawn
            .iter()
            .map(|delay| (delay.as_secs_f64() * 1e6).round());
        rounded.map(|micros| micros as u64).collect::<Vec<_>>()
    };
    let quantiles = [(0.5, ms(20)), (0.9, ms(50)), (0.99, ms(800))];
    assert_eq!(
        micros(Latency::quantiles(&quantiles)),
        [415475, 46536, 15964, 42259]
    );
    assert_eq!(
        micros(Latency::normal(ms(100), ms(20))),
        [141589, 123622, 93695, 120926]
    );
    assert_eq!(
        micros(Latency::pareto(ms(10), 1.5)),
        [11258, 10266, 18980, 11484]
    );
    assert_eq!(
        micros(Latency::uniform(ms(200), ms(500))),
        [451156, 488413, 314734, 443758]
    );
}

#[test]
fn bad_parameters_are_refused_with_what_is_allowed() {
    let long = DAY + ms(1);
    let two = |low, high| Latency::quantiles(&[low, high]);
    let at_most = |latency: Result<Latency, RuleError>, max| latency.unwrap().at_most(max);
    let many: Vec<_> = (1..=17_u32)
        .map(|n| (f64::from(n) / 18.0, ms(n.into())))
        .collect();
    for (latency, problem, allowed) in [
        (Latency::quantiles(&[]), "too few", "2 to 16"),
        (Latency::quantiles(&[(0.5, ms(1))]), "too few", "2 to 16"),
        (Latency::quantiles(&many), "too many", "2 to 16"),
        (
            two((0.0, ms(1)), (0.5, ms(2))),
            "0 is not a quantile",
            "above 0",
        ),
        (
            two((0.5, ms(1)), (1.0, ms(2))),
            "1 is not a quantile",
            "below 1",
        ),
        (
            two((0.5, ms(1)), (99.0, ms(2))),
            "99 is not a quantile",
            "below 1",
        ),
        (
            two((f64::NAN, ms(1)), (0.5, ms(2))),
            "NaN is not a quantile",
            "above 0",
        ),
        (
            two((0.9, ms(1)), (0.5, ms(2))),
            "0.5 comes after 0.9",
            "low to high",
        ),
        (
            two((0.5, ms(1)), (0.5, ms(2))),
            "0.5 comes after 0.5",
            "each once",
        ),
        (
            two((0.925, ms(1)), (0.925_000_000_1, ms(2))),
            "too close",
            "apart",
        ),
        (
            two((0.5, ms(2)), (0.9, ms(1))),
            "2ms at 0.5 is above 1ms at 0.9",
            "do not fall",
        ),
        (
            two((0.5, ms(0)), (0.9, ms(1))),
            "0s at the quantile 0.5",
            "more than 0s",
        ),
        (two((0.5, ms(1)), (0.9, long)), "too long", "24h"),
        (Latency::normal(long, ms(1)), "too long", "24h"),
        (Latency::normal(ms(1), long), "too long", "24h"),
        (Latency::pareto(ms(0), 1.5), "min of 0s", "more than 0s"),
        (Latency::pareto(long, 1.5), "too long", "24h"),
        (Latency::pareto(ms(1), 0.0), "alpha of 0", "above 0"),
        (Latency::pareto(ms(1), -1.0), "alpha of -1", "above 0"),
        (Latency::pareto(ms(1), f64::NAN), "alpha of NaN", "above 0"),
        (
            Latency::pareto(ms(1), f64::INFINITY),
            "alpha of inf",
            "above 0",
        ),
        (Latency::uniform(ms(2), ms(1)), "above", "low to high"),
        (Latency::fixed(long), "too long", "24h"),
        (
            at_most(Latency::pareto(ms(2), 1.5), ms(1)),
            "1ms over 2ms",
            "max",
        ),
        (
            at_most(Latency::normal(ms(2), ms(9)), ms(1)),
            "1ms over 2ms",
            "mean",
        ),
        (
            at_most(Latency::normal(ms(0), ms(9)), ms(0)),
            "max of 0",
            "more than 0s",
        ),
        (
            at_most(two((0.5, ms(1)), (0.9, ms(2))), ms(1)),
            "1ms over 2ms",
            "quantile",
        ),
        (
            at_most(Latency::pareto(ms(2), 1.5), long),
            "too long",
            "24h",
        ),
        (
            at_most(Latency::fixed(ms(2)), ms(3)),
            "has an upper end",
            "pareto",
        ),
        (
            at_most(Latency::uniform(ms(1), ms(2)), ms(3)),
            "has an upper end",
            "pareto",
        ),
    ] {
        let error = latency.unwrap_err();
        assert_eq!(error.field(), "latency", "{error}");
        assert!(error.problem().contains(problem), "{error}: no {problem:?}");
        assert!(error.allowed().contains(allowed), "{error}: no {allowed:?}");
    }
    let sixteen = Latency::quantiles(&many[..16]);
    assert!(sixteen.is_ok());
}
