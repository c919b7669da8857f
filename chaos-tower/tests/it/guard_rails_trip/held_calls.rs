//! Calls that are held count before they end, and so do callers who left late.

use std::{convert::Infallible, time::Duration};

use axum::body::Body;
use chaos_core::{Fault, GuardRail, Injector, Latency, Rate, Trigger};
use chaos_tower::InjectLayer;
use http::{Request, Response, StatusCode};
use tokio::time::{sleep, timeout};
use tower::{Layer, service_fn, util::BoxCloneSyncService};

use super::{MS, ask, ask_at_once, errors, halted, rule, service, unavailable};

/// All calls hang, and no other comes: the first that are late say so themselves.
#[tokio::test(start_paused = true)]
async fn calls_that_hang_are_noticed_without_others() {
    let injector = Injector::new();
    let service = service(&injector);
    let rail = GuardRail::new().latency(0.9, 200 * MS).unwrap();
    let hang = Fault::hang(Duration::from_secs(60)).unwrap();
    injector.put(rule("hang", "http.server", hang).guard(rail));
    let clock = chaos_core::Clock::monotonic();
    let calls = ask_at_once(&service, "/", 25);
    for call in calls {
        assert_eq!(call.await.unwrap(), StatusCode::OK, "let go by the halt");
    }
    let took = clock.now();
    assert!((200 * MS..300 * MS).contains(&took), "{took:?}");
    let reason = halted(&injector).unwrap();
    assert!(
        reason.starts_with("latency p90 at http.server is 20"),
        "{reason}"
    );
    // Who is being held was injected.
    assert!(
        reason.ends_with("(25 calls in 10s, 25 injected)"),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn callers_that_leave_and_health_checks() {
    let injector = Injector::new();
    let service = service(&injector);
    let hang = Fault::hang(Duration::from_secs(60)).unwrap();
    injector.put(rule("hang", "http.server", hang).guard(errors(0.5)));
    // A health check is never hit, and says nothing of the others.
    for _ in 0..100 {
        assert_eq!(ask(&service, "/healthz").await, StatusCode::OK);
    }
    // Nor does a visitor who leaves by himself.
    for _ in 0..100 {
        assert!(timeout(50 * MS, ask(&service, "/")).await.is_err());
    }
    assert_eq!(halted(&injector), None);
    // One who was held for half of the window, and gives up, does.
    let rail = errors(0.5).at_least(2);
    let hang = Fault::hang(Duration::from_secs(60)).unwrap();
    injector.put(rule("hang", "http.server", hang).guard(rail));
    let patience = Duration::from_millis(5001);
    for round in 0..2 {
        assert!(timeout(patience, ask(&service, "/")).await.is_err());
        assert_eq!(halted(&injector), None, "{round}");
        let _ = timeout(patience, ask(&service, "/")).await;
        let reason = halted(&injector).unwrap();
        assert!(
            reason.ends_with("is 1.000; allowed: 0.500 (2 calls in 10s, 2 injected)"),
            "{reason}"
        );
        injector.acknowledge();
        injector.resume();
    }
}

/// A latency bound takes who leaves late, and not who leaves soon, for a late call.
#[tokio::test(start_paused = true)]
async fn callers_that_leave_late_are_late() {
    let injector = Injector::new();
    let service = service(&injector);
    let rail = GuardRail::new().latency(0.9, 200 * MS).unwrap();
    let slow = Fault::latency(Latency::fixed(Duration::from_secs(1)).unwrap());
    injector.put(rule("slow", "http.server", slow).guard(rail));
    for _ in 0..100 {
        assert!(timeout(100 * MS, ask(&service, "/")).await.is_err());
    }
    assert_eq!(halted(&injector), None);
    for _ in 0..20 {
        let _ = timeout(201 * MS, ask(&service, "/")).await;
    }
    assert!(halted(&injector).unwrap().contains("20 calls"));
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_held_for_half_of_the_window_count_as_failed() {
    let injector = Injector::new();
    let service = service(&injector);
    let hang = Fault::hang(Duration::from_secs(60)).unwrap();
    injector.put(rule("hang", "http.server", hang).guard(errors(0.5)));
    let clock = chaos_core::Clock::monotonic();
    for round in 0..2 {
        let before = clock.now();
        let calls = ask_at_once(&service, "/", 40);
        for call in calls {
            assert_eq!(call.await.unwrap(), StatusCode::OK, "let go by the halt");
        }
        let took = clock.now() - before;
        assert!((5000 * MS..5100 * MS).contains(&took), "{took:?}");
        let reason = halted(&injector).unwrap();
        assert!(
            reason.ends_with("is 1.000; allowed: 0.500 (40 calls in 10s, 40 injected)"),
            "{round}: {reason}"
        );
        injector.acknowledge();
        injector.resume();
    }
    // A call that waits for reasons of its own is not held.
    let handler = service_fn(|_: Request<Body>| async {
        sleep(Duration::from_secs(8)).await;
        Ok::<_, Infallible>(Response::new(Body::empty()))
    });
    let layer = InjectLayer::with_injector("http.server", &injector);
    let service = BoxCloneSyncService::new(layer.layer(handler));
    let none = Trigger::new().rate(Rate::new(0.0).unwrap());
    let watched = rule("hang", "http.server", unavailable()).trigger(none);
    injector.put(watched.guard(errors(0.5)));
    let calls = ask_at_once(&service, "/", 40);
    for call in calls {
        assert_eq!(call.await.unwrap(), StatusCode::OK);
    }
    assert_eq!(halted(&injector), None);
}
