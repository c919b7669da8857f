//! A policy has guard rails of its own.

use std::time::Duration;

use chaos_core::{Fault, Injector, Latency, Overlay, Policy, State};
use tokio::time::sleep;

use super::{MS, ask, ask_until_halted, errors, halted, rule, service, unavailable};

#[tokio::test(start_paused = true)]
async fn the_policy_has_guard_rails_of_its_own() {
    let injector = Injector::new();
    let service = service(&injector);
    let rail = errors(0.5).site("http.*".parse().unwrap());
    injector.set_policy(Policy::new().guard(rail));
    for _ in 0..30 {
        ask(&service, "/").await;
    }
    assert_eq!(injector.status().state, State::Idle);
    injector.put(rule("lost", "db.read", Fault::error("lost")));
    for _ in 0..30 {
        ask(&service, "/").await;
    }
    assert!(halted(&injector).unwrap().contains("at http.* is 1.000"));
    assert_eq!(injector.counts("lost").unwrap().injected, 20);
}

#[tokio::test(start_paused = true)]
async fn the_policys_guard_rail_outlives_the_first_rule_that_expires() {
    let injector = Injector::new();
    let service = service(&injector);
    let rail = errors(0.5).site("http.server".parse().unwrap());
    injector.set_policy(Policy::new().guard(rail));
    let ttl = |seconds| chaos_core::Lifetime::new(Duration::from_secs(seconds)).unwrap();
    let slow = Fault::latency(Latency::fixed(MS).unwrap());
    injector.put(rule("short", "db.read", slow).lifetime(ttl(5)));
    injector.put(rule("long", "db.read", Fault::error("lost")).lifetime(ttl(600)));
    sleep(Duration::from_secs(6)).await;
    for round in 0..2 {
        assert_eq!(ask_until_halted(&service, &injector).await, 20, "{round}");
        injector.acknowledge();
        injector.resume();
    }
    // It ends with the last of them.
    sleep(Duration::from_secs(600)).await;
    ask(&service, "/").await;
    assert!(!injector.site("http.server").is_aimed_at());
}

#[tokio::test(start_paused = true)]
async fn the_policys_guard_rail_holds_where_only_an_overlay_injects() {
    // At the site of the rail, and at another that is passed on the way.
    for (site, fault) in [
        ("http.server", unavailable()),
        ("db.read", Fault::error("lost")),
    ] {
        let injector = Injector::new();
        let service = service(&injector);
        let layer = injector.site("http.server");
        let rail = errors(0.5).site("http.server".parse().unwrap());
        injector.set_policy(Policy::new().guard(rail));
        let overlay = Overlay::new(&injector);
        // The first call is asked for its peer.
        ask(&service, "/").await;
        assert!(!layer.is_armed());
        let ttl = chaos_core::Lifetime::new(Duration::from_secs(60)).unwrap();
        overlay.put(rule("fails", site, fault).lifetime(ttl));
        for round in 0..2 {
            let asked = overlay.run(ask_until_halted(&service, &injector)).await;
            assert_eq!(asked, 20, "{round} {site}");
            let breaches = injector.status().breaches;
            assert!(
                breaches[0].to_string().contains("at http.server is 1.000"),
                "{breaches:?}"
            );
            assert_eq!(injector.acknowledge(), 1);
            injector.resume();
        }
        drop(overlay);
        assert!(!layer.is_armed(), "nothing is armed any more");
    }
}
