//! What an observed rule does to requests is counted at each layer that they pass, to the last one.

use std::{convert::Infallible, time::Duration};

use axum::body::Body;
use chaos_core::{
    Fault, GuardRail, Injector, Latency, OutcomeGroup, Overlay, Rate, Rule, RuleOutcomes, SiteKind,
    SiteOutcomes, Trigger, inject_async, wire,
};
use chaos_tower::InjectLayer;
use futures_util::future::join_all;
use http::{Request, Response, StatusCode};
use serde_json::json;
use tokio::time::timeout;
use tower::{Layer, ServiceExt, service_fn, util::BoxCloneSyncService};

type Service = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

const MS: Duration = Duration::from_millis(1);
const SITES: [&str; 3] = ["http.server", "http.client", "db.read"];
const TASKS: usize = 8;
const CALLS: usize = 250;

/// A layer around a layer around a handler that reads. The inner service is called when the outer one is, and not when
/// that is polled.
fn service(injector: &Injector) -> Service {
    let _ = injector.site_of("db.read", SiteKind::Async);
    let db = injector.clone();
    let handler = service_fn(move |_: Request<Body>| {
        let db = db.clone();
        async move {
            tokio::task::yield_now().await;
            let mut response = Response::new(Body::empty());
            if inject_async!(injector: &db, "db.read").await.is_err() {
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            }
            Ok::<_, Infallible>(response)
        }
    });
    let [outer, inner] =
        ["http.server", "http.client"].map(|site| InjectLayer::with_injector(site, injector));
    BoxCloneSyncService::new(outer.layer(inner.layer(handler)))
}

async fn ask(service: &Service) -> StatusCode {
    let request = Request::get("/cart").body(Body::empty()).unwrap();
    let response = service.clone().oneshot(request).await;
    response.unwrap().status()
}

/// Serves many calls on two threads, and returns how many have failed.
async fn load(service: &Service) -> u64 {
    let task = |_| {
        let service = service.clone();
        tokio::spawn(async move {
            let mut failed = 0;
            for _ in 0..CALLS {
                failed += u64::from(ask(&service).await.is_server_error());
            }
            failed
        })
    };
    let failed = join_all((0..TASKS).map(task)).await;
    failed.into_iter().map(Result::unwrap).sum()
}

fn rule(site: &str, fault: Fault) -> Rule {
    let rule = Rule::new("lost".parse().unwrap(), site.parse().unwrap(), fault);
    rule.trigger(Trigger::new().rate(Rate::new(0.3).unwrap()))
}

fn outcomes(injector: &Injector) -> RuleOutcomes {
    injector.outcomes("lost").expect("it is observed")
}

fn counted(group: &OutcomeGroup) -> (u64, u64) {
    (group.calls, group.failed)
}

fn calls(site: &SiteOutcomes) -> [u64; 3] {
    let unmatched = site.unmatched.as_ref().map_or(0, |group| group.calls);
    [site.hit.calls, site.spared.calls, unmatched]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_layer_counts_what_was_done_to_it_or_below() {
    let injector = Injector::new();
    let service = service(&injector);
    let all = (TASKS * CALLS) as u64;
    for (site, fault) in [
        ("db.read", Fault::error("lost")),
        ("http.client", Fault::status(503).unwrap()),
        ("http.server", Fault::status(503).unwrap()),
    ] {
        let rule = rule(site, fault);
        injector.put(rule.clone().enabled(false));
        injector.observe_outcomes("lost", SITES).unwrap();
        injector.put(rule.clone());
        let failed = load(&service).await;
        injector.put(rule.enabled(false));
        let counts = injector.counts("lost").unwrap();
        assert_eq!(counts.active, 0);
        let outcomes = outcomes(&injector);
        assert!(outcomes.is_over);
        assert_eq!(failed, counts.injected, "{site}");
        let hit = (failed, failed);
        let spared = all - failed;
        let [server, client, read] = <[_; 3]>::try_from(outcomes.sites).unwrap();
        assert_eq!(counted(&server.hit), hit, "{site}");
        assert_eq!(calls(&server), [failed, spared, 0], "{site}");
        // What a fault ends does not get to the sites below, and the rule has matched nothing there.
        match site {
            "db.read" => {
                assert_eq!(counted(&client.hit), hit);
                assert_eq!(calls(&client), [failed, spared, 0]);
                assert_eq!(calls(&read), [failed, spared, 0]);
            }
            "http.client" => {
                assert_eq!(counted(&client.hit), hit);
                assert_eq!(calls(&client), [failed, spared, 0]);
                assert_eq!(calls(&read), [0, 0, 0]);
            }
            _ => assert_eq!(calls(&client), [0, 0, spared]),
        }
        let timed: u64 = server.spared.histogram.iter().map(|(_, calls)| calls).sum();
        assert_eq!(timed, spared);
        injector.clear();
        assert!(injector.end_outcomes("lost"));
    }
    assert!(SITES.iter().all(|site| !injector.site(site).is_armed()));
}

#[tokio::test(start_paused = true)]
async fn who_leaves_a_delayed_call_is_counted_as_failed() {
    let injector = Injector::new();
    let service = service(&injector);
    let delay = Fault::latency(Latency::fixed(100 * MS).unwrap());
    injector.put(rule("db.read", delay).trigger(Trigger::new()));
    injector.observe_outcomes("lost", SITES).unwrap();
    for _ in 0..3 {
        assert!(timeout(10 * MS, ask(&service)).await.is_err());
    }
    assert_eq!(ask(&service).await, 200);
    let [server, client, read] = <[_; 3]>::try_from(outcomes(&injector).sites).unwrap();
    assert_eq!(counted(&server.hit), (4, 3));
    assert_eq!(counted(&client.hit), (4, 3));
    assert_eq!(counted(&read.hit), (4, 0));
    assert_eq!(injector.counts("lost").unwrap().injected, 4);
}

#[tokio::test]
async fn what_has_nothing_to_act_on_is_not_hit() {
    let injector = Injector::new();
    let service = service(&injector);
    let cut = json!({
        "id": "lost",
        "site": "http.server",
        "faults": [{ "body": { "truncate_after": "10B" } }],
    });
    injector.put(wire::rule_from_value(cut, None).unwrap());
    injector.observe_outcomes("lost", ["http.server"]).unwrap();
    // The response has no body.
    assert_eq!(ask(&service).await, 200);
    let [server] = <[_; 1]>::try_from(outcomes(&injector).sites).unwrap();
    assert_eq!(injector.counts("lost").unwrap().injected, 0);
    assert_eq!(calls(&server), [0, 0, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn halts_overlays_and_guard_rails_lose_nothing() {
    let injector = Injector::new();
    let service = service(&injector);
    let mine = Rule::new(
        "lost".parse().unwrap(),
        "http.client".parse().unwrap(),
        Fault::status(503).unwrap(),
    );
    let overlay = Overlay::new(&injector);
    overlay.put(mine);
    // It measures, and never trips.
    let rail = GuardRail::new().error_ratio(Rate::new(1.0).unwrap());
    let lost = rule("db.read", Fault::error("lost")).guard(rail);
    injector.put(lost.clone().enabled(false));
    injector.observe_outcomes("lost", SITES).unwrap();
    injector.put(lost);
    let halts = async {
        for _ in 0..20 {
            tokio::time::sleep(MS).await;
            injector.halt("enough");
            tokio::time::sleep(MS).await;
            injector.resume();
        }
    };
    let private = async {
        let mut failed = 0;
        for _ in 0..100 {
            let answer = overlay.run(ask(&service)).await;
            failed += u64::from(answer.is_server_error());
        }
        failed
    };
    let (failed, private, ()) = tokio::join!(load(&service), private, halts);
    let counts = injector.counts("lost").unwrap();
    let [server, client, read] = <[_; 3]>::try_from(outcomes(&injector).sites).unwrap();
    assert!(private > 0);
    assert_eq!(read.hit.calls, counts.injected);
    assert_eq!(client.hit.calls, counts.injected);
    assert_eq!(counted(&server.hit), (counts.injected, counts.injected));
    // In the overlay, a call outside of a halt is hit by its rule, and one within may be hit by neither.
    let all = [
        &server.hit,
        &server.spared,
        server.unmatched.as_ref().unwrap(),
    ];
    let all = all
        .map(counted)
        .into_iter()
        .fold((0, 0), |sum, group| (sum.0 + group.0, sum.1 + group.1));
    assert_eq!(all, ((TASKS * CALLS + 100) as u64, failed + private));
}
