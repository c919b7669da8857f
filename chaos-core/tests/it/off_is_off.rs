//! Nothing is injected unless someone armed it, and nothing is even evaluated.

use std::{cell::Cell, time::Duration};

use chaos_core::{Fault, Injector, Lifetime, Rule, inject, inject_async, testing::ManualClock};

fn fails(site: &str) -> Rule {
    let (id, site) = ("r".parse().unwrap(), site.parse().unwrap());
    Rule::new(id, site, Fault::error("injected"))
}

#[test]
fn a_site_is_idle_until_a_rule_aims_at_it_and_after_it_is_gone() {
    let injector = Injector::new();
    let pass = || inject!(injector: injector, "off.simple");
    assert!(pass().is_ok());
    injector.put(fails("off.other"));
    assert!(pass().is_ok(), "a rule for another site");
    injector.put(fails("off.simple"));
    assert!(pass().is_err());
    injector.put(fails("off.simple").enabled(false));
    assert!(pass().is_ok(), "a disabled rule");
    injector.put(fails("off.simple"));
    assert!(pass().is_err());
    assert!(injector.remove(&"r".parse().unwrap()));
    assert!(pass().is_ok(), "a removed rule");
    injector.put(fails("off.simple"));
    injector.clear();
    assert!(pass().is_ok(), "a cleared rule set");
    assert!(injector.is_idle());
}

#[test]
fn labels_are_evaluated_only_when_armed() {
    let evaluated = Cell::new(0);
    let label = || {
        evaluated.set(evaluated.get() + 1);
        "orders"
    };
    let pass = || inject!("off.labels", table = label(), id = %label());
    // The very first pass registers the site; that is no reason to evaluate labels either.
    pass().unwrap();
    pass().unwrap();
    assert_eq!(evaluated.get(), 0);
    chaos_core::global().put(fails("off.labels"));
    pass().unwrap_err();
    assert_eq!(evaluated.get(), 2);
}

#[tokio::test]
async fn a_future_that_is_not_awaited_injects_nothing() {
    let injector = Injector::new();
    injector.put(fails("off.future"));
    let pass = || inject_async!(injector: injector, "off.future");
    drop(pass());
    assert_eq!(injector.counts("r").unwrap().injected, 0);
    assert!(pass().await.is_err());
    assert_eq!(injector.counts("r").unwrap().injected, 1);
}

#[test]
fn an_expired_rule_leaves_its_site_idle() {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let ttl = Lifetime::new(Duration::from_secs(2)).unwrap();
    injector.put(fails("off.expired").lifetime(ttl));
    let site = injector.site("off.expired");
    clock.advance(Duration::from_secs(2));
    assert!(site.is_armed(), "nobody has looked yet");
    assert!(site.decide(&chaos_core::Call::new()).is_none());
    assert!(
        !site.is_armed(),
        "the call that saw it expired made the site idle"
    );
}

#[test]
fn an_injector_that_is_gone_takes_its_faults_along() {
    let injector = Injector::new();
    let site = injector.site("off.dropped");
    injector.put(fails("off.dropped"));
    assert!(site.is_armed());
    drop(injector);
    assert!(!site.is_armed());
}

/// A site that one thread was making was found by others before its rules were there, and they
/// passed it as if nobody aimed.
#[test]
fn the_first_calls_of_many_threads_are_all_hit() {
    for _ in 0..200 {
        let injector = Injector::new();
        injector.put(fails("off.first"));
        let start = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    start.wait();
                    assert!(inject!(injector: &injector, "off.first").is_err());
                });
            }
        });
    }
}

/// A thread keeps the sites that it has looked up, those of injectors that are gone too.
#[test]
fn each_injector_has_a_site_of_its_own_behind_one_macro() {
    let pass = |injector: &Injector| inject!(injector: injector, "off.kept");
    let pass_with_label =
        |injector: &Injector| inject!(injector: injector, "off.kept", err = |_| (), n = "1");
    for _ in 0..200 {
        let (hit, spared) = (Injector::new(), Injector::new());
        hit.put(fails("off.kept"));
        spared.put(fails("off.other"));
        for _ in 0..2 {
            assert!(pass(&hit).is_err());
            assert!(pass_with_label(&hit).is_err());
            assert!(pass(&spared).is_ok());
            assert!(pass_with_label(&spared).is_ok());
        }
        assert_eq!(hit.sites().len(), 1);
    }
}
