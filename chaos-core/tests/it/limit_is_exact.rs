//! `limit`, `max_active`, `skip` and `every` never overshoot, whatever the concurrency.

use std::sync::{
    Barrier,
    atomic::{AtomicU64, Ordering::SeqCst},
};

use chaos_core::{Call, Decision, Fault, Injector, Policy, Rule, Site, Trigger, inject};

fn armed(trigger: Trigger) -> (Injector, &'static Site) {
    let injector = Injector::new();
    let site = injector.site("exact");
    let rule = Rule::new(
        "r".parse().unwrap(),
        "exact".parse().unwrap(),
        Fault::error("x"),
    );
    injector.put(rule.trigger(trigger));
    (injector, site)
}

/// Runs `work` on eight threads that start together.
fn at_once(work: impl Fn() + Sync) {
    let start = Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                work();
            });
        }
    });
}

#[test]
fn limit_under_threads() {
    for limit in [1, 7, 1000] {
        let (injector, site) = armed(Trigger::new().limit(limit.try_into().unwrap()));
        let seen = AtomicU64::new(0);
        at_once(|| {
            for _ in 0..1000 {
                if let Some(mut decision) = site.decide(&Call::new()) {
                    assert!(decision.next_plan().is_some());
                    seen.fetch_add(1, SeqCst);
                }
            }
        });
        assert_eq!(seen.load(SeqCst), limit);
        let counts = injector.counts("r").unwrap();
        assert_eq!((counts.injected, counts.matched), (limit, 8000));
    }
}

#[test]
fn what_was_decided_and_never_happened_is_given_back() {
    let (injector, site) = armed(Trigger::new().limit(2.try_into().unwrap()));
    drop(site.decide(&Call::new()).expect("fires"));
    assert_eq!(injector.counts("r").unwrap().injected, 0);
    for _ in 0..2 {
        site.decide(&Call::new())
            .expect("still two left")
            .next_plan();
    }
    assert!(site.decide(&Call::new()).is_none());
    assert_eq!(injector.counts("r").unwrap().injected, 2);
}

#[test]
fn max_active_under_threads() {
    let (injector, site) = armed(Trigger::new().max_active(3.try_into().unwrap()));
    let (active, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    at_once(|| {
        for _ in 0..2000 {
            let Some(decision) = site.decide(&Call::new()) else {
                refused.fetch_add(1, SeqCst);
                continue;
            };
            assert!(active.fetch_add(1, SeqCst) < 3);
            std::thread::yield_now();
            active.fetch_sub(1, SeqCst);
            drop(decision);
        }
    });
    assert!(refused.load(SeqCst) > 0, "never contended: proves nothing");
    assert_eq!(injector.counts("r").unwrap().active, 0);
    let held: Vec<Option<Decision>> = (0..5).map(|_| site.decide(&Call::new())).collect();
    assert_eq!(held.iter().flatten().count(), 3);
}

#[test]
fn skip_and_every_under_threads() {
    let trigger = Trigger::new().skip(100).every(10.try_into().unwrap());
    let (injector, site) = armed(trigger);
    at_once(|| {
        for _ in 0..1000 {
            if let Some(mut decision) = site.decide(&Call::new()) {
                decision.next_plan();
            }
        }
    });
    assert_eq!(injector.counts("r").unwrap().injected, (8000 - 100) / 10);
}

#[test]
fn arming_again_starts_the_trigger_anew_and_keeps_the_counts() {
    let (injector, _) = armed(Trigger::new().limit(2.try_into().unwrap()));
    let pass = || inject!(injector: injector, "exact").is_err();
    let rule = injector.rules().find("r").unwrap().as_ref().clone();
    assert_eq!([pass(), pass(), pass()], [true, true, false]);
    injector.put(rule.clone()); // unchanged and live: goes on
    assert!(!pass());
    injector.put(rule.clone().enabled(false));
    assert_eq!(
        injector.counts("r").unwrap().injected,
        2,
        "still to be read when off"
    );
    injector.put(rule.clone());
    assert_eq!([pass(), pass(), pass()], [true, true, false]);
    assert_eq!(injector.counts("r").unwrap().injected, 4);
    injector.put(rule.then(Fault::error("changed")));
    assert_eq!(injector.counts("r").unwrap().injected, 0, "another rule");
    assert_eq!(injector.status().injected, 4, "the total forgets nothing");
}

/// Calls that began without a bound count for one that is set meanwhile, wherever they end, and the other way around.
#[test]
fn bounds_that_change_count_the_calls_under_way() {
    let fire = |site: &'static Site| site.decide(&Call::new());
    let end_elsewhere = |held: Vec<Option<Decision>>| {
        std::thread::spawn(move || drop(held)).join().unwrap();
    };
    let bounded = |most: u32| Policy::new().active(most.try_into().unwrap());
    let (injector, site) = armed(Trigger::new());
    let mut held = vec![fire(site), fire(site)];
    injector.set_policy(bounded(3));
    held.push(fire(site));
    assert!(held.iter().all(Option::is_some));
    assert!(fire(site).is_none());
    assert_eq!(injector.status().active, 3);
    end_elsewhere(held.drain(..2).collect());
    held.extend([fire(site), fire(site)]);
    assert!(held.iter().all(Option::is_some));
    assert!(fire(site).is_none());
    injector.set_policy(Policy::new());
    held.push(fire(site));
    assert_eq!(injector.counts("r").unwrap().active, 4);
    end_elsewhere(held);
    assert_eq!(injector.counts("r").unwrap().active, 0);
    assert_eq!(injector.status().active, 0);
    injector.set_policy(bounded(1));
    let last = fire(site);
    assert!(last.is_some() && fire(site).is_none());
}
