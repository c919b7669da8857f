//! A rule that chooses among faults chooses by their weights, the same way for the same seed, and says
//! what it chose.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use chaos_core::{
    Call, Direction, Fault, Injector, Latency, Policy, Rate, Rule, Site, Trigger,
    fault::{Abort, BytesFault, CustomFault, OneOf},
};

const CALLS: usize = 10_000;

/// Faults of different names; what they do does not matter here.
fn fault(name: &str) -> Fault {
    match name {
        "status" => Fault::status(503).unwrap(),
        "latency" => Fault::latency(Latency::fixed(Duration::from_secs(2)).unwrap()),
        "error" => Fault::error("gone"),
        "hang" => Fault::hang(Duration::from_secs(1)).unwrap(),
        "abort" => Fault::abort(Abort::Exit),
        "custom" => Fault::Custom(CustomFault::new("odd", "{}")),
        "body" => Fault::Body(BytesFault::truncate_after(1), Direction::Response),
        other => panic!("{other}"),
    }
}

fn choice(options: &[(u32, &str)]) -> Fault {
    Fault::one_of(options.iter().map(|(weight, name)| (*weight, fault(name)))).unwrap()
}

fn rule(seed: u64, first: Fault) -> Rule {
    let rule = Rule::new("r".parse().unwrap(), "choice".parse().unwrap(), first);
    rule.trigger(Trigger::new().seed(seed))
}

type Told = Arc<Mutex<Vec<(String, Duration)>>>;

struct Choosing {
    injector: Injector,
    site: &'static Site,
    told: Told,
}

impl Choosing {
    fn by(rule: Rule) -> Self {
        let injector = Injector::new();
        let site = injector.site("choice");
        let told = Told::default();
        let tell = Arc::clone(&told);
        injector.observe(move |injection| {
            let injection = (injection.fault.to_string(), injection.delay);
            tell.lock().unwrap().push(injection);
        });
        injector.put(rule);
        Self {
            injector,
            site,
            told,
        }
    }

    /// What observers were told of so many calls.
    fn pass(&self, calls: usize) -> Vec<(String, Duration)> {
        for _ in 0..calls {
            if let Some(mut decision) = self.site.decide(&Call::new()) {
                decision.next_plan();
            }
        }
        std::mem::take(&mut self.told.lock().unwrap())
    }

    fn names(&self, calls: usize) -> Vec<String> {
        self.pass(calls).into_iter().map(|(name, _)| name).collect()
    }
}

/// How far what was seen is from what the weights say, in Pearson's measure.
fn chi_square(options: &[(u32, &str)], seen: &[String]) -> f64 {
    let total: u32 = options.iter().map(|(weight, _)| weight).sum();
    let distance = |(weight, name): &(u32, &str)| {
        let expected = seen.len() as f64 * f64::from(*weight) / f64::from(total);
        let observed = seen.iter().filter(|seen| seen == name).count() as f64;
        (observed - expected).powi(2) / expected
    };
    options.iter().map(distance).sum()
}

/// The seeds are fixed, so this cannot flake. The bounds are those that chance passes once in a
/// thousand times, for one and for two degrees of freedom.
#[test]
fn choices_are_as_often_as_their_weights_say() {
    let one_and_two: [(&[(u32, &str)], f64); 2] = [
        (&[(3, "status"), (1, "latency")], 10.83),
        (&[(1, "status"), (2, "latency"), (5, "error")], 13.82),
    ];
    for (options, bound) in one_and_two {
        for seed in [1, 2, 3] {
            let seen = Choosing::by(rule(seed, choice(options))).names(CALLS);
            assert_eq!(seen.len(), CALLS);
            let distance = chi_square(options, &seen);
            assert!(distance < bound, "{distance} with seed {seed}");
            // The test can fail: these are no even odds.
            let even: Vec<_> = options.iter().map(|(_, name)| (1, *name)).collect();
            assert!(chi_square(&even, &seen) > 100.0);
        }
    }
}

/// What decides that a call is hit does not decide what happens to it.
#[test]
fn a_rate_does_not_move_the_weights() {
    let options = [(3, "status"), (1, "latency")];
    for seed in [1, 2, 3] {
        let rate = Rate::new(0.1).unwrap();
        let rare = rule(seed, choice(&options)).trigger(Trigger::new().rate(rate).seed(seed));
        let seen = Choosing::by(rare).names(10 * CALLS);
        assert!(seen.len().abs_diff(CALLS) < 380, "{}", seen.len());
        let distance = chi_square(&options, &seen);
        assert!(distance < 10.83, "{distance} with seed {seed}");
    }
}

/// A rule without a seed draws from its thread, by the same weights.
#[test]
fn without_a_seed_the_weights_are_the_same() {
    let options = [(3, "status"), (1, "latency")];
    let without = rule(0, choice(&options)).trigger(Trigger::new());
    let seen = Choosing::by(without).names(CALLS);
    // Ten standard deviations: not in the lifetime of this project.
    let status = seen.iter().filter(|name| *name == "status").count();
    assert!(status.abs_diff(7_500) < 433, "{status} of {CALLS}");
}

#[test]
fn the_same_seed_chooses_the_same_faults() {
    let options = [(1, "status"), (2, "latency"), (5, "error")];
    let seen = |seed| Choosing::by(rule(seed, choice(&options))).names(1000);
    assert_eq!(seen(42), seen(42));
    assert_ne!(seen(42), seen(43));
}

/// Written down once: another version, platform or optimisation must not choose otherwise.
#[test]
fn choices_are_the_same_everywhere() {
    let options = [(1, "status"), (2, "latency"), (5, "error")];
    let seen = Choosing::by(rule(42, choice(&options))).names(12);
    let first: String = seen.iter().map(|name| &name[..1]).collect();
    assert_eq!(first, "eeeeeseeeele");
}

/// What is left shares the weight of what cannot happen.
#[test]
fn among_what_can_happen_the_weights_hold() {
    let options = [(90, "body"), (3, "error"), (1, "hang")];
    let choosing = Choosing::by(rule(5, choice(&options)));
    let code = choosing
        .injector
        .site_of("choice", chaos_core::SiteKind::Sync);
    for _ in 0..CALLS {
        code.decide(&Call::new()).unwrap().next_plan();
    }
    let seen = choosing.names(0);
    assert_eq!(seen.len(), CALLS);
    assert!(chi_square(&options[1..], &seen) < 10.83);
}

#[test]
fn observers_are_told_what_was_chosen() {
    let slow = Fault::latency(Latency::fixed(Duration::from_millis(1)).unwrap());
    let options = [(1, "status"), (1, "latency")];
    let rule = rule(1, slow).then(choice(&options)).then(fault("error"));
    let choosing = Choosing::by(rule);
    for (name, delay) in choosing.pass(100) {
        // A status ends the call: what comes after it was not injected.
        let expected = match name.as_str() {
            "latency+status" => 1,
            "latency+latency+error" => 2_001,
            other => panic!("{other}"),
        };
        assert_eq!(delay, Duration::from_millis(expected));
    }
    // Its own name stays what the rule says.
    let rules = choosing.injector.rules();
    assert_eq!(rules.rules()[0].fault_names(), "latency+one_of+error");
}

/// A choice that can end the call, and does, keeps later rules from adding to it.
#[test]
fn a_later_rule_fires_where_the_choice_lets_the_call_go_on() {
    let options = [(1, "status"), (1, "latency")];
    let choosing = Choosing::by(rule(1, choice(&options)));
    let later = Rule::new(
        "later".parse().unwrap(),
        "choice".parse().unwrap(),
        fault("error"),
    );
    choosing.injector.put(later);
    for _ in 0..100 {
        let mut decision = choosing.site.decide(&Call::new()).unwrap();
        while decision.next_plan().is_some_and(|plan| !plan.ends_call()) {}
    }
    let seen = choosing.names(0);
    let count = |name: &str| seen.iter().filter(|seen| *seen == name).count();
    assert_eq!(count("status") + count("latency"), 100);
    assert_eq!(count("error"), count("latency"));
    assert!((1..100).contains(&count("error")));
}

#[test]
fn a_choice_ends_the_call_if_each_option_does() {
    assert!(choice(&[(1, "status"), (1, "error")]).ends_call());
    assert!(!choice(&[(1, "status"), (1, "latency")]).ends_call());
    assert_eq!(choice(&[(1, "status"), (1, "error")]).name(), "one_of");
}

#[test]
fn what_is_no_choice_is_refused() {
    let one = || fault("error");
    let refused = |options: Vec<(u32, Fault)>| OneOf::new(options).unwrap_err();
    for (options, field) in [
        (vec![], "one_of"),
        (vec![(1, one())], "one_of"),
        (vec![(1, one()); 101], "one_of"),
        (vec![(1, one()), (0, one())], "one_of[1].weight"),
        (vec![(1_000_001, one()), (1, one())], "one_of[0].weight"),
        (
            vec![(1, one()), (1, choice(&[(1, "error"), (1, "hang")]))],
            "one_of[1].fault",
        ),
    ] {
        let error = refused(options);
        assert_eq!(error.field(), field, "{error}");
    }
    assert_eq!(
        OneOf::new(vec![(1_000_000, one()); 100]).unwrap().options()[99],
        (1_000_000, one())
    );
}

#[test]
fn what_one_option_may_not_do_the_choice_may_not() {
    let choosing = Choosing::by(rule(1, choice(&[(1_000_000, "status"), (1, "abort")])));
    let rules = choosing.injector.rules();
    let check = || {
        let rules = rules.rules().iter().map(|rule| &**rule);
        choosing.injector.check(rules)
    };
    let error = check().unwrap_err();
    assert_eq!(
        (error.rule(), error.field()),
        (Some("r"), "faults[0].one_of[1].fault.abort")
    );
    assert_eq!(
        choosing.pass(100),
        [],
        "put all the same, it does not happen"
    );
    choosing.injector.set_policy(Policy::new().allow_exit(true));
    check().unwrap();
}

#[test]
fn an_option_that_nobody_defines_is_refused_and_one_that_is_defined_is_asked() {
    let choosing = Choosing::by(rule(1, choice(&[(1, "status"), (1, "custom")])));
    let rules = choosing.injector.rules();
    let check = || {
        let rules = rules.rules().iter().map(|rule| &**rule);
        choosing.injector.check(rules)
    };
    let error = check().unwrap_err();
    assert_eq!(error.field(), "faults[0].one_of[1].fault.custom.name");
    choosing
        .injector
        .define("odd", |_| Some(Fault::error("odd")));
    check().unwrap();
    let seen = choosing.names(100);
    assert!(
        ["status", "custom"]
            .map(String::from)
            .iter()
            .all(|name| seen.contains(name))
    );
}

/// A closure may leave it to chance, too, but not ask for itself that way.
#[test]
fn a_closure_may_ask_for_a_choice() {
    let choosing = Choosing::by(rule(1, fault("custom")));
    let said = |options: &'static [(u32, &str)]| {
        choosing
            .injector
            .define("odd", move |_| Some(choice(options)));
        let mut plans = 0;
        for _ in 0..100 {
            let mut decision = choosing.site.decide(&Call::new()).unwrap();
            plans += usize::from(decision.next_plan().is_some());
        }
        plans
    };
    assert_eq!(said(&[(1, "status"), (1, "latency")]), 100);
    assert_eq!(said(&[(1, "status"), (1_000_000, "custom")]), 100);
    assert_eq!(said(&[(1, "custom"), (1, "custom")]), 0);
}
