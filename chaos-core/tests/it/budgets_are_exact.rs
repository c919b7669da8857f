//! A budget is never passed, whatever the concurrency, and what was not spent is given back.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use chaos_core::{
    Fault, Injector, Latency, Policy, Rate, Rule, Trigger, inject, inject_async, policy::Limit,
    testing::ManualClock, trigger::Budget, wire,
};
use serde_json::json;

const SECOND: Duration = Duration::from_secs(1);

fn rule(fault: Fault, budget: Budget) -> Rule {
    Rule::new("r".parse().unwrap(), "db.read".parse().unwrap(), fault)
        .trigger(Trigger::new().budget(budget))
}

fn share(share: f64) -> Budget {
    Budget::new().share(Rate::new(share).unwrap())
}

fn spared(injector: &Injector, limit: Limit) -> u64 {
    let overflow = injector.counts("r").unwrap().overflow;
    overflow.iter().find(|(of, _)| *of == limit).unwrap().1
}

#[test]
fn a_share_is_exact_over_many_threads() {
    const THREADS: u64 = 8;
    const CALLS: u64 = 2500;
    for of_policy in [false, true] {
        let injector = Injector::new();
        if of_policy {
            injector.set_policy(Policy::new().budget(share(0.25)));
            injector.put(rule(Fault::error("lost"), Budget::new()));
        } else {
            injector.put(rule(Fault::error("lost"), share(0.25)));
        }
        let hits = AtomicU64::new(0);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..CALLS {
                        if inject!(injector: &injector, "db.read").is_err() {
                            hits.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let calls = THREADS * CALLS;
        let hits = hits.into_inner();
        assert!(hits <= calls / 4, "{hits}");
        // Between a call's being counted and its asking, others may ask: some chances are missed.
        assert!(hits > calls / 5, "{hits}");
        let counts = injector.counts("r").unwrap();
        assert_eq!((counts.matched, counts.injected), (calls, hits));
        assert_eq!(counts.overflow.total(), calls - hits);
    }
}

#[test]
fn delay_is_bounded_by_the_minute() {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let budget = Budget::new().delay(Duration::from_millis(10)).unwrap();
    let latency = Fault::latency(Latency::fixed(Duration::from_millis(4)).unwrap());
    injector.put(rule(latency, budget));
    let pass = |calls: u64| {
        let before = injector.counts("r").unwrap().injected;
        for _ in 0..calls {
            inject!(injector: &injector, "db.read").unwrap();
        }
        injector.counts("r").unwrap().injected - before
    };
    assert_eq!(pass(10), 2);
    assert_eq!(spared(&injector, Limit::BudgetDelay), 8);
    clock.advance(SECOND * 59);
    assert_eq!(pass(5), 0);
    clock.advance(SECOND * 2);
    assert_eq!(pass(5), 2);
}

#[tokio::test]
async fn what_did_not_happen_is_given_back() {
    let injector = Injector::new();
    let budget = share(1.0).delay(SECOND * 3600).unwrap();
    let hang = Fault::hang(SECOND * 1000).unwrap();
    let first: Rule = Rule::new(
        "first".parse().unwrap(),
        "db.read".parse().unwrap(),
        hang.clone(),
    );
    injector.put(first);
    injector.put(rule(hang, budget));
    let call = async || inject_async!(injector: &injector, "db.read").await;
    let leave = async || tokio::time::timeout(Duration::from_millis(1), call()).await;
    // Those who leave while another rule holds them have spent nothing.
    for _ in 0..10 {
        assert!(leave().await.is_err(), "it hangs");
    }
    injector.remove(&"first".parse().unwrap());
    // Three fit: what has begun is spent, whatever becomes of it.
    for _ in 0..3 {
        assert!(leave().await.is_err(), "it hangs");
    }
    call().await.unwrap();
    let counts = injector.counts("r").unwrap();
    assert_eq!((counts.injected, counts.active), (3, 0));
    assert_eq!(spared(&injector, Limit::BudgetDelay), 1);
}

#[test]
fn budgets_are_said_on_the_wire() {
    let doc = json!({"id": "r", "site": "db.read", "enabled": true, "budget": {"share": 0.1, "delay": "30s"},
        "faults": [{"error": "lost"}]});
    let read = wire::rule_from_value(doc.clone(), None).unwrap();
    let budget = share(0.1).delay(SECOND * 30).unwrap();
    assert_eq!(read, rule(Fault::error("lost"), budget));
    assert_eq!(wire::rule_to_value(&read), doc);
    for (budget, field) in [
        (json!({}), "budget"),
        (json!({"share": 2}), "budget.share"),
        (json!({"share": "half"}), "budget.share"),
        (json!({"delay": "0s"}), "budget.delay"),
        (json!({"delay": 3}), "budget.delay"),
        (json!({"delays": "3s"}), "budget.delays"),
        (json!(0.1), "budget"),
    ] {
        let doc = json!({"site": "db.read", "budget": budget, "faults": [{"error": "lost"}]});
        let error = wire::rule_from_value(doc.clone(), Some("r")).expect_err(&doc.to_string());
        assert_eq!(error.field(), field, "{error}");
        assert!(!error.allowed().is_empty());
    }
}
