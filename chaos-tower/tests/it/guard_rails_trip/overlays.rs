//! What an overlay injects is not the business of others' guard rails.

use std::time::Duration;

use chaos_core::{
    Fault, Injector, Overlay, Trigger,
    rule::{Change, ChangeError},
};
use http::StatusCode;
use tokio::time::timeout;

use super::{MS, ask, ask_until_halted, errors, halted, rule, service, unavailable};

/// The faults of one overlay or token halted someone else's experiment.
#[tokio::test(start_paused = true)]
async fn what_an_overlay_injects_does_not_trip_the_guard_rail_of_a_rule() {
    // At the site of the rail, and at another that is passed on the way.
    for (site, fault) in [
        ("http.server", unavailable()),
        ("db.read", Fault::error("lost")),
        ("http.server", Fault::hang(Duration::from_secs(20)).unwrap()),
    ] {
        let injector = Injector::new();
        let service = service(&injector);
        let rail = errors(0.5).latency(0.5, 500 * MS).unwrap();
        let once = Trigger::new().limit(1.try_into().unwrap());
        injector.put(
            rule("mine", "http.server", unavailable())
                .trigger(once)
                .guard(rail),
        );
        // One call of everyone's, to see that they are counted.
        assert_eq!(ask(&service, "/").await, StatusCode::SERVICE_UNAVAILABLE);
        let overlay = Overlay::new(&injector);
        overlay.put(rule("theirs", site, fault.clone()));
        overlay
            .run(async {
                for _ in 0..20 {
                    // A caller who waits, and one who leaves.
                    let _ = timeout(Duration::from_secs(30), ask(&service, "/")).await;
                    let _ = timeout(Duration::from_secs(6), ask(&service, "/")).await;
                }
            })
            .await;
        assert_eq!(halted(&injector), None, "{site} {fault:?}");
        assert_eq!(overlay.counts("theirs").unwrap().injected, 40);

        // A call in an overlay that it leaves alone counts as any other.
        let elsewhere = rule("elsewhere", "cache.read", Fault::error("lost"));
        overlay.replace(vec![elsewhere]).unwrap();
        injector.put(rule("mine", "http.server", unavailable()).guard(errors(0.5)));
        let asked = overlay.run(ask_until_halted(&service, &injector)).await;
        assert_eq!(asked, 20);
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_rail_in_a_rule_of_an_overlay_is_refused() {
    let injector = Injector::new();
    let overlay = Overlay::new(&injector);
    let guarded = rule("down", "http.server", unavailable()).guard(errors(0.5));
    for change in [
        Change::Put(guarded.clone()),
        Change::Replace(vec![guarded.clone()]),
    ] {
        let ChangeError::Rule(error) = overlay.apply(change, None).unwrap_err() else {
            panic!("it is the rule");
        };
        assert_eq!((error.rule(), error.field()), (Some("down"), "guards"));
        assert!(error.allowed().contains("policy"), "{error}");
    }
    assert_eq!(overlay.rules().rules().len(), 0);
}
