//! The calls that an observed rule hits stand beside those that it spares.

use std::{
    num::NonZeroU64,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use chaos_core::{
    Call, CallCounts, Fault, GuardRail, Injector, KeyOutcomes, Label, Lifetime, Matcher,
    ObserveError, OutcomeGroup, Overlay, Rate, Rule, RuleId, RuleOutcomes, Site, SiteKind,
    SiteOutcomes, Trigger, guard_rail::Then, inject, inject_async, testing::ManualClock,
};

/// How many threads make load.
const THREADS: u64 = 3;

const SECOND: Duration = Duration::from_secs(1);

fn id(id: &str) -> RuleId {
    id.parse().unwrap()
}

fn lost(site: &str) -> Rule {
    Rule::new(id("lost"), site.parse().unwrap(), Fault::error("lost"))
}

fn one_in(calls: f64) -> Trigger {
    Trigger::new().rate(Rate::new(1.0 / calls).unwrap())
}

fn nonzero(number: u64) -> NonZeroU64 {
    NonZeroU64::new(number).unwrap()
}

fn every_second() -> Trigger {
    Trigger::new().every(nonzero(2))
}

/// Passes the site of a layer, as a layer does. Returns whether the call has failed.
fn pass(site: &Site, call: &Call<'_>, serve: impl FnOnce() -> bool) -> bool {
    let decision = site.decide(call);
    let mut watched = site.measure(call, decision.as_ref());
    let serve = || {
        let mut decision = decision;
        let has_plan = (decision.as_mut()).is_some_and(|decision| decision.next_plan().is_some());
        has_plan || serve()
    };
    let Some(watched) = &mut watched else {
        return serve();
    };
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(has_failed) = watched.poll(&mut cx, |_| Poll::Ready(serve())) else {
        unreachable!("it is ready at once");
    };
    watched.end(has_failed);
    has_failed
}

fn counted(group: &OutcomeGroup) -> (u64, u64) {
    (group.calls, group.failed)
}

/// Calls and failures of those that were hit, spared and unmatched.
fn groups(site: &SiteOutcomes) -> [(u64, u64); 3] {
    let unmatched = site.unmatched.as_ref().expect("the site of a layer");
    [&site.hit, &site.spared, unmatched].map(counted)
}

#[track_caller]
fn outcomes(injector: &Injector) -> RuleOutcomes {
    injector.outcomes("lost").expect("it is observed")
}

#[track_caller]
fn only(injector: &Injector) -> SiteOutcomes {
    let [site] = <[_; 1]>::try_from(outcomes(injector).sites).expect("one site");
    site
}

#[test]
fn calls_that_are_hit_stand_beside_those_that_are_spared() {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let site = injector.site("http.server");
    let matcher = Matcher::new().label("table", "orders");
    let rule = lost("http.server").matching(matcher);
    injector.put(rule.trigger(every_second()));
    injector
        .observe_outcomes("lost", ["http.server"])
        .expect("it can be observed");
    let labels = |table: &'static str| -> [Label<'static>; 1] { [("table", table.into())] };
    for (table, fails) in [
        ("orders", false),
        ("orders", true),
        ("orders", false),
        ("orders", false),
        ("users", true),
        ("users", false),
        ("users", false),
    ] {
        pass(site, &Call::new().labels(&labels(table)), || {
            clock.advance(SECOND);
            fails
        });
    }
    let site = only(&injector);
    let counts = injector.counts("lost").unwrap();
    assert_eq!((counts.matched, counts.injected), (4, 2));
    let spared_failed = site.spared.failed;
    assert_eq!(groups(&site), [(2, 2), (2, spared_failed), (3, 1)]);
    assert_eq!(site.keys, None);
    // Nothing has taken any time in a call that was hit.
    let [(end, 2)] = site.hit.histogram[..] else {
        panic!("{:?}", site.hit);
    };
    assert_eq!(end, Duration::from_nanos(64));
    let [(end, 2)] = site.spared.histogram[..] else {
        panic!("{:?}", site.spared);
    };
    assert!(end > SECOND && end <= SECOND.mul_f64(1.0625), "{end:?}");
    let median = site.spared.latency.unwrap().p50;
    assert!(
        median.abs_diff(SECOND) < SECOND.mul_f64(0.032),
        "{median:?}"
    );
}

#[test]
fn a_site_above_learns_what_was_done_below() {
    let injector = Injector::new();
    let site = injector.site("http.server");
    let _ = injector.site_of("db.read", SiteKind::Sync);
    let read = || inject!(injector: &injector, "db.read").is_err();
    injector.put(lost("db.read").trigger(every_second()));
    injector
        .observe_outcomes("lost", ["http.server", "db.read"])
        .unwrap();
    let call = |reads: u32| {
        pass(site, &Call::new(), || {
            (0..reads).fold(false, |has_failed, _| read() || has_failed)
        })
    };
    // One read in two is hit. Of two, one is hit, and that is what counts for the request.
    call(2);
    call(1);
    call(1);
    call(0);
    let [above, below] = <[_; 2]>::try_from(outcomes(&injector).sites).unwrap();
    let counts = injector.counts("lost").unwrap();
    assert_eq!((counts.matched, counts.injected), (4, 2));
    assert_eq!(groups(&above), [(2, 2), (1, 0), (1, 0)]);
    assert_eq!(
        (counted(&below.hit), counted(&below.spared)),
        ((2, 0), (2, 0))
    );
    assert_eq!((below.unmatched, below.hit.latency), (None, None));
}

#[test]
fn a_layer_below_is_decided_on_when_it_is_called() {
    let injector = Injector::new();
    let [above, below] = ["http.server", "http.client"].map(|name| injector.site(name));
    injector.put(lost("http.client").trigger(one_in(1e9)));
    injector
        .observe_outcomes("lost", ["http.server", "http.client"])
        .unwrap();
    let decision = above.decide(&Call::new());
    let mut watched = above.measure(&Call::new(), decision.as_ref()).unwrap();
    // As a service does that calls an inner service before it polls its future.
    let serving = watched.begin_to_serve();
    assert!(!pass(below, &Call::new(), || false));
    drop(serving);
    watched.end(false);
    for site in outcomes(&injector).sites {
        assert_eq!(groups(&site), [(0, 0), (1, 0), (0, 0)], "{}", site.site);
    }
}

/// Serves requests, each of which passes all sites, until `done`.
fn under_load(injector: &Injector, served: &AtomicU64, done: &AtomicBool) {
    let [above, own] = ["http.server", "cart"].map(|name| injector.site(name));
    while !done.load(Relaxed) {
        pass(above, &Call::new(), || {
            let has_failed = pass(own, &Call::new(), || false);
            inject!(injector: injector, "cart.read").is_err() || has_failed
        });
        served.fetch_add(1, Relaxed);
    }
}

#[test]
fn no_injection_is_lost_under_load() {
    let injector = Injector::new();
    let _ = injector.site_of("cart.read", SiteKind::Sync);
    let [_, _] = ["http.server", "cart"].map(|name| injector.site(name));
    let other = Rule::new(
        "other".parse().unwrap(),
        "**".parse().unwrap(),
        Fault::error("other"),
    );
    for (site, trigger) in [
        ("cart", one_in(3.0)),
        ("cart", one_in(3.0).seed(7)),
        ("cart.read", one_in(3.0)),
        ("cart.read", one_in(2.0).limit(nonzero(500))),
    ] {
        let rule = lost(site).trigger(trigger);
        injector.put(rule.clone().enabled(false));
        let (served, done) = (AtomicU64::new(0), AtomicBool::new(false));
        let serve = |calls: u64| {
            let before = served.load(Relaxed);
            while served.load(Relaxed) < before + calls {
                thread::yield_now();
            }
        };
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| under_load(&injector, &served, &done));
            }
            serve(20);
            injector
                .observe_outcomes("lost", ["http.server", site])
                .unwrap();
            serve(20);
            injector.put(rule.clone());
            for _ in 0..20 {
                // Edits of other rules come and go.
                injector.put(other.clone().trigger(one_in(10.0)));
                serve(100);
                injector.remove(&id("other"));
            }
            injector.put(rule.clone().enabled(false));
            done.store(true, Relaxed);
        });
        let counts = injector.counts("lost").unwrap();
        let [above, own] = <[_; 2]>::try_from(outcomes(&injector).sites).unwrap();
        assert!(counts.injected > 100, "{counts:?}");
        assert_eq!(own.hit.calls, counts.injected, "{site}: {counts:?}");
        // A call that was to be hit when the rule was disabled is neither.
        let neither = counts.matched - own.hit.calls - own.spared.calls;
        assert!(neither <= THREADS, "{site}: {neither} of {counts:?}");
        // Each request passes the site once, and each thread had one under way when the observation began.
        let missed = own.hit.calls - above.hit.calls;
        assert!(missed <= THREADS, "{site}: {missed}");
        injector.remove(&id("lost"));
        assert!(injector.end_outcomes("lost"));
    }
}

#[test]
fn what_becomes_of_the_rule_leaves_its_counts() {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let site = injector.site("http.server");
    let call = || pass(site, &Call::new(), || false);
    let lifetime = Lifetime::new(40 * SECOND).unwrap();
    injector.put(lost("http.server").lifetime(lifetime));
    let begun = injector.observe_outcomes("lost", ["http.server"]).unwrap();
    assert!(!begun.is_over);
    assert!(call());
    let now = |hit: u64, unmatched: u64, is_over: bool| {
        let outcomes = outcomes(&injector);
        assert_eq!(outcomes.is_over, is_over);
        let groups = groups(&outcomes.sites[0]);
        assert_eq!(groups, [(hit, hit), (0, 0), (unmatched, 0)]);
    };
    now(1, 0, false);
    // Another version, with counts of its own.
    injector.put(lost("http.*").lifetime(lifetime));
    assert!(call());
    now(2, 0, false);
    injector.put(lost("http.*").lifetime(lifetime).enabled(false));
    assert!(!call());
    now(2, 1, true);
    injector.put(lost("http.*").lifetime(lifetime));
    assert!(call());
    now(3, 1, false);
    clock.advance(41 * SECOND);
    assert!(!call());
    now(3, 2, true);
    injector.remove(&id("lost"));
    assert!(!call());
    now(3, 3, true);
    injector.put(lost("http.server"));
    assert!(call());
    now(4, 3, false);
    // From zero.
    injector.observe_outcomes("lost", ["http.server"]).unwrap();
    now(0, 0, false);
    assert!(injector.end_outcomes("lost"));
    assert!(!injector.end_outcomes("lost"));
    assert_eq!(injector.outcomes("lost"), None);
}

#[test]
fn nothing_is_counted_for_a_rule_of_which_nobody_asks() {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let [above, own] = ["http.server", "cart"].map(|name| injector.site(name));
    injector.put(lost("cart").trigger(one_in(1e9)));
    injector
        .observe_outcomes("lost", ["http.server", "cart"])
        .unwrap();
    for _ in 0..3 {
        clock.advance(59 * SECOND);
        assert!(injector.outcomes("lost").is_some());
    }
    // Whoever only looks does not keep it.
    clock.advance(30 * SECOND);
    assert!(injector.peek_outcomes("lost").is_some());
    // A measured call is the first to notice, without any report.
    clock.advance(30 * SECOND);
    assert!(above.is_armed());
    pass(above, &Call::new(), || false);
    assert!(!above.is_armed());
    assert_eq!(injector.outcomes("lost"), None);

    // So does a call of the rule's own site, although another is observed.
    injector.observe_outcomes("lost", ["http.server"]).unwrap();
    clock.advance(60 * SECOND);
    assert!(above.is_armed());
    assert!(!pass(own, &Call::new(), || false));
    assert!(!above.is_armed());
    injector.remove(&id("lost"));
    assert!(!own.is_armed());
    assert_eq!(injector.outcomes("lost"), None);
}

#[test]
fn a_call_under_way_counts_at_most_once() {
    let injector = Injector::new();
    let site = injector.site("http.server");
    injector.put(lost("http.server").trigger(one_in(1e9)));
    let begin = || {
        let decision = site.decide(&Call::new());
        site.measure(&Call::new(), decision.as_ref())
    };
    let before = begin();
    assert!(before.is_none());
    injector.observe_outcomes("lost", ["http.server"]).unwrap();
    let mut first = begin().unwrap();
    injector.observe_outcomes("lost", ["http.server"]).unwrap();
    let mut second = begin().unwrap();
    first.end(true);
    assert_eq!(groups(&only(&injector)), [(0, 0), (0, 0), (0, 0)]);
    second.end(false);
    second.end(true);
    assert_eq!(groups(&only(&injector)), [(0, 0), (1, 0), (0, 0)]);
    // Who leaves gets no answer.
    drop(begin());
    assert_eq!(groups(&only(&injector)), [(0, 0), (2, 1), (0, 0)]);
    let mut last = begin().unwrap();
    assert!(injector.end_outcomes("lost"));
    injector.observe_outcomes("lost", ["http.server"]).unwrap();
    last.end(true);
    assert_eq!(groups(&only(&injector)), [(0, 0), (0, 0), (0, 0)]);
}

#[test]
fn calls_of_one_key_are_in_one_group() {
    let injector = Injector::new();
    let site = injector.site("http.server");
    let trigger = one_in(2.0).key("label:user".parse().unwrap());
    injector.put(lost("http.server").trigger(trigger));
    injector.observe_outcomes("lost", ["http.server"]).unwrap();
    let users: Vec<String> = (0..1000).map(|user| format!("user-{user}")).collect();
    for user in &users {
        for _ in 0..2 {
            let labels: [Label<'_>; 1] = [("user", user.into())];
            pass(site, &Call::new().labels(&labels), || false);
        }
    }
    // It has no key, so no draw could hit it.
    pass(site, &Call::new(), || true);
    let site = only(&injector);
    let keys = site.keys.as_ref().expect("the rule has a key");
    assert_eq!(keys.len(), 64);
    let sum = |of: fn(&KeyOutcomes) -> CallCounts| {
        let groups = keys.iter().map(of);
        groups.fold((0, 0), |(calls, failed), group| {
            (calls + group.calls, failed + group.failed)
        })
    };
    assert_eq!(sum(|keys| keys.hit), counted(&site.hit));
    assert_eq!(sum(|keys| keys.spared), counted(&site.spared));
    assert_eq!(site.hit.calls + site.spared.calls, 2000);
    assert!((800..1200).contains(&site.hit.calls));
    assert_eq!(groups(&site)[2], (1, 1));
    // Each key has two calls, which are decided alike.
    assert!(
        keys.iter()
            .all(|keys| keys.hit.calls % 2 == 0 && keys.spared.calls % 2 == 0)
    );
    let both = keys
        .iter()
        .filter(|keys| keys.hit.calls > 0 && keys.spared.calls > 0);
    assert!(both.count() > 50, "the groups are no part of the draw");
}

#[test]
fn a_halt_leaves_the_counts_and_a_resume_goes_on() {
    let injector = Injector::new();
    let site = injector.site("http.server");
    injector.put(lost("http.server"));
    injector.observe_outcomes("lost", ["http.server"]).unwrap();
    let call = || pass(site, &Call::new(), || false);
    assert!(call());
    injector.halt("enough");
    assert!(!call());
    assert_eq!(groups(&only(&injector)), [(1, 1), (0, 0), (1, 0)]);
    assert!(!outcomes(&injector).is_over);
    injector.resume();
    assert!(call());
    assert_eq!(groups(&only(&injector)), [(2, 2), (0, 0), (1, 0)]);
    // Observed while it is halted, it is counted after the resume.
    injector.halt("enough");
    injector.observe_outcomes("lost", ["http.server"]).unwrap();
    assert!(!call());
    injector.resume();
    assert!(call());
    assert_eq!(groups(&only(&injector)), [(1, 1), (0, 0), (1, 0)]);
}

#[test]
fn the_rule_of_an_overlay_is_another() {
    let injector = Injector::new();
    let site = injector.site("http.server");
    injector.put(lost("http.server").trigger(every_second()));
    injector.observe_outcomes("lost", ["http.server"]).unwrap();
    let call = || pass(site, &Call::new(), || false);
    let overlay = Overlay::new(&injector);
    overlay.put(lost("http.server").final_if_fired(true));
    assert!(overlay.run_sync(call));
    assert_eq!(groups(&only(&injector)), [(0, 0), (0, 0), (1, 1)]);
    overlay.remove(&id("lost"));
    // In an overlay that leaves the call alone, and outside.
    let hits: Vec<_> = [
        overlay.run_sync(call),
        call(),
        overlay.run_sync(call),
        call(),
    ]
    .into();
    assert_eq!(hits.iter().filter(|hit| **hit).count(), 2);
    assert_eq!(groups(&only(&injector)), [(2, 2), (2, 0), (1, 1)]);
}

#[test]
fn a_guard_rail_disarms_a_rule_that_is_observed() {
    let injector = Injector::new();
    let site = injector.site("http.server");
    let rail = GuardRail::new().error_ratio(Rate::new(0.5).unwrap());
    let rail = rail.at_least(4).then(Then::Disarm);
    injector.put(lost("http.server").guard(rail));
    injector.observe_outcomes("lost", ["http.server"]).unwrap();
    let call = || pass(site, &Call::new(), || false);
    while call() {}
    let outcomes = outcomes(&injector);
    assert!(outcomes.is_over);
    let injected = injector.counts("lost").unwrap().injected;
    assert!(injected >= 4);
    assert_eq!(
        groups(&outcomes.sites[0]),
        [(injected, injected), (0, 0), (1, 0)]
    );
}

#[test]
fn a_limit_spares() {
    let injector = Injector::new();
    let site = injector.site("http.server");
    let limited = Trigger::new().limit(nonzero(3));
    injector.put(lost("http.server").trigger(limited));
    injector.observe_outcomes("lost", ["http.server"]).unwrap();
    for _ in 0..10 {
        pass(site, &Call::new(), || false);
    }
    assert_eq!(groups(&only(&injector)), [(3, 3), (7, 0), (0, 0)]);
}

#[test]
fn a_rule_that_is_over_spares_nothing() {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let site = injector.site("http.server");
    let rule = lost("http.server").trigger(every_second());
    injector.put(rule.lifetime(Lifetime::new(SECOND).unwrap()));
    injector.observe_outcomes("lost", ["http.server"]).unwrap();
    for _ in 0..3 {
        pass(site, &Call::new(), || false);
    }
    let [hit, spared, _] = groups(&only(&injector));
    assert_eq!((hit.0 + spared.0, hit.0.abs_diff(spared.0)), (3, 1));
    clock.advance(SECOND);
    for _ in 0..3 {
        pass(site, &Call::new(), || false);
    }
    assert_eq!(groups(&only(&injector)), [hit, spared, (3, 0)]);
}

/// What was noted for it once went to the next call that the thread measured, at whichever site.
#[test]
fn a_call_that_is_not_measured_leaves_nothing_to_the_next() {
    let injector = Injector::new();
    let (site, other) = (injector.site("http.server"), injector.site("http.client"));
    injector.put(lost("http.server").trigger(every_second()));
    let sites = ["http.client", "http.server"];
    injector.observe_outcomes("lost", sites).unwrap();
    for _ in 0..4 {
        drop(site.decide(&Call::new()));
        pass(other, &Call::new(), || false);
        other.measure(&Call::new(), None).unwrap().end(false);
    }
    let sites = outcomes(&injector).sites;
    assert_eq!(groups(&sites[0]), [(0, 0), (0, 0), (8, 0)]);
    assert_eq!(groups(&sites[1]), [(0, 0), (0, 0), (0, 0)]);
}

#[tokio::test]
async fn an_async_site_is_counted_when_it_passes() {
    let injector = Injector::new();
    let _ = injector.site_of("db.write", SiteKind::Async);
    injector.put(lost("db.write").trigger(every_second()));
    injector.observe_outcomes("lost", ["db.write"]).unwrap();
    let mut failed = 0;
    for _ in 0..10 {
        failed += u64::from(
            inject_async!(injector: &injector, "db.write")
                .await
                .is_err(),
        );
    }
    let site = only(&injector);
    assert_eq!((failed, site.hit.calls, site.spared.calls), (5, 5, 5));
}

#[test]
fn what_cannot_be_observed_is_refused() {
    let injector = Injector::new();
    let observe = |rule: &str, sites: &[&str]| injector.observe_outcomes(rule, sites).map(drop);
    assert_eq!(observe("lost", &["a"]), Err(ObserveError::UnknownRule));
    injector.put(lost("s"));
    assert_eq!(observe("lost", &[]), Err(ObserveError::NoSites));
    let unknown = observe("lost", &["a"]).unwrap_err();
    assert_eq!(unknown.to_string(), "no site is named \"a\"");
    let _ = injector.site_of("tcp.listener", SiteKind::Connection);
    let connection = observe("lost", &["tcp.listener"]).unwrap_err();
    assert!(matches!(connection, ObserveError::Connection { .. }));
    assert_eq!(format!("{connection:?}"), connection.to_string());
    let names: Vec<_> = (0..17).map(|at| format!("site.{at}")).collect();
    for name in &names {
        let _ = injector.site(name);
    }
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    assert_eq!(observe("lost", &names), Err(ObserveError::TooManySites));
    // A name that comes twice is one site.
    let twice: Vec<_> = names[..16].iter().chain(&names[..3]).copied().collect();
    assert_eq!(observe("lost", &twice), Ok(()));
    assert_eq!(outcomes(&injector).sites.len(), 16);

    for at in 0..16 {
        let id = id(&format!("rule-{at}"));
        injector.put(Rule::new(id, "s".parse().unwrap(), Fault::error("x")));
    }
    for at in 0..15 {
        assert_eq!(observe(&format!("rule-{at}"), &["site.0"]), Ok(()));
    }
    assert_eq!(
        observe("rule-15", &["site.0"]),
        Err(ObserveError::TooManyRules)
    );
    assert_eq!(observe("rule-3", &["site.0"]), Ok(()));
    assert!(injector.end_outcomes("rule-4"));
    assert_eq!(observe("rule-15", &["site.0"]), Ok(()));
}
