//! A site is counted for as long as somebody watches it, and is idle again after that.

use std::{
    sync::{Barrier, mpsc},
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use chaos_core::{
    Call, Decision, Fault, GuardRail, Injector, Label, LazyFacts, Lifetime, Policy, Rate, Rule,
    Site, SiteGlob, SiteKind, SiteWatch, State, WatchedSite, decision::WatchedCall, inject,
    inject_async, testing::ManualClock, trigger::Budget,
};
use http::{HeaderMap, Method, Uri, header};

const MS: Duration = Duration::from_millis(1);

fn glob(pattern: &str) -> SiteGlob {
    pattern.parse().unwrap()
}

fn lost(site: &str) -> Rule {
    Rule::new("lost".parse().unwrap(), glob(site), Fault::error("lost"))
}

/// Begins a call, as a layer does.
fn begin(site: &Site) -> (Option<Decision>, WatchedCall) {
    let decision = site.decide(&Call::new());
    let call = site.measure(&Call::new(), decision.as_ref());
    (decision, call.expect("it is measured"))
}

/// Begins a call, and the first plan of what was decided about it.
fn begin_hit(site: &Site) -> (Decision, WatchedCall) {
    let (decision, mut call) = begin(site);
    let mut decision = decision.expect("a rule hits it");
    let mut cx = Context::from_waker(Waker::noop());
    let begun = call.poll(&mut cx, |_| Poll::Ready(decision.next_plan().is_some()));
    assert_eq!(begun, Poll::Ready(true));
    (decision, call)
}

#[track_caller]
fn only(watch: &mut SiteWatch) -> WatchedSite {
    let [site] = <[_; 1]>::try_from(watch.take()).expect("one site");
    site
}

/// What was counted: calls and failures of those left alone, and of those that were hit.
fn counted(watch: &mut SiteWatch) -> [(u64, u64); 2] {
    let site = only(watch);
    [&site.alone, &site.injected].map(|group| (group.calls, group.failed))
}

#[test]
fn calls_that_were_hit_stand_beside_those_left_alone() {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let site = injector.site("http.server");
    let mut watch = injector.watch([glob("http.server")]);
    for ms in 1..=100 {
        let (_, mut call) = begin(site);
        clock.advance(ms * MS);
        call.end(ms % 10 == 0);
    }
    injector.put(lost("http.server"));
    let (hit, mut call) = begin_hit(site);
    clock.advance(250 * MS);
    assert_eq!(only(&mut injector.watch([glob("**")])).held, 1);
    let first = only(&mut watch);
    assert_eq!((first.name, first.held), ("http.server", 1));
    assert_eq!((first.alone.calls, first.alone.failed), (100, 10));
    assert_eq!((first.injected.calls, first.injected.latency), (0, None));
    let latency = first.alone.latency.unwrap();
    for (measured, exact) in [(latency.p50, 50), (latency.p90, 90), (latency.p99, 99)] {
        let off = measured.abs_diff(exact * MS);
        assert!(off <= exact * MS / 20, "{measured:?} is about {exact} ms");
    }
    call.end(true);
    drop((hit, call));
    let second = only(&mut watch);
    assert_eq!((second.held, second.alone.calls), (0, 0));
    assert_eq!((second.injected.calls, second.injected.failed), (1, 1));
    let p99 = second.injected.latency.unwrap().p99;
    assert!(p99.abs_diff(250 * MS) < 10 * MS, "{p99:?}");
    assert_eq!(counted(&mut watch), [(0, 0), (0, 0)]);
}

#[test]
fn a_site_is_idle_again_when_nobody_watches_it() {
    let injector = Injector::new();
    let site = injector.site("http.server");
    let pass = |decided: bool| {
        let decision = site.decide(&Call::new());
        assert_eq!(decision.is_some(), decided);
        site.measure(&Call::new(), decision.as_ref())
    };
    pass(false);
    assert!(!site.is_armed());
    let first = injector.watch([glob("http.*")]);
    let second = injector.watch([glob("http.server"), glob("db.read")]);
    assert!(site.is_armed() && !site.is_aimed_at() && !injector.is_idle());
    assert_eq!(injector.status().state, State::Idle);
    drop(first);
    assert!(pass(false).is_some());
    drop(second);
    assert!(!site.is_armed() && injector.is_idle());
    assert!(pass(false).is_none());
    // Beside rules, which come and go meanwhile.
    let watch = injector.watch([glob("**")]);
    injector.put(lost("http.server"));
    assert!(site.is_aimed_at());
    drop(watch);
    assert!(site.is_aimed_at() && pass(true).is_none());
    let watch = injector.watch([glob("**")]);
    injector.clear();
    assert!(site.is_armed() && !site.is_aimed_at());
    drop(watch);
    assert!(!site.is_armed() && injector.is_idle());
}

#[test]
fn each_watch_has_readings_of_its_own() {
    let injector = Injector::new();
    let site = injector.site("http.server");
    let mut first = injector.watch([glob("http.server")]);
    begin(site).1.end(false);
    let mut second = injector.watch([glob("http.*")]);
    begin(site).1.end(true);
    assert_eq!(counted(&mut first), [(2, 1), (0, 0)]);
    assert_eq!(counted(&mut second), [(1, 1), (0, 0)]);
    begin(site).1.end(false);
    assert_eq!(counted(&mut second), [(1, 0), (0, 0)]);
    assert_eq!(counted(&mut first), [(1, 0), (0, 0)]);
    // Other sites, and the same again: what was counted meanwhile is not of this watch.
    first.set_sites([glob("db.read")]);
    begin(site).1.end(false);
    assert_eq!(first.take(), []);
    first.set_sites([glob("http.server")]);
    begin(site).1.end(false);
    assert_eq!(counted(&mut first), [(1, 0), (0, 0)]);
    drop(second);
    first.set_sites([]);
    assert!(!site.is_armed() && first.take().is_empty());
}

#[test]
fn a_call_is_counted_through_edits_halts_and_expiries() {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let site = injector.site("http.server");
    let mut watch = injector.watch([glob("http.server")]);
    let (_, mut first) = begin(site);
    injector.put(lost("http.server").lifetime(Lifetime::new(1000 * MS).unwrap()));
    let (_, mut hit) = begin_hit(site);
    first.end(false);
    injector.halt("enough");
    hit.end(true);
    assert_eq!(counted(&mut watch), [(1, 0), (1, 1)]);
    // Nothing is injected, and calls are counted.
    let (decision, mut call) = begin(site);
    call.end(false);
    assert!(decision.is_none() && !site.is_aimed_at());
    assert_eq!(counted(&mut watch), [(1, 0), (0, 0)]);
    injector.resume();
    begin_hit(site).1.end(true);
    clock.advance(1000 * MS);
    // The rule has ended, and calls alone notice it.
    for _ in 0..3 {
        let (decision, mut call) = begin(site);
        assert!(decision.is_none());
        call.end(false);
    }
    assert!(!site.is_aimed_at());
    assert_eq!(counted(&mut watch), [(3, 0), (1, 1)]);
    drop(watch);
    assert!(!site.is_armed());
}

#[test]
fn a_caller_that_leaves_is_counted_if_it_was_hit() {
    let injector = Injector::new();
    let site = injector.site("http.server");
    let mut watch = injector.watch([glob("http.server")]);
    drop(begin(site));
    injector.put(lost("http.server"));
    drop(begin_hit(site));
    assert_eq!(counted(&mut watch), [(0, 0), (1, 1)]);
}

#[test]
fn an_exempt_call_is_not_counted() {
    let injector = Injector::new();
    let site = injector.site("http.server");
    let mut watch = injector.watch([glob("http.server")]);
    let (uri, headers) = (Uri::from_static("/healthz"), HeaderMap::new());
    let call = Call::http(&Method::GET, &uri, &headers);
    for _ in 0..3 {
        assert!(site.decide(&call).is_none() && site.measure(&call, None).is_none());
    }
    assert_eq!(counted(&mut watch), [(0, 0), (0, 0)]);
}

#[test]
fn a_guard_rail_measures_beside_it() {
    let injector = Injector::new();
    let site = injector.site("http.server");
    let rail = GuardRail::new().error_ratio(Rate::new(0.1).unwrap());
    let rail = rail.at_least(4.try_into().unwrap());
    let never = chaos_core::Trigger::new().rate(Rate::new(0.0).unwrap());
    injector.put(lost("http.server").trigger(never).guard(rail));
    begin(site).1.end(false);
    let mut watch = injector.watch([glob("http.server")]);
    for n in 0..3 {
        assert!(injector.status().breaches.is_empty());
        begin(site).1.end(n == 2);
    }
    assert_eq!(injector.status().breaches.len(), 1);
    // It has halted.
    begin(site).1.end(false);
    assert_eq!(counted(&mut watch), [(4, 1), (0, 0)]);
    injector.acknowledge();
    injector.resume();
    begin(site).1.end(false);
    assert_eq!(counted(&mut watch), [(1, 0), (0, 0)]);
    assert_eq!(injector.status().breaches.len(), 0);
}

#[tokio::test]
async fn passes_and_hits_of_sites_in_code_are_counted() {
    let injector = Injector::new();
    let read = || inject!(injector: injector, "db.read", table = "orders").is_ok();
    let write = async || inject_async!(injector: injector, "db.write").await.is_ok();
    let mut watch = injector.watch([glob("db.*")]);
    assert!(read() && read() && write().await);
    injector.put(lost("db.*"));
    assert!(!read() && !write().await);
    injector.halt("enough");
    assert!(read() && write().await);
    let counted: Vec<_> = watch.take();
    let counted: Vec<_> = counted
        .iter()
        .map(|site| (site.name, site.alone.calls, site.injected.calls))
        .collect();
    assert_eq!(counted, [("db.read", 3, 1), ("db.write", 2, 1)]);
    let labels = injector.seen("db.read").unwrap().labels;
    assert_eq!(labels.into_iter().collect::<Vec<_>>(), ["table"]);
    drop(watch);
    injector.resume();
    injector.clear();
    assert!(injector.is_idle() && read());
}

#[test]
fn a_fault_further_inside_hits_the_call_of_the_layer() {
    let injector = Injector::new();
    let site = injector.site("http.server");
    injector.put(lost("db.read"));
    let mut watch = injector.watch([glob("http.server")]);
    let (_, mut call) = begin(site);
    let mut cx = Context::from_waker(Waker::noop());
    let polled = call.poll(&mut cx, |_| {
        Poll::Ready(inject!(injector: injector, "db.read").is_err())
    });
    assert_eq!(polled, Poll::Ready(true));
    call.end(false);
    assert_eq!(counted(&mut watch), [(0, 0), (1, 0)]);
}

#[test]
fn sites_are_counted_from_their_first_call_on_and_two_hundred_at_most() {
    let injector = Injector::new();
    let mut watch = injector.watch([glob("many.*")]);
    assert!(watch.take().is_empty());
    let _ = injector.site_of("many.connections", SiteKind::Connection);
    for n in 0..250 {
        let _ = injector.site(&format!("many.a{n:03}"));
    }
    assert_eq!(watch.take().len(), 200);
    // What is no longer watched makes room.
    watch.set_sites([glob("many.a001"), glob("many.a249")]);
    let names: Vec<_> = watch.take().iter().map(|site| site.name).collect();
    assert_eq!(names, ["many.a001", "many.a249"]);
}

struct Route(&'static str);

impl LazyFacts for Route {
    fn route(&self) -> Option<&str> {
        Some(self.0)
    }
}

#[test]
fn what_calls_have_is_seen_without_values() {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let site = injector.site("http.server");
    assert_eq!(injector.seen("http.servr"), None);
    let headers = HeaderMap::from_iter([(header::HOST, "Shop.example:8080".parse().unwrap())]);
    let pass = |method: Method, path: &'static str, route: &'static str| {
        let (uri, route) = (Uri::from_static(path), Route(route));
        let labels: [Label<'_>; 1] = [("tenant", "acme".into())];
        let call = Call::http(&method, &uri, &headers);
        let call = call.labels(&labels).lazy_facts(&route);
        clock.advance(MS);
        let decision = site.decide(&call);
        site.measure(&call, decision.as_ref())
    };
    pass(Method::DELETE, "/unwatched", "/unwatched");
    let watch = injector.watch([glob("http.server")]);
    pass(Method::GET, "/orders/7?token=secret", "/orders/{id}")
        .unwrap()
        .end(false);
    injector.put(lost("http.server"));
    pass(Method::POST, "/orders", "/orders").unwrap().end(false);
    let seen = injector.seen("http.server").unwrap();
    let all = |texts: &std::collections::BTreeSet<String>| {
        texts.iter().cloned().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(all(&seen.methods), "GET POST");
    assert_eq!(all(&seen.paths), "/orders /orders/{id}");
    assert_eq!(
        (all(&seen.hosts), all(&seen.labels)),
        ("shop.example".into(), "tenant".into())
    );
    drop(watch);
    assert_eq!(injector.seen("http.server"), Some(Default::default()));
}

/// Threads pass while watches come and go; no call that was counted for the watch that stays is lost.
#[test]
fn no_call_is_lost_while_others_come_and_go() {
    const CALLS: u64 = 20_000;
    let injector = Injector::new();
    let site = injector.site("http.server");
    let mut watch = injector.watch([glob("http.server")]);
    let start = Barrier::new(3);
    let (done, is_done) = mpsc::channel::<()>();
    thread::scope(|scope| {
        for _ in 0..2 {
            let (start, done) = (&start, done.clone());
            scope.spawn(move || {
                start.wait();
                for n in 0..CALLS {
                    begin(site).1.end(n % 4 == 0);
                }
                drop(done);
            });
        }
        drop(done);
        start.wait();
        let mut sum = [0, 0];
        while is_done.try_recv() == Err(mpsc::TryRecvError::Empty) {
            let mut other = injector.watch([glob("**")]);
            let _ = other.take();
            injector.put(lost("elsewhere"));
            let [(calls, failed), _] = counted(&mut watch);
            sum = [sum[0] + calls, sum[1] + failed];
        }
        let [(calls, failed), injected] = counted(&mut watch);
        assert_eq!(injected, (0, 0));
        assert_eq!([sum[0] + calls, sum[1] + failed], [2 * CALLS, CALLS / 2]);
    });
}

/// The policy's share is one of the calls at sites with rules, whoever looks at others.
#[test]
fn who_watches_adds_nothing_to_the_share_of_calls_that_may_be_hit() {
    let injector = Injector::new();
    let half = Budget::new().share(Rate::new(0.5).unwrap());
    injector.set_policy(Policy::new().budget(half));
    injector.put(lost("db.read"));
    let (idle, hit) = (injector.site("http.server"), injector.site("db.read"));
    let _watch = injector.watch(vec![glob("http.server")]);
    for _ in 0..100 {
        assert!(idle.decide(&Call::new()).is_none());
    }
    let hits = (0..10).filter(|_| {
        hit.decide(&Call::new())
            .is_some_and(|mut hit| hit.next_plan().is_some())
    });
    assert_eq!(hits.count(), 5);
}
