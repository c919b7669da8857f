//! No way in passes the policy: rules that go beyond it are refused where someone can be told, and held
//! to it everywhere else. `CHAOS_DISABLED` wins over everything.

use std::{
    num::{NonZeroU32, NonZeroU64},
    process::Command,
    time::Duration,
};

use chaos_core::{
    Fault, Injector, Latency, Lifetime, Overlay, Policy, Rate, Rule, State, Trigger, audit::Actor,
    fault::Abort, inject, policy::Limit, rule::Change, testing::ManualClock, trigger::Budget, wire,
};
use serde_json::json;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn rule(fault: Fault) -> Rule {
    Rule::new("r".parse().unwrap(), "db.read".parse().unwrap(), fault)
}

fn lost() -> Rule {
    rule(Fault::error("lost"))
}

fn read(injector: &Injector) -> bool {
    inject!(injector: injector, "db.read").is_err()
}

fn under(policy: Policy) -> Injector {
    let injector = Injector::new();
    injector.set_policy(policy);
    injector
}

fn rate(rate: f64) -> Rate {
    Rate::new(rate).unwrap()
}

#[test]
fn a_rule_beyond_it_is_refused_by_its_field() {
    let cases = [
        (
            Policy::new().sites(["db.*".parse().unwrap()]),
            json!({"site": "http.*"}),
            "site",
            "db.*",
        ),
        (
            Policy::new().sites(["db.*".parse().unwrap()]),
            json!({"site": "db.**"}),
            "site",
            "db.*",
        ),
        (
            Policy::new().faults(["latency"]),
            json!({}),
            "faults[0].error",
            "latency",
        ),
        (
            Policy::new().faults(["latency"]),
            json!({"faults": [{"one_of": [{"fault": {"latency": "1ms"}}, {"fault": {"error": "e"}}]}]}),
            "faults[0].one_of[1].fault.error",
            "latency",
        ),
        (
            Policy::new().rate(rate(0.1)),
            json!({}),
            "rate",
            "a rate of at most 0.1",
        ),
        (
            Policy::new().rate(rate(0.1)),
            json!({"program": [{"for": "1s", "rate": "0..0.2"}]}),
            "program",
            "a rate of at most 0.1",
        ),
        (
            Policy::new().max_active(NonZeroU32::MIN),
            json!({"max_active": 2}),
            "max_active",
            "at most 1",
        ),
        (
            Policy::new().max_ttl(SECOND),
            json!({"ttl": "2s"}),
            "ttl",
            "at most 1s",
        ),
        (
            Policy::new().max_ttl(SECOND),
            json!({"ttl": "never"}),
            "ttl",
            "at most 1s",
        ),
        (
            Policy::new().shadow_only(true),
            json!({}),
            "mode",
            "\"shadow\"",
        ),
        (
            Policy::new().delay(SECOND),
            json!({"faults": [{"latency": "1ms..2s"}]}),
            "faults[0].latency",
            "at most 1s",
        ),
        (
            Policy::new().delay(SECOND),
            json!({"faults": [{"error": "e"}], "site": "db.read"}),
            "",
            "",
        ),
        (
            Policy::new().delay(SECOND),
            json!({"faults": [{"hang": "30s"}]}),
            "faults[0].hang",
            "at most 1s",
        ),
        (
            Policy::new(),
            json!({"faults": [{"abort": "exit"}]}),
            "faults[0].abort",
            "any other abort",
        ),
    ];
    for (policy, fields, field, allowed) in cases {
        let mut doc = json!({"site": "db.read", "faults": [{"error": "lost"}]});
        doc.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let rule = wire::rule_from_value(doc.clone(), Some("r")).unwrap();
        let checked = under(policy).check([&rule]);
        match field {
            "" => checked.unwrap(),
            field => {
                let error = checked.expect_err(&doc.to_string());
                assert_eq!(
                    (error.field(), error.allowed(), error.rule()),
                    (field, allowed, Some("r"))
                );
            }
        }
    }
}

#[test]
fn what_gets_in_unchecked_is_held_to_it() {
    let only_http = under(Policy::new().sites(["http.**".parse().unwrap()]));
    only_http.put(lost());
    assert!(!read(&only_http));
    assert!(
        only_http.site("http.server").is_armed() || only_http.sites().iter().all(|s| !s.is_armed())
    );

    let only_latency = under(Policy::new().faults(["latency"]));
    only_latency.put(lost());
    assert!(!read(&only_latency));

    let counted = under(Policy::new().shadow_only(true));
    counted.put(lost());
    assert!(!read(&counted));
    assert_eq!(counted.counts("r").unwrap().shadowed, 1);

    // A delay that chance draws beyond the bound, and one that is written so.
    let short = under(Policy::new().delay(MS));
    let hang = Fault::hang(Duration::from_secs(3600)).unwrap();
    let tail = Fault::latency(Latency::pareto(SECOND * 100, 0.5).unwrap());
    let cut = Latency::pareto(MS, 0.5).unwrap().at_most(SECOND);
    assert!(short.check([&rule(Fault::latency(cut.unwrap()))]).is_err());
    let cut = Latency::pareto(MS, 0.5).unwrap().at_most(MS);
    assert!(short.check([&rule(Fault::latency(cut.unwrap()))]).is_ok());
    for fault in [hang, tail] {
        assert!(short.check([&rule(fault.clone())]).is_err() || fault.name() == "latency");
    }
    let tail = Fault::latency(Latency::pareto(SECOND * 100, 0.5).unwrap());
    short.put(rule(tail).then(Fault::error("after")));
    let start = chaos_core::Clock::monotonic();
    assert!(read(&short));
    assert!(start.now() < SECOND * 50);
}

#[test]
fn the_rate_of_what_gets_in_is_thinned() {
    let injector = under(Policy::new().rate(rate(0.1)));
    let hits = |trigger: Trigger| {
        injector.put(lost().trigger(trigger.seed(7)));
        (0..10_000).filter(|_| read(&injector)).count()
    };
    // 1000 ± 5 standard deviations; the seed is fixed.
    assert!((850..1150).contains(&hits(Trigger::new())));
    assert!((850..1150).contains(&hits(Trigger::new().rate(rate(0.5)))));
    assert!((400..600).contains(&hits(Trigger::new().rate(rate(0.05)))));
    injector.set_policy(Policy::new().rate(rate(0.0)));
    assert_eq!(hits(Trigger::new()), 0);
}

#[test]
fn a_policy_that_comes_later_holds_what_is_armed() {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    injector.put(lost().lifetime(Lifetime::NEVER_ENDS));
    assert!(read(&injector));
    clock.advance(SECOND * 50);
    injector.set_policy(Policy::new().max_ttl(SECOND * 60));
    assert!(read(&injector));
    clock.advance(SECOND * 11);
    assert!(!read(&injector));
    // And the next one lives no longer, either.
    injector.put(lost().lifetime(Lifetime::NEVER_ENDS));
    injector.put(lost().lifetime(Lifetime::NEVER_ENDS).because("again"));
    assert_eq!(injector.counts("r").unwrap().expires_in, Some(SECOND * 60));
    injector.set_policy(Policy::new().sites(["http.**".parse().unwrap()]));
    assert!(!read(&injector));
    injector.set_policy(Policy::new());
    assert!(read(&injector));
}

#[test]
fn a_rule_that_says_nothing_lives_as_long_as_the_policy_says() {
    let ttl_of = |policy: Policy, lifetime: Lifetime| {
        let injector = under(policy);
        injector.put(lost().lifetime(lifetime));
        injector
            .counts("r")
            .unwrap()
            .expires_in
            .map(|left| left.as_secs_f64().ceil() as u64)
    };
    let unsaid = Lifetime::default();
    let hour = Lifetime::new(SECOND * 3600).unwrap();
    assert_eq!(ttl_of(Policy::new(), unsaid), Some(600));
    assert_eq!(ttl_of(Policy::new(), Lifetime::NEVER_ENDS), None);
    assert_eq!(
        ttl_of(Policy::new().default_ttl(SECOND * 30), unsaid),
        Some(30)
    );
    assert_eq!(
        ttl_of(Policy::new().default_ttl(SECOND * 30), hour),
        Some(3600)
    );
    assert_eq!(ttl_of(Policy::new().max_ttl(SECOND * 60), unsaid), Some(60));
    assert_eq!(ttl_of(Policy::new().max_ttl(SECOND * 60), hour), Some(60));
    assert_eq!(
        ttl_of(Policy::new().max_ttl(SECOND * 60), Lifetime::NEVER_ENDS),
        Some(60)
    );
}

#[test]
fn overlays_are_bounded_too() {
    let injector = under(Policy::new().faults(["latency"]));
    let overlay = Overlay::new(&injector);
    overlay.put(lost());
    assert!(!overlay.run_sync(|| read(&injector)));
    injector.set_policy(Policy::new());
    assert!(overlay.run_sync(|| read(&injector)));
    injector.set_policy(Policy::new().sites(["http.**".parse().unwrap()]));
    assert!(!overlay.run_sync(|| read(&injector)));
}

#[test]
fn all_rules_together_are_bounded() {
    let injector = under(Policy::new().total(NonZeroU64::new(3).unwrap()));
    injector.put(lost());
    assert_eq!((0..10).filter(|_| read(&injector)).count(), 3);
    let spared = |limit| {
        let overflow = injector.counts("r").unwrap().overflow;
        overflow.iter().find(|(of, _)| *of == limit).unwrap().1
    };
    assert_eq!(spared(Limit::PolicyTotal), 7);
    // From the moment it is set.
    let share = Budget::new().share(rate(0.2));
    injector.set_policy(Policy::new().budget(share));
    assert_eq!((0..100).filter(|_| read(&injector)).count(), 20);
    assert_eq!(spared(Limit::PolicyShare), 80);
    injector.set_policy(Policy::new());
    assert_eq!((0..10).filter(|_| read(&injector)).count(), 10);
}

#[test]
fn the_stricter_of_two_policies_holds() {
    let db = || Policy::new().sites(["db.**".parse().unwrap()]);
    let one = db()
        .faults(["latency", "error"])
        .rate(rate(0.5))
        .max_ttl(SECOND)
        .allow_exit(true);
    let two = Policy::new()
        .sites(["db.read".parse().unwrap(), "http.server".parse().unwrap()])
        .faults(["error", "abort"])
        .rate(rate(0.7))
        .max_ttl(MS);
    let both = one.and(two);
    assert!(both.reaches("db.read") && !both.reaches("db.write") && !both.reaches("http.server"));
    assert!(both.permits(&Fault::error("e")).is_ok());
    assert!(both.permits(&Fault::hang(MS).unwrap()).is_err());
    assert!(both.permits(&Fault::abort(Abort::Exit)).is_err());
    let shown = wire::policy_to_value(&both);
    assert_eq!(
        (&shown["rate"], &shown["max_ttl"]),
        (&json!(0.5), &json!("1ms"))
    );
}

#[test]
fn a_policy_in_json_says_what_it_means_or_why_not() {
    let read = |doc: serde_json::Value| wire::policy_from_json(doc.to_string().as_bytes());
    let doc = json!({
        "sites": ["db.**"], "faults": ["latency"], "rate": 0.5, "max_active": 2, "max_delay": "2s",
        "default_ttl": "1m", "max_ttl": "1h", "shadow_only": true, "total": 7, "active": 3,
        "budget": {"share": 0.1, "delay": "30s"}, "exit": true,
        "burn": {"cpu": 0.5, "memory": "1MiB", "for": "1s"}, "max_rules": 7, "max_rule_bytes": "1MiB",
        "max_guards": 0, "max_expressions": "4KiB", "token_process_faults": true,
    });
    let policy = read(doc.clone()).unwrap();
    assert_eq!(wire::policy_to_value(&policy), {
        let mut doc = doc;
        doc["burn"]["memory"] = wire::policy_to_value(&policy)["burn"]["memory"].clone();
        doc
    });
    for (doc, field) in [
        (json!({"site": "db"}), "site"),
        (json!({"sites": ["db..x"]}), "site"),
        (json!({"rate": 2}), "rate"),
        (json!({"max_ttl": "soon"}), "max_ttl"),
        (json!({"total": 0}), "total"),
        (json!({"budget": {}}), "budget"),
        (json!({"budget": {"delay": "0s"}}), "budget.delay"),
        (json!({"budget": {"share": 1.1}}), "budget.share"),
        (json!({"burn": {"cpu": 7}}), "burn.cpu"),
        (json!([]), ""),
    ] {
        let error = read(doc.clone()).expect_err(&doc.to_string());
        assert_eq!(error.field(), field, "{doc}: {error}");
    }
}

/// The environment is read once per process, so each case is a process of its own: this very test, told
/// what to expect.
#[test]
fn the_environment_wins_over_everything() {
    const EXPECTED: &str = "EXPECTED_OF_THE_ENVIRONMENT";
    let Ok(expected) = std::env::var(EXPECTED) else {
        let policy = r#"{"faults":["latency"],"max_ttl":"1m"}"#;
        for (name, value, expected) in [
            ("CHAOS_DISABLED", "1", "disabled"),
            ("CHAOS_DISABLED", "0", "free"),
            ("CHAOS_POLICY", policy, "bounded"),
            ("CHAOS_POLICY", r#"{"fault":["latency"]}"#, "disabled"),
            ("CHAOS_POLICY", "", "disabled"),
        ] {
            let this = std::env::current_exe().unwrap();
            let mut child = Command::new(this);
            child.args([
                "--exact",
                "the_policy_holds::the_environment_wins_over_everything",
            ]);
            let output = child
                .env(EXPECTED, expected)
                .env(name, value)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success() && said.contains("1 passed"),
                "{name}={value}: {said}"
            );
        }
        return;
    };
    for injector in [Injector::new(), chaos_core::global().clone()] {
        injector.put(lost());
        injector.set_policy(Policy::new().allow_exit(true));
        assert!(!injector.resume());
        let hits = read(&injector);
        let in_overlay = {
            let overlay = Overlay::new(&injector);
            overlay.put(lost());
            overlay.run_sync(|| read(&injector))
        };
        match &*expected {
            "disabled" => {
                let State::Halted { reason, by, .. } = injector.status().state else {
                    panic!("not halted");
                };
                assert!(reason.starts_with("CHAOS_"), "{reason}");
                assert_eq!(by.name(), "environment");
                let signed = injector.as_actor(Actor::new("alice"));
                assert!(signed.resume().unwrap_err().to_string().contains("CHAOS_"));
                signed.apply(Change::Put(lost()), None).unwrap();
                assert!(!hits && !in_overlay && !read(&injector));
            }
            "bounded" => {
                assert!(!hits && !in_overlay);
                let error = injector.check([&lost()]).unwrap_err();
                assert_eq!(error.allowed(), "latency");
                assert!(injector.counts("r").unwrap().expires_in.unwrap() <= SECOND * 60);
                // What it leaves out, it does not bound.
                assert!(
                    injector
                        .policy()
                        .permits(&Fault::hang(SECOND).unwrap())
                        .is_err()
                );
            }
            "free" => assert!(hits && in_overlay),
            other => panic!("{other}"),
        }
    }
}
