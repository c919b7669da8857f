//! `first_attempts` fails exactly the first n tries of each logical request, whoever else tries meanwhile.

use std::{collections::HashMap, sync::Barrier, thread, time::Duration};

use chaos_core::{
    Call, Decision, Injector, Label, Rate, Rule, Site, Trigger,
    testing::ManualClock,
    trigger::FirstAttempts,
    wire::{rule_from_value, rule_to_value},
};
use rand::{SeedableRng, seq::SliceRandom};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::{Value, json};

const REQUESTS: usize = 200;

fn rule(mut trigger: Value) -> Rule {
    trigger["site"] = "tries".into();
    trigger["ttl"] = "never".into();
    trigger["faults"] = json!([{"error": "try again"}]);
    rule_from_value(trigger, Some("r")).unwrap()
}

fn first(n: u32) -> Value {
    json!({"first_attempts": {"n": n, "key": "label:request"}})
}

fn with(rule: Rule) -> (Injector, &'static Site) {
    let injector = Injector::new();
    injector.put(rule);
    let site = injector.site("tries");
    (injector, site)
}

fn decide(site: &Site, request: &str) -> Option<Decision> {
    let labels: [Label<'_>; 1] = [("request", request.into())];
    site.decide(&Call::new().labels(&labels))
}

/// Whether a try fails.
fn fails(site: &Site, request: &str) -> bool {
    decide(site, request).is_some_and(|mut decision| decision.next_plan().is_some())
}

#[test]
fn the_third_try_of_200_concurrent_requests_succeeds() {
    let (injector, site) = with(rule(first(2)));
    let at_once = Barrier::new(REQUESTS);
    thread::scope(|scope| {
        for request in 0..REQUESTS {
            let at_once = &at_once;
            scope.spawn(move || {
                let request = format!("request-{request}");
                let tries = [(); 3].map(|()| {
                    at_once.wait();
                    fails(site, &request)
                });
                assert_eq!(tries, [true, true, false], "{request}");
            });
        }
    });
    let counts = injector.counts("r").unwrap();
    assert_eq!((counts.matched, counts.injected), (600, 400));
    assert_eq!((counts.active, counts.evicted), (0, 0));
}

/// Tries of one request may be under way at the same time: still two of them fail.
#[test]
fn two_tries_fail_however_they_are_interleaved() {
    for seed in 0..5 {
        let (injector, site) = with(rule(first(2)));
        let mut tries: Vec<usize> = (0..REQUESTS * 3).map(|n| n % REQUESTS).collect();
        tries.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(seed));
        let mut failed = HashMap::<usize, u32>::new();
        thread::scope(|scope| {
            let threads = tries.chunks(REQUESTS * 3 / 8).map(|tries| {
                scope.spawn(|| {
                    let fails = |n: &&usize| fails(site, &n.to_string());
                    tries.iter().filter(fails).collect::<Vec<_>>()
                })
            });
            for thread in threads.collect::<Vec<_>>() {
                for request in thread.join().unwrap() {
                    *failed.entry(*request).or_default() += 1;
                }
            }
        });
        assert_eq!(failed.len(), REQUESTS);
        assert!(failed.values().all(|failed| *failed == 2), "{failed:?}");
        assert_eq!(injector.counts("r").unwrap().injected, 400);
    }
}

#[test]
fn a_try_that_never_began_is_given_back() {
    let (injector, site) = with(rule(first(2)));
    let given_up = decide(site, "a").unwrap();
    let begun = decide(site, "a").unwrap();
    assert!(decide(site, "a").is_none(), "both are taken");
    drop(given_up);
    assert!(fails(site, "a"));
    assert!(!fails(site, "a"));
    // That of one which began is not.
    let mut begun = begun;
    begun.next_plan().unwrap();
    drop(begun);
    assert!(!fails(site, "a"));
    assert_eq!(injector.counts("r").unwrap().injected, 2);
}

/// What another bound refuses is no try: `max_active` and `limit` give it back.
#[test]
fn a_try_that_was_refused_is_given_back() {
    let mut trigger = first(2);
    trigger["max_active"] = 1.into();
    let (_injector, site) = with(rule(trigger));
    let mut active = decide(site, "a").unwrap();
    active.next_plan().unwrap();
    for _ in 0..5 {
        assert!(!fails(site, "a"), "one is active");
    }
    drop(active);
    assert_eq!([(); 3].map(|()| fails(site, "a")), [true, false, false]);
}

#[test]
fn without_a_key_of_its_own_the_rate_is_a_share_of_requests() {
    let mut trigger = first(2);
    trigger["rate"] = 0.3.into();
    let rule = rule(trigger);
    let (_injector, site) = with(rule.clone());
    let requests: Vec<String> = (0..2000).map(|n| format!("request-{n}")).collect();
    let tries = |_| requests.iter().map(|r| fails(site, r)).collect::<Vec<_>>();
    let [first, second, third, fourth] = [0, 1, 2, 3].map(tries);
    assert_eq!(first, second);
    assert!(!third.contains(&true) && !fourth.contains(&true));
    let preview = rule.preview().unwrap();
    let previewed: Vec<bool> = requests.iter().map(|r| preview.hits_key(r)).collect();
    assert_eq!(first, previewed);
    // Five standard deviations, and the same in every run.
    let hits = first.iter().filter(|hit| **hit).count();
    assert!(hits.abs_diff(600) < 103, "{hits}");
}

/// With one, it is a share of keys, and of each user who is hit, every request has its own tries.
#[test]
fn with_a_key_of_its_own_the_rate_is_a_share_of_keys() {
    let mut trigger = first(1);
    trigger["rate"] = 0.5.into();
    trigger["key"] = "label:user".into();
    let rule = rule(trigger);
    let (_injector, site) = with(rule.clone());
    let fails = |user: &str, request: &str| {
        let labels = [("user", user.into()), ("request", request.into())];
        let decision = site.decide(&Call::new().labels(&labels));
        decision.is_some_and(|mut decision| decision.next_plan().is_some())
    };
    let mut hits = 0;
    for user in (0..100).map(|n| format!("user-{n}")) {
        let is_hit = rule.preview().unwrap().hits_key(&user);
        for request in 0..3 {
            let tries = [(); 3].map(|()| fails(&user, &format!("{user}-{request}")));
            assert_eq!(tries, [is_hit, false, false], "{user}");
        }
        hits += u32::from(is_hit);
    }
    assert!(hits.abs_diff(50) < 25, "{hits}");
}

#[test]
fn a_call_that_names_no_request_is_left_alone() {
    let mut by_user = first(1);
    by_user["key"] = "label:user".into();
    for trigger in [first(1), by_user] {
        let (injector, site) = with(rule(trigger));
        let labels = [("user", "alice".into())];
        assert!(site.decide(&Call::new().labels(&labels)).is_none());
        let counts = injector.counts("r").unwrap();
        assert_eq!((counts.matched, counts.injected), (1, 0));
    }
}

#[test]
fn requests_are_remembered_up_to_a_bound_and_the_others_counted() {
    const MOST: usize = 16_384;
    let (injector, site) = with(rule(first(1)));
    let evicted = || injector.counts("r").unwrap().evicted;
    for n in 0..MOST {
        assert!(fails(site, &n.to_string()));
    }
    assert_eq!(evicted(), 0);
    // Tried again, it is remembered longer than the next ones.
    assert!(!fails(site, "0"));
    for n in 0..10 {
        assert!(fails(site, &format!("more-{n}")));
    }
    assert_eq!(evicted(), 10);
    for known in ["0", "11", "more-0", "more-9"] {
        assert!(!fails(site, known), "{known}");
    }
    assert_eq!(evicted(), 10);
    for forgotten in 1..=10 {
        assert!(fails(site, &forgotten.to_string()), "{forgotten}");
    }
    assert_eq!(evicted(), 20);
}

#[test]
fn a_request_is_forgotten_ten_minutes_after_its_last_try() {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    injector.put(rule(first(2)));
    let site = injector.site("tries");
    let seconds = Duration::from_secs;
    assert!(fails(site, "a") && fails(site, "b"));
    clock.advance(seconds(599));
    assert!(fails(site, "a") && !fails(site, "a"));
    clock.advance(seconds(1));
    // The other one was tried ten minutes ago; this one, a second ago.
    assert!(!fails(site, "a") && fails(site, "b") && fails(site, "b") && !fails(site, "b"));
    clock.advance(seconds(600));
    assert!(fails(site, "a") && fails(site, "a") && !fails(site, "a"));
    // To be old is not to be evicted.
    assert_eq!(injector.counts("r").unwrap().evicted, 0);
}

#[test]
fn tries_go_on_over_a_halt_and_begin_anew_with_another_rule() {
    let (injector, site) = with(rule(first(2)));
    assert!(fails(site, "a"));
    injector.halt("a break");
    assert!(!fails(site, "a"));
    injector.resume();
    assert!(fails(site, "a") && !fails(site, "a"));
    injector.put(rule(first(2)));
    assert!(!fails(site, "a"), "an unchanged rule goes on");
    injector.put(rule(first(1)));
    assert!(fails(site, "a") && !fails(site, "a"));
}

#[test]
fn a_shadow_counts_the_tries_that_would_have_failed() {
    let mut trigger = first(2);
    trigger["mode"] = "shadow".into();
    let (injector, site) = with(rule(trigger));
    for _ in 0..5 {
        assert!(decide(site, "a").is_none());
    }
    let counts = injector.counts("r").unwrap();
    assert_eq!((counts.matched, counts.shadowed), (5, 2));
}

#[test]
fn it_is_written_as_it_is_read() {
    let key = || "header:idempotency-key".parse().unwrap();
    let written = json!({
        "id": "r",
        "site": "http.server",
        "enabled": true,
        "rate": 0.3,
        "first_attempts": {"n": 2, "key": "header:idempotency-key"},
        "faults": [{"error": "try again"}],
    });
    let rule = rule_from_value(written.clone(), None).unwrap();
    assert_eq!(rule_to_value(&rule), written);
    let attempts = FirstAttempts::new(2.try_into().unwrap(), key());
    let trigger = Trigger::new().first_attempts(attempts);
    let trigger = trigger.rate(Rate::new(0.3).unwrap());
    assert_eq!(rule.clone().trigger(trigger), rule);
    for (first_attempts, field) in [
        (json!({"n": 0, "key": "peer"}), "first_attempts.n"),
        (json!({"key": "peer"}), "first_attempts.n"),
        (json!({"n": 1}), "first_attempts.key"),
        (json!({"n": 1, "key": "user"}), "first_attempts.key"),
        (json!({"n": 1, "key": "path:id"}), "first_attempts.key"),
        (json!({"n": 1, "key": "peer", "of": 3}), "first_attempts.of"),
        (json!(2), "first_attempts"),
    ] {
        let mut rule = written.clone();
        rule["first_attempts"] = first_attempts;
        let error = rule_from_value(rule, None).unwrap_err();
        assert_eq!((error.field(), error.rule().unwrap_or("r")), (field, "r"));
    }
}
