//! Rates are kept everywhere, by number and by key, and chances know nothing of each other. All seeds are
//! fixed, so nothing here can flake.

use std::time::Duration;

use chaos_core::{Call, Injector, Plan, Preview, Rule, Site, wire::rule_from_value};
use http::{HeaderMap, HeaderValue, Method, Uri};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::{Value, json};

const CALLS: u64 = 100_000;

/// What a sum of `n` squares of independent standard normal numbers (chi-square of `n` degrees of
/// freedom) is below, and above, with a probability of 0.001 each.
const BOUNDS: [(usize, f64, f64); 5] = [
    (1, 0.0, 10.828),
    (9, 1.152, 27.877),
    (10, 1.479, 29.588),
    (16, 3.942, 39.252),
    (20, 5.921, 45.315),
];

/// Neither too far from what was expected, nor too near.
fn assert_fair(chi_square: f64, degrees: usize, of: &str) {
    let bounds = BOUNDS.iter().find(|(known, ..)| *known == degrees);
    let (_, low, high) = bounds.unwrap();
    assert!(
        (*low..*high).contains(&chi_square),
        "{of}: {chi_square} of {degrees} degrees of freedom"
    );
}

/// Whether each bin is hit at `rate`: `(bin, hit)` for each draw.
fn assert_rate(draws: impl Iterator<Item = (usize, bool)>, bins: usize, rate: f64, of: &str) {
    let mut seen = vec![(0.0, 0.0); bins];
    for (bin, is_hit) in draws {
        seen[bin].0 += 1.0;
        seen[bin].1 += f64::from(u8::from(is_hit));
    }
    let squares = seen
        .iter()
        .map(|(calls, hits)| (hits - calls * rate).powi(2) / (calls * rate * (1.0 - rate)));
    assert_fair(squares.sum(), bins, &format!("{of} at {rate}"));
}

/// Whether two things happen independently, each call saying which of them did.
fn assert_independent(pairs: impl Iterator<Item = (bool, bool)>, of: &str) {
    let mut seen = [[0.0_f64; 2]; 2];
    for (first, second) in pairs {
        seen[usize::from(first)][usize::from(second)] += 1.0;
    }
    let [[a, b], [c, d]] = seen;
    let chi_square =
        (a + b + c + d) * (a * d - b * c).powi(2) / ((a + b) * (c + d) * (a + c) * (b + d));
    assert_fair(chi_square, 1, of);
}

fn rule(id: &str, trigger: &Value, fault: Value) -> Rule {
    let mut rule = trigger.clone();
    rule["site"] = "chances".into();
    rule["faults"] = json!([fault]);
    rule_from_value(rule, Some(id)).unwrap()
}

fn seeded(rate: f64, seed: u64) -> Rule {
    rule(
        "r",
        &json!({"rate": rate, "seed": seed}),
        json!({"error": "x"}),
    )
}

fn keyed(rate: f64, seed: u64) -> Rule {
    let trigger = json!({"key": "header:x-user", "rate": rate, "seed": seed});
    rule("r", &trigger, json!({"error": "x"}))
}

fn site_with(rule: Rule) -> (Injector, &'static Site) {
    let injector = Injector::new();
    injector.put(rule);
    let site = injector.site("chances");
    (injector, site)
}

/// As they would come from a database.
fn sequential() -> Vec<String> {
    (1..=CALLS).map(|n| format!("user-{n}")).collect()
}

/// As they would come from a generator of random UUIDs.
fn uuids() -> Vec<String> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
    let uuid = |_| {
        let (a, b) = (random.next_u64(), random.next_u64());
        let (high, middle) = (a >> 32, a >> 16 & 0xffff);
        let (version, variant) = (a & 0xfff, b >> 48 & 0x3fff | 0x8000);
        let low = b & 0xffff_ffff_ffff;
        format!("{high:08x}-{middle:04x}-4{version:03x}-{variant:04x}-{low:012x}")
    };
    (0..CALLS).map(uuid).collect()
}

const RATES: [f64; 3] = [0.01, 0.1, 0.5];
const SEEDS: [u64; 2] = [0, 42];

#[test]
fn by_number_in_each_twentieth_of_100_000_calls() {
    for rate in RATES {
        for seed in SEEDS {
            let (_injector, site) = site_with(seeded(rate, seed));
            let hits: Vec<bool> = (0..CALLS)
                .map(|_| site.decide(&Call::new()).is_some())
                .collect();
            let draws = hits.iter().enumerate();
            let draws = draws.map(|(n, hit)| (n / 5000, *hit));
            assert_rate(draws, 20, rate, &format!("calls, seed {seed}"));
            for apart in [1, 2, 10] {
                let pairs = hits.iter().copied().zip(hits[apart..].iter().copied());
                assert_independent(pairs, &format!("{apart} apart, rate {rate}, seed {seed}"));
            }
        }
    }
}

/// Of `keys`, each said to be in a bin.
fn assert_fair_by_key(keys: &[String], bins: usize, bin: impl Fn(usize, &str) -> usize, of: &str) {
    for rate in RATES {
        for seed in SEEDS {
            let rule = keyed(rate, seed);
            let preview = rule.preview().unwrap();
            let keys = keys.iter().enumerate();
            let draws = keys.map(|(n, key)| (bin(n, key), preview.hits_key(key)));
            assert_rate(draws, bins, rate, &format!("{of}, seed {seed}"));
        }
    }
}

#[test]
fn by_key() {
    assert_fair_by_key(&sequential(), 1, |_, _| 0, "users");
    assert_fair_by_key(&uuids(), 1, |_, _| 0, "uuids");
}

#[test]
fn all_over_the_keys_that_are_numbered() {
    assert_fair_by_key(&sequential(), 20, |n, _| n / 5000, "users in order");
    assert_fair_by_key(&sequential(), 10, |n, _| n % 10, "users by last digit");
    let rule = keyed(0.1, 42);
    let preview = rule.preview().unwrap();
    let hits: Vec<bool> = (sequential().iter())
        .map(|key| preview.hits_key(key))
        .collect();
    let neighbours = hits.iter().copied().zip(hits[1..].iter().copied());
    assert_independent(neighbours, "neighbours");
}

#[test]
fn all_over_the_keys_that_are_random() {
    let digit = |digit: char| digit.to_digit(16).unwrap() as usize;
    let first = |_, key: &str| digit(key.chars().next().unwrap());
    let last = |_, key: &str| digit(key.chars().next_back().unwrap());
    assert_fair_by_key(&uuids(), 16, first, "uuids by first digit");
    assert_fair_by_key(&uuids(), 16, last, "uuids by last digit");
}

/// Whoever tries many seeds, or many rules, gets the rate as well: for one call, and for one key.
#[test]
fn over_seeds_and_rules() {
    let by_key = |preview: Preview<'_>| preview.hits_key("user-1");
    let by_number = |preview: Preview<'_>| preview.hits_ordinal(0);
    let over_seeds = |make: fn(f64, u64) -> Rule, ask: fn(Preview<'_>) -> bool, of| {
        let draws = (0..20_000).map(|seed| {
            let rule = make(0.1, seed);
            (seed as usize / 1000, ask(rule.preview().unwrap()))
        });
        assert_rate(draws, 20, 0.1, of);
    };
    over_seeds(keyed, by_key, "a key over seeds");
    over_seeds(seeded, by_number, "a number over seeds");
    let over_rules = |trigger: Value, ask: fn(Preview<'_>) -> bool, of| {
        let draws = (0..20_000).map(|n| {
            let rule = rule(&format!("rule-{n}"), &trigger, json!({"error": "x"}));
            (n / 1000, ask(rule.preview().unwrap()))
        });
        assert_rate(draws, 20, 0.1, of);
    };
    over_rules(
        json!({"key": "peer", "rate": 0.1}),
        by_key,
        "a key over rules",
    );
    over_rules(
        json!({"seed": 1, "rate": 0.1}),
        by_number,
        "a number over rules",
    );
}

/// Whether a call is hit says nothing of how hard: of those that are, delays fill their range evenly.
#[test]
fn delays_of_the_hit_are_as_even_as_they_say() {
    let latency = || json!({"latency": "0ms..1000ms"});
    let by_number = json!({"rate": 0.1, "seed": 42});
    let by_key = json!({"rate": 0.1, "seed": 42, "key": "header:x-user"});
    for trigger in [by_number, by_key] {
        let (_injector, site) = site_with(rule("r", &trigger, latency()));
        let (uri, mut headers) = (Uri::from_static("/"), HeaderMap::new());
        let mut tenths = [0.0_f64; 10];
        for user in sequential() {
            headers.insert("x-user", HeaderValue::try_from(user).unwrap());
            let decision = site.decide(&Call::http(&Method::GET, &uri, &headers));
            let Some(mut decision) = decision else {
                continue;
            };
            let Some(Plan::Wait(wait)) = decision.next_plan() else {
                panic!("{decision:?}");
            };
            let tenth = wait.time().as_micros() / Duration::from_millis(100).as_micros();
            tenths[tenth.min(9) as usize] += 1.0;
        }
        let expected = tenths.iter().sum::<f64>() / 10.0;
        let squares = tenths
            .iter()
            .map(|seen| (seen - expected).powi(2) / expected);
        assert_fair(squares.sum(), 9, &trigger.to_string());
    }
}
