//! Rules are replaced and toggled while calls run: every call sees one rule set or the other, and
//! nothing is counted twice or lost.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use chaos_core::{Call, Fault, Injector, Plan, Rate, Rule, Trigger};

fn rule(id: &str, message: &str) -> Rule {
    Rule::new(
        id.parse().unwrap(),
        "swap".parse().unwrap(),
        Fault::error(message),
    )
}

#[test]
fn every_call_is_decided_by_one_rule_set() {
    let injector = Injector::new();
    let site = injector.site("swap");
    // `kept` never changes, so its count must survive every swap.
    let with = |id, message| vec![rule(id, message), rule("kept", "kept")];
    let (done, seen_kept) = (AtomicBool::new(false), AtomicU64::new(0));
    injector.replace(vec![rule("kept", "kept")]).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(SeqCst) {
                    let decision = site.decide(&Call::new());
                    let plan = decision.and_then(|mut decision| decision.next_plan());
                    match plan {
                        Some(Plan::Fail(injected)) if injected.rule().as_str() == "kept" => {
                            seen_kept.fetch_add(1, SeqCst);
                        }
                        Some(Plan::Fail(injected)) => {
                            assert_eq!(injected.rule().as_str(), injected.message());
                        }
                        // Decided by a rule that was gone when its turn came.
                        None => {}
                        Some(other) => panic!("{other:?}"),
                    }
                }
            });
        }
        for round in 0..3000 {
            match round % 4 {
                0 => injector.replace(with("a", "a")).unwrap(),
                1 => injector.replace(with("b", "b")).unwrap(),
                2 => injector.put(rule("b", "b").enabled(false)),
                _ => injector.replace(vec![rule("kept", "kept")]).unwrap(),
            };
            std::thread::yield_now();
        }
        done.store(true, SeqCst);
    });
    assert!(seen_kept.load(SeqCst) > 0);
    let counts = injector.counts("kept").unwrap();
    assert_eq!(counts.injected, seen_kept.load(SeqCst));
    assert_eq!(counts.active, 0);
    assert_eq!(injector.rules().generation(), 3001);
}

#[test]
fn an_edit_that_is_refused_changes_nothing() {
    let injector = Injector::new();
    injector.put(rule("a", "a"));
    let before = injector.rules();
    let twice = injector.replace(vec![rule("b", "b"), rule("c", "c"), rule("b", "b")]);
    let chaos_core::rule::ChangeError::Rule(error) = twice.unwrap_err() else {
        panic!("a rule error")
    };
    assert_eq!((error.rule(), error.field()), (Some("b"), "rules[2].id"));
    let stale = injector.apply(chaos_core::rule::Change::Replace(vec![]), Some(0));
    let is_stale = matches!(
        stale,
        Err(chaos_core::rule::ChangeError::Stale { current: 1, .. })
    );
    assert!(is_stale, "{stale:?}");
    assert!(!injector.remove(&"nobody".parse().unwrap()));
    assert_eq!(injector.rules().generation(), before.generation());
    assert!(injector.rules().find("a").is_some());
}

/// What a thread has kept of a site's rules is good until the site has others.
#[test]
fn a_replace_compiles_only_the_sites_whose_rules_differ() {
    let injector = Injector::new();
    let sites = ["same.site", "other.site"].map(|name| injector.site(name));
    let rule = |at: usize, share: f64| {
        let name = sites[at].name();
        let rule = Rule::new(
            name.parse().unwrap(),
            name.parse().unwrap(),
            Fault::error("x"),
        );
        rule.trigger(Trigger::new().rate(Rate::new(share).unwrap()))
    };
    let replace = |share| {
        injector
            .replace(vec![rule(0, 0.0), rule(1, share)])
            .unwrap()
    };
    let are_kept = || sites.map(|site| !site.first_look().knows_nothing());
    let call = || sites.map(|site| drop(site.decide(&Call::new())));
    replace(0.0);
    call();
    assert_eq!(are_kept(), [true, true]);
    replace(1e-9);
    assert_eq!(are_kept(), [true, false]);
    injector.put(rule(1, 2e-9));
    assert_eq!(are_kept(), [true, false]);
}
