//! A guard rail stops what breaks its bound, at once, and it stays stopped until someone acknowledges it.

mod bodies;
mod held_calls;
mod on_the_wire;
mod overlays;
mod policy;

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::body::Body;
use chaos_core::{
    Fault, GuardRail, HaltHook, Injector, Latency, Policy, Rate, Rule, State, Trigger,
    audit::{Action, Actor},
    inject_async,
    rule::{Change, ChangeError},
    wire,
};
use chaos_tower::InjectLayer;
use http::{Request, Response, StatusCode};
use serde_json::json;
use tokio::{task::JoinHandle, time::sleep};
use tower::{Layer, ServiceExt, service_fn, util::BoxCloneSyncService};

type Service = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

const MS: Duration = Duration::from_millis(1);

/// Passes `db.read` after 10 ms, and answers 500 where that fails.
fn service(injector: &Injector) -> Service {
    let db = injector.clone();
    let handler = service_fn(move |_: Request<Body>| {
        let db = db.clone();
        async move {
            sleep(10 * MS).await;
            let mut response = Response::new(Body::empty());
            if inject_async!(injector: &db, "db.read").await.is_err() {
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            }
            Ok::<_, Infallible>(response)
        }
    });
    let layer = InjectLayer::with_injector("http.server", injector);
    BoxCloneSyncService::new(layer.layer(handler))
}

async fn ask(service: &Service, path: &str) -> StatusCode {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = service.clone().oneshot(request).await;
    response.unwrap().status()
}

/// Begins many calls at once, each in a task of its own.
fn ask_at_once(service: &Service, path: &'static str, calls: usize) -> Vec<JoinHandle<StatusCode>> {
    let one = |_| {
        let service = service.clone();
        tokio::spawn(async move { ask(&service, path).await })
    };
    (0..calls).map(one).collect()
}

fn rule(id: &str, site: &str, fault: Fault) -> Rule {
    Rule::new(id.parse().unwrap(), site.parse().unwrap(), fault)
}

fn unavailable() -> Fault {
    Fault::status(503).unwrap()
}

fn errors(ratio: f64) -> GuardRail {
    GuardRail::new().error_ratio(Rate::new(ratio).unwrap())
}

fn halted(injector: &Injector) -> Option<String> {
    match injector.status().state {
        State::Halted { reason, .. } => Some(reason),
        _ => None,
    }
}

/// A rule that fires on a call, and finds nothing to act on, is not to blame for what becomes of it.
#[tokio::test(start_paused = true)]
async fn what_had_nothing_to_act_on_is_not_injected() {
    let injector = Injector::new();
    let layer = InjectLayer::with_injector("http.server", &injector);
    let broken = layer.layer(service_fn(async |_: Request<Body>| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        Ok::<_, Infallible>(response)
    }));
    let broken = BoxCloneSyncService::new(broken);
    let rule = json!({"site": "http.server", "faults": [{"body": {"truncate_after": "1B"}}]});
    let rule = wire::rule_from_value(rule, Some("short")).unwrap();
    injector.put(rule.guard(errors(0.5)));
    while halted(&injector).is_none() {
        ask(&broken, "/").await;
    }
    let reason = halted(&injector).unwrap();
    assert!(
        reason.ends_with("(20 calls in 10s, 0 injected)"),
        "{reason}"
    );
    assert_eq!(injector.counts("short").unwrap().injected, 0);
}

/// The reasons of the halts that it hears of.
#[derive(Default)]
struct Reasons(Mutex<Vec<String>>);

impl HaltHook for Reasons {
    fn halted(&self, by: &Actor) {
        self.0.lock().unwrap().extend(by.reason().map(String::from));
    }

    fn before_resume(&self) -> Result<(), String> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn too_many_errors_halt_everything_until_acknowledged() {
    let injector = Injector::new();
    let reasons = Arc::new(Reasons::default());
    injector.add_halt_hook(reasons.clone());
    let service = service(&injector);
    injector.put(rule("down", "http.server", unavailable()).guard(errors(0.5)));
    for calls in 1..=20 {
        assert_eq!(
            ask(&service, "/").await,
            StatusCode::SERVICE_UNAVAILABLE,
            "{calls}"
        );
    }
    // The twentieth was enough to judge.
    assert_eq!(ask(&service, "/").await, StatusCode::OK);
    let reason = halted(&injector).unwrap();
    assert_eq!(
        reason,
        "error ratio at http.server is 1.000; allowed: 0.500 (20 calls in 10s, 20 injected)"
    );
    let breaches = injector.status().breaches;
    assert_eq!(
        (breaches.len(), breaches[0].to_string()),
        (1, reason.clone())
    );
    assert_eq!(
        (breaches[0].breach.calls, breaches[0].breach.injected),
        (20, 20)
    );
    assert_eq!(*reasons.0.lock().unwrap(), [reason.as_str()]);

    let alice = injector.as_actor(Actor::new("alice").because("seen"));
    // A person may hold it besides; what the guard rail holds is not ended by a resume.
    assert!(!alice.halt());
    let holders = injector.status().holders;
    let kinds: Vec<_> = holders.iter().map(|it| (it.kind, it.locked)).collect();
    use chaos_core::HolderKind::{GuardRail, Person};
    assert_eq!(kinds, [(GuardRail, true), (Person, false)]);
    let error = alice.resume().unwrap_err();
    assert!(matches!(error, ChangeError::Locked { .. }) && error.to_string().contains(&reason));
    assert!(!injector.resume());
    assert_eq!(alice.acknowledge(), 1);
    assert_eq!(alice.acknowledge(), 0);
    assert!(
        halted(&injector).is_some(),
        "an acknowledgement lets nothing loose"
    );
    assert!(alice.resume().unwrap());
    assert_eq!(ask(&service, "/").await, StatusCode::SERVICE_UNAVAILABLE);

    let entries = injector.audit().after(0).entries;
    let actions: Vec<_> = entries.iter().map(|entry| entry.action).collect();
    use Action::{Acknowledge, Breach, Halt, Put, Resume};
    assert_eq!(actions, [Put, Breach, Halt, Acknowledge, Resume]);
    assert_eq!(entries[1].what.as_deref(), Some(reason.as_str()));
    assert_eq!(entries[1].actor.name(), "chaos");
    assert_eq!(
        entries[2].what.as_deref(),
        Some("already held by a guard rail")
    );
    assert_eq!(entries[3].what.as_deref(), Some(reason.as_str()));
    assert_eq!(
        entries[4].what.as_deref(),
        Some("ended the holds of a guard rail, alice")
    );
}

#[tokio::test(start_paused = true)]
async fn one_rule_can_be_stopped_alone() {
    let injector = Injector::new();
    let service = service(&injector);
    let rail = errors(0.5).then(chaos_core::guard_rail::Then::Disarm);
    let down = rule("down", "http.server", unavailable()).guard(rail);
    injector.put(down.clone());
    let slow = Fault::latency(Latency::fixed(5 * MS).unwrap());
    injector.put(rule("slow", "db.read", slow));
    for _ in 0..30 {
        ask(&service, "/").await;
    }
    assert_eq!(halted(&injector), None);
    assert!(!injector.rules().find("down").unwrap().is_enabled());
    assert_eq!(injector.counts("down").unwrap().injected, 20);
    assert_eq!(injector.counts("slow").unwrap().injected, 10);

    let generation = injector.rules().generation();
    let edits = [
        Change::Put(down.clone()),
        Change::Edit(down.clone()),
        Change::Replace(vec![down.clone()]),
    ];
    for edit in edits {
        let error = injector.apply(edit, None).unwrap_err();
        assert!(matches!(error, ChangeError::Locked { .. }), "{error}");
    }
    assert_eq!(injector.rules().generation(), generation);
    // What arms nothing is allowed; taking it out and putting it back is no way around.
    injector.put(down.clone().enabled(false));
    injector.remove(down.id());
    assert!(injector.apply(Change::Put(down.clone()), None).is_err());
    assert_eq!(injector.acknowledge(), 1);
    injector.put(down);
    assert_eq!(ask(&service, "/").await, StatusCode::SERVICE_UNAVAILABLE);

    let entries = injector.audit().after(0).entries;
    let breach = entries
        .iter()
        .find(|entry| entry.action == Action::Breach)
        .unwrap();
    let changes = breach.changes();
    let [(Some(before), Some(after))] = &changes[..] else {
        panic!("{changes:?}");
    };
    assert!(before.is_enabled() && !after.is_enabled());
    let generations: Vec<_> = entries.iter().map(|entry| entry.generation).collect();
    assert!(generations.is_sorted(), "{generations:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_injected_elsewhere_on_the_way_counts_as_injected() {
    let injector = Injector::new();
    let service = service(&injector);
    let rail = errors(0.2)
        .site("http.server".parse().unwrap())
        .over_baseline();
    let half = Trigger::new().rate(Rate::new(0.5).unwrap()).seed(3);
    injector.put(
        rule("lost", "db.read", Fault::error("lost"))
            .trigger(half)
            .guard(rail),
    );
    while halted(&injector).is_none() {
        ask(&service, "/").await;
    }
    // "… (41 calls in 10s, 20 injected)"
    let breach = injector.status().breaches[0].to_string();
    let numbers = breach.rsplit_once('(').unwrap().1;
    let numbers: Vec<u64> = numbers
        .split(' ')
        .filter_map(|word| word.parse().ok())
        .collect();
    let [calls, injected] = numbers[..] else {
        panic!("{breach}");
    };
    assert_eq!(
        injector.counts("lost").unwrap().injected,
        injected,
        "{breach}"
    );
    assert!(injected < calls, "{breach}");
}

/// A service that fails by itself does not trip a guard rail that looks at what is on top of that.
#[tokio::test(start_paused = true)]
async fn over_a_baseline_the_own_failures_of_a_service_do_not_count() {
    let injector = Injector::new();
    let flaky = service_fn(|request: Request<Body>| async move {
        let mut response = Response::new(Body::empty());
        if request.uri().path() == "/broken" {
            *response.status_mut() = StatusCode::BAD_GATEWAY;
        }
        Ok::<_, Infallible>(response)
    });
    let layer = InjectLayer::with_injector("http.server", &injector);
    let service = BoxCloneSyncService::new(layer.layer(flaky));
    let tenth = Trigger::new().rate(Rate::new(0.1).unwrap()).seed(3);
    let rail = errors(0.3).over_baseline();
    let down = rule("down", "http.server", unavailable())
        .trigger(tenth)
        .guard(rail);
    injector.put(down);
    for n in 0..500 {
        ask(&service, if n % 2 == 0 { "/broken" } else { "/" }).await;
    }
    assert_eq!(halted(&injector), None);
    assert!(injector.counts("down").unwrap().injected > 20);
}

/// Asks until the injector is halted, at most as often as a guard rail needs to judge, and returns
/// how often that was.
async fn ask_until_halted(service: &Service, injector: &Injector) -> usize {
    for asked in 0..40 {
        if halted(injector).is_some() {
            return asked;
        }
        ask(service, "/").await;
    }
    panic!("no guard rail trips");
}

#[tokio::test(start_paused = true)]
async fn a_guard_rail_that_was_acknowledged_trips_again() {
    let of_rule = rule("down", "http.server", unavailable());
    let rail = || errors(0.5).site("http.server".parse().unwrap());
    let cases = [
        (Policy::new(), of_rule.clone().guard(rail())),
        (Policy::new().guard(rail()), of_rule),
    ];
    for (policy, rule) in cases {
        let injector = Injector::new();
        let service = service(&injector);
        injector.set_policy(policy);
        injector.put(rule);
        for round in 0..4 {
            // Calls from before the acknowledgement do not count: it takes as many again.
            assert_eq!(ask_until_halted(&service, &injector).await, 20, "{round}");
            assert_eq!(injector.acknowledge(), 1, "{round}");
            assert!(injector.resume(), "{round}");
        }
        // A person's halt ends the window, too.
        for _ in 0..10 {
            ask(&service, "/").await;
        }
        injector.halt("a person's");
        injector.resume();
        assert_eq!(ask_until_halted(&service, &injector).await, 20);
    }
}

/// Calls that a halt lets go end after the acknowledgement, and say nothing of what comes.
#[tokio::test(start_paused = true)]
async fn calls_of_before_an_acknowledgement_do_not_count_after_it() {
    let injector = Injector::new();
    let handler = service_fn(|request: Request<Body>| async move {
        if request.uri().path() == "/slow" {
            sleep(300 * MS).await;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        Ok::<_, Infallible>(response)
    });
    let layer = InjectLayer::with_injector("http.server", &injector);
    let service = BoxCloneSyncService::new(layer.layer(handler));
    let none = Trigger::new().rate(Rate::new(0.0).unwrap());
    let watched = rule("none", "http.server", unavailable()).trigger(none);
    injector.put(watched.guard(errors(0.5)));
    let slow = ask_at_once(&service, "/slow", 25);
    sleep(100 * MS).await;
    assert_eq!(ask_until_halted(&service, &injector).await, 20);
    injector.acknowledge();
    injector.resume();
    for call in slow {
        call.await.unwrap();
    }
    assert_eq!(halted(&injector), None);
    assert_eq!(ask_until_halted(&service, &injector).await, 20);
}

/// Nothing is measured, and no future is boxed, where no guard rail is armed.
#[tokio::test(start_paused = true)]
async fn without_one_armed_nothing_is_watched() {
    let injector = Injector::new();
    let service = service(&injector);
    let site = injector.site("http.server");
    let rail = errors(0.5).site("http.server".parse().unwrap());
    let never = Trigger::new().rate(Rate::new(0.0).unwrap());
    let guarded = rule("never", "db.read", Fault::error("lost"))
        .trigger(never)
        .guard(rail);
    // The first call is asked for its peer.
    ask(&service, "/").await;
    assert!(!site.is_armed());
    injector.put(guarded.clone());
    assert!(site.is_armed(), "it watches here");
    injector.put(guarded.clone().enabled(false));
    assert!(!site.is_armed());
    injector.put(guarded.clone());
    injector.remove(guarded.id());
    assert!(!site.is_armed());
    // It ends with its rule, whoever notices.
    let ttl = chaos_core::Lifetime::new(Duration::from_secs(1)).unwrap();
    injector.put(guarded.lifetime(ttl));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(ask(&service, "/").await, StatusCode::OK);
    assert!(!site.is_armed());
}

/// The longest of all times panicked on each request.
#[tokio::test]
async fn a_latency_may_be_as_long_as_can_be() {
    let injector = Injector::new();
    let rail = GuardRail::new().latency(0.99, Duration::MAX).unwrap();
    injector.put(rule("r", "http.server", unavailable()).guard(rail));
    assert_eq!(ask(&service(&injector), "/").await, 503);
}
