//! The rules of an overlay are seen by the calls made in it, and by nobody else.

use std::{thread, time::Duration};

use chaos_core::{
    Call, Clock, Fault, Injected, Injector, Overlay, Plan, Rule, Site, SiteKind, State, global,
    inject, inject_async,
    testing::ManualClock,
    wire::{rule_from_json, rule_from_value},
};
use serde_json::{Value, json};
use tokio::task::{spawn, spawn_blocking, yield_now};

const HOUR: Duration = Duration::from_secs(3600);

fn rule(id: &str, site: &str, fault: Value) -> Rule {
    let rule = json!({"site": site, "ttl": "never", "faults": [fault]});
    rule_from_value(rule, Some(id)).unwrap()
}

fn fails(id: &str, site: &str) -> Rule {
    rule(id, site, json!({"error": id}))
}

fn slow(id: &str, site: &str, latency: &str) -> Rule {
    rule(id, site, json!({"latency": latency}))
}

/// The rules that fire on one call of a site, in order.
fn fired(site: &Site) -> Vec<String> {
    let Some(mut decision) = site.decide(&Call::new()) else {
        return Vec::new();
    };
    let mut fired = Vec::new();
    while let Some(plan) = decision.next_plan() {
        fired.push(match plan {
            Plan::Fail(injected) => injected.rule().to_string(),
            _ => decision.active_call().unwrap().rule().to_string(),
        });
    }
    fired
}

/// What acts on the result follows what makes it, from overlay to injector.
#[test]
fn a_failure_of_an_overlay_is_delayed_by_a_rule_of_the_injector() {
    let injector = Injector::new();
    let pad = |id| rule(id, "private.pad", json!({"latency": {"at_least": "1s"}}));
    injector
        .replace(vec![slow("slow", "private.pad", "1s"), pad("pad")])
        .unwrap();
    let overlay = Overlay::new(&injector);
    overlay.put(fails("fail", "private.pad"));
    let site = injector.site("private.pad");
    assert_eq!(overlay.run_sync(|| fired(site)), ["fail", "pad"]);
    assert_eq!(fired(site), ["slow", "pad"]);
}

/// What a call says that passed a site: the message of the fault.
fn seen(result: Result<(), Injected>) -> Option<String> {
    result.err().map(|injected| injected.message().to_owned())
}

/// What a test in an overlay sees of a site, and of what it calls elsewhere.
async fn passes(injector: &Injector) -> [Option<String>; 4] {
    let (other, another) = (injector.clone(), injector.clone());
    let here = seen(inject_async!(injector: injector, "private.shared").await);
    yield_now().await;
    let task = async move { inject_async!(injector: other, "private.shared").await };
    let task = seen(spawn(Overlay::carry(task)).await.unwrap());
    let thread = move || inject!(injector: another, "private.shared");
    let thread = spawn_blocking(Overlay::carry_sync(thread));
    let thread = seen(thread.await.unwrap());
    yield_now().await;
    [
        here,
        task,
        thread,
        seen(inject!(injector: injector, "private.shared")),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_tests_at_once_none_sees_anothers_fault() {
    let injector = Injector::new();
    for round in 0..100 {
        let tests = (0..64).map(|test| {
            let injector = injector.clone();
            spawn(async move {
                // Some are in no overlay: they see nothing.
                if test % 8 == 0 {
                    return assert_eq!(passes(&injector).await, [const { None }; 4]);
                }
                let overlay = Overlay::new(&injector);
                let id = format!("test-{test}-{round}");
                overlay.put(fails(&id, "private.*"));
                let seen = overlay.run(passes(&injector)).await;
                assert_eq!(seen, [(); 4].map(|()| Some(id.clone())));
                let counts = overlay.counts(&id).unwrap();
                assert_eq!((counts.matched, counts.injected, counts.active), (4, 4, 0));
            })
        });
        for test in tests.collect::<Vec<_>>() {
            test.await.unwrap();
        }
        assert_eq!(injector.status().overlays, 0);
    }
    assert_eq!(injector.status().injected, 100 * 56 * 4);
    assert!(injector.is_idle());
    assert!(injector.sites().iter().all(|site| !site.is_armed()));
}

#[test]
fn a_site_is_armed_only_while_an_overlay_aims_at_it() {
    let injector = Injector::new();
    let (aimed, other) = (injector.site("aimed"), injector.site("other"));
    let armed = || (aimed.is_armed(), other.is_armed());
    let first = Overlay::new(&injector);
    assert_eq!(armed(), (false, false));
    assert!(injector.is_idle());
    first.put(fails("a", "aimed"));
    let second = Overlay::new(&injector);
    second.replace(vec![fails("b", "aimed")]).unwrap();
    assert_eq!(armed(), (true, false));
    assert_eq!(
        (injector.status().state, injector.status().overlays),
        (State::Armed, 2)
    );
    drop(first);
    assert_eq!(armed(), (true, false));
    second.put(fails("b", "other"));
    assert_eq!(armed(), (false, true));
    second.put(fails("b", "other").enabled(false));
    assert_eq!(armed(), (false, false));
    second.put(fails("b", "aimed"));
    second.remove(&"b".parse().unwrap());
    assert_eq!(armed(), (false, false));
    second.put(fails("b", "aimed"));
    let clone = second.clone();
    drop(second);
    assert_eq!(armed(), (true, false));
    // A future that runs in it keeps it, too.
    let future = clone.run(std::future::pending::<()>());
    drop(clone);
    assert_eq!(armed(), (true, false));
    drop(future);
    assert_eq!(armed(), (false, false));
    assert_eq!(
        (injector.status().state, injector.status().overlays),
        (State::Idle, 0)
    );
    assert!(injector.is_idle());
    assert_eq!(
        injector.status().generation,
        0,
        "the injector's own rules are untouched"
    );
}

/// The injector's own rules go on, counts and all, whatever overlays come and go.
#[test]
fn the_injectors_rules_stay_as_they_are() {
    let injector = Injector::new();
    let site = injector.site("own");
    injector.put(fails("own", "own"));
    assert_eq!(fired(site), ["own"]);
    let overlay = Overlay::new(&injector);
    overlay.put(slow("slow", "own", "1s"));
    assert_eq!(fired(site), ["own"], "outside");
    assert_eq!(overlay.run_sync(|| fired(site)), ["slow", "own"]);
    // The same id is another rule there.
    overlay.put(slow("own", "own", "1s"));
    assert_eq!(overlay.run_sync(|| fired(site)), ["slow", "own", "own"]);
    assert_eq!(injector.counts("own").unwrap().injected, 4);
    assert_eq!(overlay.counts("own").unwrap().injected, 1);
    drop(overlay);
    assert_eq!(fired(site), ["own"]);
    assert_eq!(injector.counts("own").unwrap().injected, 5);
}

#[test]
fn the_innermost_comes_first_and_the_injector_last() {
    let injector = Injector::new();
    let site = injector.site("nested");
    injector.put(slow("own", "nested", "1s"));
    let (inner, outer) = (Overlay::new(&injector), Overlay::new(&injector));
    outer
        .replace(vec![
            slow("outer-1", "nested", "1s"),
            slow("outer-2", "*", "1s"),
        ])
        .unwrap();
    inner.put(slow("inner", "nested", "1s"));
    let nested = || outer.run_sync(|| inner.run_sync(|| fired(site)));
    assert_eq!(nested(), ["inner", "outer-1", "outer-2", "own"]);
    assert_eq!(
        outer.run_sync(|| fired(site)),
        ["outer-1", "outer-2", "own"]
    );
    assert_eq!(
        inner
            .run_sync(|| outer.run_sync(|| fired(site)))
            .first()
            .unwrap(),
        "outer-1"
    );
    inner.put(slow("inner", "nested", "1s").final_if_fired(true));
    assert_eq!(nested(), ["inner"]);
    outer.put(slow("outer-1", "nested", "1s").final_if_fired(true));
    inner.put(slow("inner", "nested", "1s"));
    assert_eq!(nested(), ["inner", "outer-1"]);
    // What ends the call ends it.
    inner.put(fails("inner", "nested"));
    assert_eq!(nested(), ["inner"]);
    inner.put(fails("inner", "elsewhere"));
    assert_eq!(nested(), ["outer-1"]);
    assert_eq!(fired(site), ["own"]);
}

/// A task that is carried into an overlay it is in already is in it once.
#[tokio::test]
async fn twice_in_an_overlay_is_once() {
    let injector = Injector::new();
    let site = injector.site("twice");
    let overlay = Overlay::new(&injector);
    overlay.put(slow("once", "twice", "1s"));
    assert_eq!(
        overlay.run_sync(|| overlay.run_sync(|| fired(site))),
        ["once"]
    );
    let carried = async { Overlay::carry(async { fired(site) }).await };
    assert_eq!(overlay.run(carried).await, ["once"]);
    let carried = || Overlay::carry_sync(|| fired(site))();
    assert_eq!(overlay.run_sync(carried), ["once"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_carried_is_not_seen() {
    let injector = Injector::new();
    let site = injector.site("carried");
    let overlay = Overlay::new(&injector);
    overlay.put(fails("r", "carried"));
    overlay
        .run(async {
            assert!(spawn(async { fired(site) }).await.unwrap().is_empty());
            assert!(spawn_blocking(|| fired(site)).await.unwrap().is_empty());
            assert!(thread::spawn(|| fired(site)).join().unwrap().is_empty());
            // Carried, it is seen, also by what a carried task carries on.
            let carried = async { spawn(Overlay::carry(async { fired(site) })).await.unwrap() };
            assert_eq!(spawn(Overlay::carry(carried)).await.unwrap(), ["r"]);
            let carried = Overlay::carry_sync(|| fired(site));
            assert_eq!(spawn_blocking(carried).await.unwrap(), ["r"]);
            let carried = Overlay::carry_sync(|| fired(site));
            assert_eq!(thread::spawn(carried).join().unwrap(), ["r"]);
        })
        .await;
    // In none, there is nothing to carry; and a thread that was in one is not any more.
    let carried = spawn(Overlay::carry(async { fired(site) }));
    assert!(carried.await.unwrap().is_empty());
    for _ in 0..20 {
        assert!(spawn(async { fired(site) }).await.unwrap().is_empty());
        assert!(spawn_blocking(|| fired(site)).await.unwrap().is_empty());
    }
}

/// What is carried keeps the overlay, and takes all that are around.
#[tokio::test]
async fn a_carried_task_outlives_whoever_opened_the_overlay() {
    let injector = Injector::new();
    let site = injector.site("outlives");
    let (outer, inner) = (Overlay::new(&injector), Overlay::new(&injector));
    outer.put(slow("outer", "outlives", "1s"));
    inner.put(slow("inner", "outlives", "1s"));
    let carry = || Overlay::carry(async { fired(site) });
    let task = outer.run_sync(|| inner.run_sync(carry));
    drop((outer, inner));
    assert_eq!(injector.status().overlays, 2);
    assert_eq!(spawn(task).await.unwrap(), ["inner", "outer"]);
    assert_eq!(injector.status().overlays, 0);
    assert!(!site.is_armed());
}

#[test]
fn a_panic_leaves_the_overlay() {
    let injector = Injector::new();
    let site = injector.site("panics");
    let overlay = Overlay::new(&injector);
    overlay.put(fails("r", "panics"));
    let panics = || overlay.run_sync(|| assert!(fired(site).is_empty(), "it is hit"));
    let panics = std::panic::AssertUnwindSafe(panics);
    assert!(std::panic::catch_unwind(panics).is_err());
    assert!(fired(site).is_empty());
    assert_eq!(overlay.run_sync(|| fired(site)), ["r"]);
}

#[tokio::test(start_paused = true)]
async fn an_hour_passes_at_once() {
    let injector = Injector::new();
    let overlay = Overlay::new(&injector);
    overlay.put(slow("r", "hour", "1h"));
    let clock = Clock::monotonic();
    let outside = async {
        inject_async!(injector: injector, "hour").await.unwrap();
        clock.now()
    };
    let inside = overlay.run(async {
        inject_async!(injector: injector, "hour").await.unwrap();
        clock.now()
    });
    let (outside, inside) = tokio::join!(outside, inside);
    assert_eq!((outside.as_secs(), inside.as_secs()), (0, 3600));
}

/// Checks that a call of `site` that waits in an overlay goes on when `free` is called.
async fn is_freed<T>(injector: &Injector, site: &'static Site, free: impl FnOnce(Overlay) -> T) {
    let overlay = Overlay::new(injector);
    overlay.put(slow("r", "waits", "1h").then(Fault::error("after an hour")));
    // Decided in it, and executed elsewhere: nothing but this handle keeps the overlay.
    let mut decision = overlay.run_sync(|| site.decide(&Call::new()).unwrap());
    let Some(Plan::Wait(wait)) = decision.next_plan() else {
        panic!("{decision:?}");
    };
    let waits = spawn(async move {
        decision.wait(wait).await;
        decision.next_plan().is_none()
    });
    // There is one thread, so this is where it begins to wait.
    yield_now().await;
    assert_eq!((waits.is_finished(), injector.status().active), (false, 1));
    let _kept = free(overlay);
    let waits = tokio::time::timeout(Duration::from_secs(60), waits);
    assert!(waits.await.unwrap().unwrap(), "it gets no further deed");
    assert_eq!(injector.status().active, 0);
}

#[tokio::test]
async fn calls_that_wait_are_freed() {
    let injector = Injector::new();
    let site = injector.site("waits");
    let edited = |edit: fn(&Overlay)| {
        move |overlay: Overlay| {
            edit(&overlay);
            overlay
        }
    };
    is_freed(&injector, site, drop).await;
    let remove = |overlay: &Overlay| assert!(overlay.remove(&"r".parse().unwrap()));
    is_freed(&injector, site, edited(remove)).await;
    let replace = |overlay: &Overlay| assert!(overlay.replace(Vec::new()).is_ok());
    is_freed(&injector, site, edited(replace)).await;
    let put = |overlay: &Overlay| assert_eq!(overlay.put(fails("r", "waits")), 2);
    is_freed(&injector, site, edited(put)).await;
    let halt = |overlay: &Overlay| assert!(overlay.injector().halt("enough"));
    is_freed(&injector, site, edited(halt)).await;
}

#[tokio::test]
async fn a_halt_stops_overlays_too() {
    let injector = Injector::new();
    let (site, late) = (injector.site("halted"), Overlay::new(&injector));
    let overlay = Overlay::new(&injector);
    overlay.put(fails("r", "*"));
    let inside = || overlay.run_sync(|| fired(site));
    assert_eq!(inside(), ["r"]);
    injector.halt("enough");
    assert!(inside().is_empty() && !site.is_armed() && injector.is_idle());
    // Nothing that is edited or made meanwhile changes that.
    late.put(fails("late", "**"));
    overlay.put(fails("s", "*"));
    assert!(inside().is_empty());
    assert!(
        late.run_sync(|| fired(injector.site("halted.new")))
            .is_empty()
    );
    assert!(seen(late.run_sync(|| inject!(injector: injector, "halted"))).is_none());
    let made = Overlay::new(&injector);
    made.put(fails("made", "*"));
    assert!(made.run_sync(|| fired(site)).is_empty());
    injector.resume();
    assert_eq!(inside(), ["r"]);
    assert_eq!(late.run_sync(|| fired(site)), ["late"]);
    assert_eq!(made.run_sync(|| fired(site)), ["made"]);
    let new = injector.site("halted.new");
    assert_eq!(late.run_sync(|| fired(new)), ["late"]);
}

#[test]
fn its_rules_expire_as_all_do() {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let site = injector.site("expires");
    let overlay = Overlay::new(&injector);
    let rule = br#"{"site": "expires", "ttl": "1m", "faults": [{"error": "r"}]}"#;
    overlay.put(rule_from_json(rule, Some("r")).unwrap());
    let inside = || overlay.run_sync(|| fired(site));
    clock.advance(Duration::from_secs(59));
    assert_eq!(inside(), ["r"]);
    clock.advance(Duration::from_secs(1));
    assert!(inside().is_empty() && inside().is_empty());
    assert_eq!(injector.status().state, State::Idle);
    assert!(!site.is_armed() && injector.is_idle());
    let counts = overlay.counts("r").unwrap();
    assert_eq!(
        (counts.injected, counts.expires_in),
        (1, Some(Duration::ZERO))
    );
    // Put again, it lives again.
    overlay.put(rule_from_json(rule, Some("r")).unwrap());
    assert_eq!(inside(), ["r"]);
}

#[test]
fn sites_are_found_whenever_they_are_made() {
    let injector = Injector::new();
    let overlay = Overlay::new(&injector);
    overlay.put(fails("r", "made.*"));
    let site = injector.site("made.later");
    assert!(site.is_armed() && fired(site).is_empty());
    assert_eq!(overlay.run_sync(|| fired(site)), ["r"]);
    let other = injector.site("elsewhere");
    assert!(!other.is_armed());
    let connection = injector.site_of("made.later", SiteKind::Connection);
    assert_eq!(overlay.run_sync(|| fired(connection)), ["r"]);
    assert_eq!(overlay.counts("r").unwrap().injected, 2);
}

#[tokio::test]
async fn macros_see_it_with_an_injector_and_without() {
    let injector = Injector::new();
    let overlay = Overlay::new(&injector);
    overlay.put(fails("r", "macros.**"));
    let sync = || seen(inject!(injector: &injector, "macros.sync", table = "orders"));
    let bare = || seen(inject!("macros.sync"));
    assert_eq!(
        overlay.run_sync(|| (sync(), bare())),
        (Some("r".to_owned()), None)
    );
    let task = async || seen(inject_async!(injector: &injector, "macros.async").await);
    assert_eq!(overlay.run(task()).await.as_deref(), Some("r"));
    assert_eq!((sync(), task().await), (None, None));

    let overlay = Overlay::new(global());
    overlay.put(fails("g", "macros.**"));
    let task = async || seen(inject_async!("macros.async", table = "orders").await);
    assert_eq!(overlay.run_sync(bare).as_deref(), Some("g"));
    assert_eq!(overlay.run(task()).await.as_deref(), Some("g"));
    assert_eq!((bare(), task().await), (None, None));
    drop(overlay);
    let sites = global().sites();
    assert!(sites.iter().any(|site| site.name() == "macros.async"));
    assert!(
        sites
            .iter()
            .all(|site| !site.name().starts_with("macros.") || !site.is_armed())
    );
}

/// A test in an overlay may pass what belongs to another injector.
#[test]
fn overlays_of_two_injectors_do_not_mix() {
    let (one, other) = (Injector::new(), Injector::new());
    let (here, there) = (one.site("same"), other.site("same"));
    let overlays = [Overlay::new(&one), Overlay::new(&other)];
    overlays[0].put(fails("here", "same"));
    overlays[1].put(fails("there", "same"));
    overlays[0].run_sync(|| {
        assert_eq!(
            (fired(here), fired(there)),
            (vec!["here".to_owned()], vec![])
        );
        overlays[1].run_sync(|| {
            assert_eq!(
                (fired(here), fired(there)),
                (vec!["here".into()], vec!["there".into()])
            );
        });
    });
}

/// What is exempt in no overlay is exempt in one, and counts and has its number as it does there.
#[test]
fn what_is_exempt_counts_as_matched() {
    use http::{HeaderMap, Method, Uri};
    let injector = Injector::new();
    let site = injector.site("exempt");
    injector.put(fails("own", "exempt"));
    let overlay = Overlay::new(&injector);
    overlay.put(slow("r", "exempt", "1s"));
    let (uri, headers) = (Uri::from_static("/healthz"), HeaderMap::new());
    let call = Call::http(&Method::GET, &uri, &headers);
    assert!(overlay.run_sync(|| site.decide(&call)).is_none());
    assert_eq!(overlay.counts("r").unwrap().matched, 1);
    assert_eq!(injector.counts("own").unwrap().matched, 1);
}

#[tokio::test(start_paused = true)]
async fn waits_in_it_are_cut_at_the_hour_of_its_rule() {
    let injector = Injector::new();
    let overlay = Overlay::new(&injector);
    let rule = json!({"site": "cut", "ttl": "10m", "faults": [{"hang": "1h"}]});
    overlay.put(rule_from_value(rule, Some("r")).unwrap());
    let clock = Clock::monotonic();
    let call = overlay.run(async { inject_async!(injector: injector, "cut").await });
    tokio::time::timeout(HOUR / 2, call).await.unwrap().unwrap();
    assert_eq!(clock.now().as_secs(), 600);
}

/// Nobody has to drop the overlay for it, or to ask anything: a call notices.
#[test]
fn a_site_is_idle_again_when_the_rules_of_overlays_have_expired() {
    let clock = chaos_core::testing::ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let site = injector.site("overlays.expire");
    let overlay = Overlay::new(&injector);
    let fault = chaos_core::Fault::error("lost");
    let rule = chaos_core::Rule::new(
        "r".parse().unwrap(),
        "overlays.expire".parse().unwrap(),
        fault,
    );
    overlay.put(rule);
    assert!(site.is_armed());
    clock.advance(Duration::from_secs(601));
    assert!(site.is_armed());
    assert!(site.decide(&chaos_core::Call::new()).is_none());
    assert!(!site.is_armed());
    // It can be aimed at again.
    let again = chaos_core::Fault::error("again");
    let rule = chaos_core::Rule::new("s".parse().unwrap(), "overlays.*".parse().unwrap(), again);
    overlay.put(rule);
    assert!(
        overlay
            .run_sync(|| site.decide(&chaos_core::Call::new()))
            .is_some()
    );
}
