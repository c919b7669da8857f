//! Every rule that matches draws for itself; those that fire act in order until one ends the call.

use std::time::Duration;

use chaos_core::{
    Call, Fault, Injector, Latency, Mode, Plan, Rate, Rule, Trigger, fault::When, inject_async,
};

fn slow(id: &str, secs: u64) -> Rule {
    let latency = Latency::fixed(Duration::from_secs(secs)).unwrap();
    Rule::new(
        id.parse().unwrap(),
        "compose".parse().unwrap(),
        Fault::latency(latency),
    )
}

fn fails(id: &str) -> Rule {
    Rule::new(
        id.parse().unwrap(),
        "compose".parse().unwrap(),
        Fault::error(id),
    )
}

fn rate(rate: f64, seed: u64) -> Trigger {
    Trigger::new().rate(Rate::new(rate).unwrap()).seed(seed)
}

fn with(rules: Vec<Rule>) -> Injector {
    let injector = Injector::new();
    injector.replace(rules).unwrap();
    injector
}

fn injected(injector: &Injector, id: &str) -> u64 {
    injector.counts(id).unwrap().injected
}

#[tokio::test(start_paused = true)]
async fn latencies_add_and_the_first_end_is_the_end() {
    let injector = with(vec![
        slow("a", 1),
        slow("b", 2),
        fails("c"),
        slow("d", 4),
        fails("e"),
    ]);
    let start = chaos_core::Clock::monotonic();
    let error = inject_async!(injector: injector, "compose")
        .await
        .unwrap_err();
    assert_eq!(error.rule().as_str(), "c");
    assert_eq!(start.now().as_secs(), 3);
    let counts = ["a", "b", "c", "d", "e"].map(|id| injected(&injector, id));
    assert_eq!(counts, [1, 1, 1, 0, 0]);
    // What comes after the end is not even asked.
    assert_eq!(injector.counts("d").unwrap().matched, 0);
}

/// A delay of the result delays whatever result there is, in any order of the rules.
#[tokio::test(start_paused = true)]
async fn a_failure_is_as_slow_as_a_success() {
    for when in [When::After, When::AtLeast] {
        let latency = Latency::fixed(Duration::from_secs(2)).unwrap();
        let pad = |id: &str| {
            let (id, site) = (id.parse().unwrap(), "compose".parse().unwrap());
            Rule::new(id, site, Fault::Latency(latency.clone(), when))
        };
        let both = fails("both").then(Fault::Latency(latency.clone(), when));
        for rules in [
            vec![pad("pad"), fails("fail")],
            vec![fails("fail"), slow("slow", 1), pad("pad"), fails("again")],
            vec![both.clone()],
        ] {
            let ids: Vec<_> = rules.iter().map(|rule| rule.id().to_string()).collect();
            let injector = with(rules);
            let start = chaos_core::Clock::monotonic();
            let result = inject_async!(injector: injector, "compose").await;
            result.unwrap_err();
            assert_eq!(start.now().as_secs(), 2, "{ids:?}");
            for id in ids {
                let happens = !["slow", "again"].contains(&&*id);
                assert_eq!(injected(&injector, &id), u64::from(happens), "{id}");
            }
        }
    }
}

#[test]
fn each_rule_keeps_its_rate_whatever_the_others_do() {
    let injector = with(vec![
        slow("a", 1).trigger(rate(0.5, 1)),
        slow("b", 1).trigger(rate(0.5, 1)),
        fails("c").trigger(rate(0.25, 1)),
    ]);
    let site = injector.site("compose");
    let (mut both, mut calls) = (0, 0);
    for _ in 0..8000 {
        let Some(mut decision) = site.decide(&Call::new()) else {
            continue;
        };
        let mut waits = 0;
        while let Some(plan) = decision.next_plan() {
            waits += u32::from(matches!(plan, Plan::Wait(_)));
        }
        both += u32::from(waits == 2);
        calls += 1;
    }
    let counts = ["a", "b", "c"].map(|id| injected(&injector, id));
    for (count, expected) in counts.into_iter().zip([4000, 4000, 2000]) {
        assert!(count.abs_diff(expected) < 200, "{counts:?}");
    }
    // Independent: a quarter of the calls is hit by both.
    assert!(both.abs_diff(2000) < 200, "{both} of {calls}");
}

#[test]
fn a_final_rule_that_fires_is_the_last_one_asked() {
    let injector = with(vec![slow("a", 1).final_if_fired(true), fails("b")]);
    let site = injector.site("compose");
    let mut decision = site.decide(&Call::new()).unwrap();
    assert!(matches!(decision.next_plan(), Some(Plan::Wait(_))));
    assert!(decision.next_plan().is_none());
    assert_eq!(injector.counts("b").unwrap().matched, 0);
}

#[test]
fn a_shadow_counts_and_injects_nothing_and_stands_in_nobodys_way() {
    let shadow = fails("shadow").mode(Mode::Shadow).final_if_fired(true);
    let limit = Trigger::new().limit(2.try_into().unwrap());
    let injector = with(vec![shadow.trigger(limit), fails("real")]);
    let site = injector.site("compose");
    for _ in 0..5 {
        let plan = site.decide(&Call::new()).unwrap().next_plan();
        assert!(matches!(plan, Some(Plan::Fail(e)) if e.rule().as_str() == "real"));
    }
    let shadow = injector.counts("shadow").unwrap();
    assert_eq!(
        (shadow.matched, shadow.shadowed, shadow.injected),
        (5, 2, 0)
    );
}

/// The steps of a call were once a chain of boxes, which overflowed the stack.
#[test]
fn a_rule_may_have_thousands_of_faults() {
    const FAULTS: u32 = 20_000;
    let delay = Duration::from_micros(1);
    let fault = || Fault::latency(Latency::fixed(delay).unwrap());
    let rule = Rule::new("many".parse().unwrap(), "compose".parse().unwrap(), fault());
    let injector = with(vec![(1..FAULTS).fold(rule, |rule, _| rule.then(fault()))]);
    let site = injector.site("compose");
    // One is dropped with all its steps.
    assert!(site.decide(&Call::new()).is_some());
    let mut decision = site.decide(&Call::new()).unwrap();
    let plans = std::iter::from_fn(|| decision.next_plan());
    assert_eq!(plans.count(), FAULTS as usize);
}
