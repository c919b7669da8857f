//! A rule that hits each call is asked in a shorter way than others, and counts and ends as they do.

use std::{num::NonZeroU64, time::Duration};

use chaos_core::{
    Call, Counts, Fault, Injector, Lifetime, Matcher, Mode, Policy, Rule, Site, Text, Trigger,
    matcher::Exemptions, testing::ManualClock,
};
use http::{HeaderMap, Method, Uri};

const SITE: &str = "each.call";
const SECOND: Duration = Duration::from_secs(1);

/// A rule at the site of [`Service`].
fn rule(id: &str) -> Rule {
    Rule::new(
        id.parse().unwrap(),
        SITE.parse().unwrap(),
        Fault::error("lost"),
    )
}

fn until(end: Duration) -> Lifetime {
    Lifetime::new(end).unwrap()
}

fn limit(limit: u64) -> Trigger {
    Trigger::new().limit(NonZeroU64::new(limit).unwrap())
}

/// A service with the site of a layer.
struct Service {
    injector: Injector,
    clock: ManualClock,
    site: &'static Site,
}

impl Service {
    fn with(rules: &[Rule]) -> Self {
        let clock = ManualClock::new();
        let injector = Injector::with_clock(clock.clone());
        let site = injector.site(SITE);
        injector.replace(rules.to_vec()).unwrap();
        Self {
            injector,
            clock,
            site,
        }
    }

    /// Calls the service as a layer does, and returns whether the call is hit.
    fn call(&self, path: &str) -> bool {
        let is_spared = self.site.state().may_spare_each() && self.site.spares_each(path);
        !is_spared && self.ask(path)
    }

    /// Asks the rules about a call, and returns whether it is hit.
    fn ask(&self, path: &str) -> bool {
        let (method, headers) = (Method::GET, HeaderMap::new());
        let uri: Uri = path.parse().unwrap();
        let decision = self.site.decide(&Call::http(&method, &uri, &headers));
        decision.is_some_and(|mut decision| decision.next_plan().is_some())
    }

    fn counts(&self) -> Vec<Option<Counts>> {
        ["a", "b"].map(|id| self.injector.counts(id)).to_vec()
    }
}

/// Sees that calls are spared as those that are asked about one by one, whatever else there is.
fn are_spared_alike(rules: &[Rule], prepare: impl Fn(&Service)) {
    let [short, whole] = [(); 2].map(|()| Service::with(rules));
    for service in [&short, &whole] {
        prepare(service);
    }
    let paths = ["/", "/healthz", "/orders/7", "/inner/x"];
    for (n, path) in (0..40).zip(paths.into_iter().cycle()) {
        assert_eq!(short.call(path), whole.ask(path), "call {n} of {rules:?}");
        assert_eq!(short.counts(), whole.counts(), "call {n} of {rules:?}");
        short.clock.advance(SECOND / 4);
        whole.clock.advance(SECOND / 4);
    }
}

#[test]
fn calls_are_spared_as_if_they_were_asked_about() {
    let shadow = |id| rule(id).mode(Mode::Shadow);
    let behind = rule("b").trigger(limit(3));
    let of_a_path = rule("b").matching(Matcher::new().path("/orders/7"));
    for first in [
        shadow("a"),
        shadow("a").trigger(limit(5)),
        rule("a").trigger(limit(5)),
        rule("a").trigger(limit(5)).lifetime(until(SECOND * 2)),
        shadow("a").lifetime(until(SECOND * 3)),
    ] {
        for others in [vec![], vec![behind.clone()], vec![of_a_path.clone()]] {
            let rules = [vec![first.clone()], others].concat();
            are_spared_alike(&rules, |_| {});
            are_spared_alike(&rules, |service| {
                let exempt = Exemptions::new().path(Text::prefix("/inner/"));
                service.site.exempt(exempt);
            });
            are_spared_alike(&rules, |service| {
                let total = NonZeroU64::new(4).unwrap();
                service.injector.set_policy(Policy::new().total(total));
            });
        }
    }
}

#[test]
fn a_call_is_spared_without_the_rest_of_its_facts() {
    let service = Service::with(&[rule("a").mode(Mode::Shadow)]);
    assert!(service.site.state().may_spare_each());
    assert!(service.site.spares_each("/"));
    assert!(!service.site.spares_each("/healthz"));
    let counts = service.injector.counts("a").unwrap();
    assert_eq!((counts.matched, counts.shadowed), (1, 1));

    let service = Service::with(&[rule("a").trigger(limit(1))]);
    assert!(!service.site.spares_each("/"));
    assert!(service.ask("/"));
    assert!(service.site.spares_each("/"));
    let counts = service.injector.counts("a").unwrap();
    assert_eq!((counts.matched, counts.injected), (2, 1));
}

#[test]
fn a_rule_that_is_over_hands_on_to_those_behind_it() {
    let service = Service::with(&[
        rule("a").lifetime(until(SECOND)),
        rule("b").lifetime(until(SECOND * 2)),
    ]);
    assert!(service.call("/"));
    service.clock.advance(SECOND);
    assert!(service.call("/") && service.call("/"));
    let matched = |id| service.injector.counts(id).unwrap().matched;
    // The first call after the deadline still matched, and saw that it had passed.
    assert_eq!((matched("a"), matched("b")), (2, 2));
    service.clock.advance(SECOND);
    assert!(!service.call("/") && !service.call("/"));
    assert!(!service.site.is_aimed_at());
}

#[test]
fn a_halt_and_an_edit_are_obeyed_at_once() {
    let service = Service::with(&[rule("a")]);
    assert!(service.call("/"));
    service.injector.halt("enough");
    assert!(!service.call("/"));
    service.injector.resume();
    assert!(service.call("/"));
    service
        .injector
        .put(rule("a").matching(Matcher::new().path("/orders/7")));
    assert!(!service.call("/") && service.call("/orders/7"));
    service.injector.put(rule("a").enabled(false));
    assert!(!service.call("/orders/7"));
}

/// A call that is left before its fault begins gives back what it took of the limit, while others see it used up.
#[test]
fn nothing_of_a_limit_is_lost() {
    const LIMIT: u64 = 2;
    let service = Service::with(&[rule("a").trigger(limit(LIMIT))]);
    let leave = || {
        for _ in 0..20_000 {
            if !service.site.spares_each("/") {
                drop(service.site.decide(&Call::new()));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(leave);
        }
    });
    let hit = (0..10).filter(|_| service.call("/")).count();
    assert_eq!(hit as u64, LIMIT);
}
