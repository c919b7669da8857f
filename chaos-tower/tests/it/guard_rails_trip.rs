//! A guard rail stops what breaks its bound, at once, and it stays stopped until someone acknowledges it.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use chaos_core::{
    Fault, GuardRail, HaltHook, Injector, Latency, Overlay, Policy, Rate, Rule, SiteKind, State,
    Trigger,
    audit::{Action, Actor},
    inject_async,
    rule::{Change, ChangeError},
    wire,
};
use chaos_tower::InjectLayer;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::json;
use tokio::time::{sleep, timeout};
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
async fn an_answer_that_is_cut_off_is_a_failure() {
    for abort in [
        json!("close"),
        json!("reset"),
        json!("refuse"),
        json!({"h2": "cancel"}),
    ] {
        let rule = json!({
            "site": "http.server", "faults": [{"abort": abort}],
            "guards": [{"site": "http.server", "error_ratio": 0.1, "window": "10s", "at_least": 5}],
        });
        let injector = Injector::new();
        let service = service(&injector);
        injector.put(wire::rule_from_value(rule, Some("cut")).unwrap());
        for _ in 0..5 {
            ask(&service, "/").await;
        }
        let reason = halted(&injector).expect("the fifth call was enough to judge");
        assert!(reason.contains("is 1.000"), "{abort}: {reason}");
        // A call that is left alone afterwards is none.
        injector.as_actor(Actor::new("alice")).acknowledge();
        injector.clear();
        assert!(injector.resume());
        assert_eq!(ask(&service, "/").await, StatusCode::OK);
    }
}

/// A response whose body fails, or has an error in its trailers, was taken for a success.
#[tokio::test(start_paused = true)]
async fn a_body_that_fails_is_a_failure() {
    let abort = json!({"abort": "close", "after": "3B"});
    let truncate = json!({"body": {"truncate_after": "3B"}});
    let upload = json!({"abort": "close", "after": "3B", "on": "request"});
    let status = json!({"grpc": {"code": 14, "after_messages": 1}});
    let harmless = json!({"latency": "0s"});
    for (fault, ending, trips) in [
        (&abort, Ending::Whole, true),
        (&truncate, Ending::Whole, true),
        (&upload, Ending::Whole, true),
        (&status, Ending::Grpc("0"), true),
        (&harmless, Ending::Error, true),
        (&harmless, Ending::Grpc("13"), true),
        (&harmless, Ending::Whole, false),
        (&harmless, Ending::Grpc("0"), false),
    ] {
        let injector = Injector::new();
        let service = streaming(&injector, ending);
        let rule = json!({
            "site": "http.server", "faults": [fault],
            "guards": [{"error_ratio": 0.1, "window": "10s", "at_least": 5}],
        });
        injector.put(wire::rule_from_value(rule, Some("r")).unwrap());
        // Twice, with an acknowledgement between.
        for _ in 0..2 {
            for _ in 0..5 {
                assert_eq!(halted(&injector), None, "{fault} {ending:?}");
                let _ = read(&service).await;
            }
            let reason = halted(&injector);
            assert_eq!(reason.is_some(), trips, "{fault} {ending:?}");
            if let Some(reason) = reason {
                // The head of the fifth may be enough to judge, with the four bodies before.
                let is_all = ["is 0.800", "is 1.000"]
                    .iter()
                    .any(|all| reason.contains(all));
                assert!(is_all, "{fault} {ending:?}: {reason}");
                assert!(reason.contains("(5 calls"), "{fault} {ending:?}: {reason}");
            }
            let alice = injector.as_actor(Actor::new("alice"));
            alice.acknowledge();
            let _ = alice.resume();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_amid_the_body_is_no_failure() {
    let injector = Injector::new();
    let service = streaming(&injector, Ending::Error);
    let rail = errors(0.1).at_least(5);
    let fault = Fault::latency(Latency::fixed(MS).unwrap());
    injector.put(rule("slow", "http.server", fault).guard(rail));
    for _ in 0..10 {
        let mut body = ask_body(&service).await;
        body.frame().await.unwrap().unwrap();
        drop(body);
    }
    assert_eq!(halted(&injector), None);
}

/// A stream may fail long after its head has left the window.
#[tokio::test(start_paused = true)]
async fn a_body_that_fails_late_is_a_failure_of_now() {
    let injector = Injector::new();
    let service = streaming(&injector, Ending::Error);
    let fault = Fault::latency(Latency::fixed(MS).unwrap());
    injector.put(rule("slow", "http.server", fault).guard(errors(0.1).at_least(5)));
    let mut bodies = Vec::new();
    for _ in 0..10 {
        bodies.push(ask_body(&service).await);
    }
    sleep(60_000 * MS).await;
    for body in bodies.split_off(5) {
        body.collect().await.unwrap_err();
    }
    let reason = halted(&injector).unwrap();
    assert!(
        reason.contains("is 1.000") && reason.contains("(5 calls"),
        "{reason}"
    );
    // Those of before the acknowledgement do not count after it.
    let alice = injector.as_actor(Actor::new("alice"));
    alice.acknowledge();
    alice.resume().unwrap();
    for body in bodies {
        body.collect().await.unwrap_err();
    }
    assert_eq!(halted(&injector), None);
}

/// How the body of a handler ends.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Whole,
    Error,
    Grpc(&'static str),
}

/// Reads its request, and answers with a gRPC message in pieces.
fn streaming(injector: &Injector, ending: Ending) -> Service {
    let handler = service_fn(move |request: Request<Body>| async move {
        let _ = request.into_body().collect().await;
        let piece = |bytes: &'static [u8]| Ok(Frame::data(Bytes::from_static(bytes)));
        let mut frames = vec![piece(&[0, 0, 0]), piece(&[0, 1, 7])];
        match ending {
            Ending::Whole => {}
            Ending::Error => frames.push(Err("its own error")),
            Ending::Grpc(code) => {
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", HeaderValue::from_static(code));
                frames.push(Ok(Frame::trailers(trailers)));
            }
        }
        let body = StreamBody::new(futures_util::stream::iter(frames));
        Ok::<_, Infallible>(Response::new(Body::new(body)))
    });
    let layer = InjectLayer::with_injector("http.server", injector);
    BoxCloneSyncService::new(layer.layer(handler))
}

async fn ask_body(service: &Service) -> Body {
    let request = Request::post("/").header("content-type", "application/grpc");
    let request = request.body(Body::from("request")).unwrap();
    service.clone().oneshot(request).await.unwrap().into_body()
}

async fn read(service: &Service) -> Result<(), axum::Error> {
    ask_body(service).await.collect().await.map(drop)
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

/// All calls hang, and no other comes: the first that are late say so themselves.
#[tokio::test(start_paused = true)]
async fn calls_that_hang_are_noticed_without_others() {
    let injector = Injector::new();
    let service = service(&injector);
    let rail = GuardRail::new().latency(0.9, 200 * MS).unwrap();
    let hang = Fault::hang(Duration::from_secs(60)).unwrap();
    injector.put(rule("hang", "http.server", hang).guard(rail));
    let clock = chaos_core::Clock::monotonic();
    let calls: Vec<_> = (0..25)
        .map(|_| {
            let service = service.clone();
            tokio::spawn(async move { ask(&service, "/").await })
        })
        .collect();
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
        let calls: Vec<_> = (0..40)
            .map(|_| {
                let service = service.clone();
                tokio::spawn(async move { ask(&service, "/").await })
            })
            .collect();
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
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let service = service.clone();
            tokio::spawn(async move { ask(&service, "/").await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), StatusCode::OK);
    }
    assert_eq!(halted(&injector), None);
}

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
    let slow: Vec<_> = (0..25)
        .map(|_| {
            let service = service.clone();
            tokio::spawn(async move { ask(&service, "/slow").await })
        })
        .collect();
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

#[test]
fn a_guard_rail_that_measures_nothing_is_refused() {
    let injector = Injector::new();
    let refused = |site: &str, guard: serde_json::Value| {
        let doc = json!({"id": "r", "site": site, "faults": [{"error": "lost"}],
            "guards": [{"error_ratio": 0.5, "site": "http.server"}, guard]});
        let rule = wire::rule_from_value(doc, None).unwrap();
        let error = injector.check([&rule]).err()?;
        assert_eq!((error.rule(), error.field()), (Some("r"), "guards[1].site"));
        Some((error.problem().to_owned(), error.allowed().to_owned()))
    };
    // Before the code was passed and the layer was made, nothing is known of them.
    let of_the_rule = || json!({"error_ratio": 0.5});
    let at = |site: &str| json!({"error_ratio": 0.5, "site": site});
    assert_eq!(refused("db.read", of_the_rule()), None);
    let _ = injector.site_of("db.read", SiteKind::Async);
    let _ = injector.site_of("rpc.client", SiteKind::Sync);
    let _ = injector.site_of("tcp.server", SiteKind::Connection);
    let (problem, allowed) = refused("db.read", of_the_rule()).unwrap();
    assert_eq!(
        problem,
        "no layer is at \"db.read\", and only layers are measured"
    );
    assert!(allowed.ends_with("such as http.server"), "{allowed}");
    // A pattern may match a layer that is made later.
    assert_eq!(refused("db.*", of_the_rule()), None);
    assert_eq!(refused("db.read", at("**")), None);

    let _service = service(&injector);
    let _ = injector.site("rpc.client");
    for (site, guard) in [
        ("db.read", of_the_rule()),
        ("db.*", of_the_rule()),
        ("http.server", at("db.read")),
        ("http.server", at("tcp.server")),
    ] {
        let (_, allowed) = refused(site, guard).unwrap();
        assert_eq!(allowed, "a layer: http.server, rpc.client");
    }
    for fine in ["http.server", "**", "rpc.client", "*.client", "made.later"] {
        assert_eq!(refused("db.read", at(fine)), None, "{fine}");
    }
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

#[test]
fn it_is_said_on_the_wire() {
    let doc = json!({"id": "r", "site": "db.read", "enabled": true, "faults": [{"error": "lost"}], "guards": [
        {"error_ratio": 0.1},
        {"site": "http.*", "window": "30s", "at_least": 5, "latency": {"p99.9": "800ms"}, "over_baseline": true,
            "max_baseline_latency": "2s", "then": "disarm"},
        {"error_ratio": 0.1, "over_baseline": true, "max_baseline_error_ratio": 0.2},
        {"latency": {"p50": "100ms"}, "latency_to_end": {"p99": "2s"}, "over_baseline": true},
        {"latency_to_end": {"p99": "2s"}, "over_baseline": true, "max_baseline_latency": "1s"},
    ]});
    let read = wire::rule_from_value(doc.clone(), None).unwrap();
    let second = GuardRail::new()
        .site("http.*".parse().unwrap())
        .window(Duration::from_secs(30))
        .and_then(|rail| rail.at_least(5).latency(0.999, 800 * MS))
        .unwrap()
        .over_baseline()
        .max_baseline_latency(Duration::from_secs(2))
        .then(chaos_core::guard_rail::Then::Disarm);
    let third = errors(0.1).over_baseline();
    let third = third.max_baseline_error_ratio(Rate::new(0.2).unwrap());
    let to_end = |rail: GuardRail| rail.latency_to_end(0.99, 2000 * MS).unwrap();
    let fourth = GuardRail::new().latency(0.5, 100 * MS).unwrap();
    let fifth = GuardRail::new().max_baseline_latency(1000 * MS);
    let expected = rule("r", "db.read", Fault::error("lost"))
        .guard(errors(0.1))
        .guard(second)
        .guard(third)
        .guard(to_end(fourth).over_baseline())
        .guard(to_end(fifth).over_baseline());
    assert_eq!(read, expected);
    assert_eq!(wire::rule_to_value(&read), doc);

    for (rail, field) in [
        (json!({}), "guards[0]"),
        (json!({"site": "http.*"}), "guards[0]"),
        (json!({"error_ratio": 2}), "guards[0].error_ratio"),
        (
            json!({"error_ratio": 0.1, "window": "1ms"}),
            "guards[0].window",
        ),
        (
            json!({"error_ratio": 0.1, "site": "a..b"}),
            "guards[0].site",
        ),
        (json!({"latency": {"p99": "soon"}}), "guards[0].latency"),
        (
            json!({"latency": {"p99": "1s", "p50": "1s"}}),
            "guards[0].latency",
        ),
        (json!({"latency": {"q99": "1s"}}), "guards[0].latency"),
        (json!({"latency": {"p100": "1s"}}), "guards[0].latency"),
        (json!({"latency": "1s"}), "guards[0].latency"),
        (
            json!({"latency_to_end": {"p100": "1s"}}),
            "guards[0].latency_to_end",
        ),
        (json!({"latency_to_end": "1s"}), "guards[0].latency_to_end"),
        (
            json!({"error_ratio": 0.1, "then": "explode"}),
            "guards[0].then",
        ),
        (json!({"errors": 0.1}), "guards[0].errors"),
        (
            json!({"error_ratio": 0.1, "max_baseline_error_ratio": 0.2}),
            "guards[0].max_baseline_error_ratio",
        ),
        (
            json!({"error_ratio": 0.1, "over_baseline": true, "max_baseline_error_ratio": 2}),
            "guards[0].max_baseline_error_ratio",
        ),
        (
            json!({"error_ratio": 0.1, "over_baseline": true, "max_baseline_latency": "1s"}),
            "guards[0].max_baseline_latency",
        ),
        (
            json!({"latency": {"p99": "1s"}, "over_baseline": true, "max_baseline_latency": "soon"}),
            "guards[0].max_baseline_latency",
        ),
    ] {
        let doc = json!({"site": "db.read", "faults": [{"error": "lost"}], "guards": [rail]});
        let error = wire::rule_from_value(doc.clone(), Some("r")).expect_err(&doc.to_string());
        assert_eq!(error.field(), field, "{error}");
        assert!(!error.allowed().is_empty(), "{field}");
    }
    // In code, where a rail may be left without a bound.
    let unbounded = rule("r", "db.read", Fault::error("lost")).guard(GuardRail::new());
    assert!(Injector::new().check([&unbounded]).is_err());
}

/// The longest of all times panicked on each request.
#[tokio::test]
async fn a_latency_may_be_as_long_as_can_be() {
    let injector = Injector::new();
    let rail = GuardRail::new().latency(0.99, Duration::MAX).unwrap();
    injector.put(rule("r", "http.server", unavailable()).guard(rail));
    assert_eq!(ask(&service(&injector), "/").await, 503);
}
