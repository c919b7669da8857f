//! Each call at the watched sites of a rule is accounted for: not matched, not drawn, spared, or hit.

use std::{num::NonZeroU64, time::Duration};

use chaos_core::{
    Call, Fault, Injector, Matcher, Obstacle, Policy, Rule, SiteKind, Trigger, Why, inject,
    policy::Limit, testing::ManualClock,
};
use http::{HeaderMap, Method, Uri};

const MS: Duration = Duration::from_millis(1);

fn rule(site: &str) -> Rule {
    Rule::new(
        "lost".parse().unwrap(),
        site.parse().unwrap(),
        Fault::error("lost"),
    )
}

fn number(number: u64) -> NonZeroU64 {
    NonZeroU64::new(number).unwrap()
}

/// An injector whose layer serves requests, a millisecond each.
struct Shop {
    clock: ManualClock,
    injector: Injector,
}

impl Shop {
    fn new() -> Self {
        let clock = ManualClock::new();
        let injector = Injector::with_clock(clock.clone());
        let _ = injector.site("http.server");
        Self { clock, injector }
    }

    fn serve(&self, method: &Method, path: &str) {
        let site = self.injector.site("http.server");
        let (uri, headers): (Uri, _) = (path.parse().unwrap(), HeaderMap::new());
        let call = Call::http(method, &uri, &headers);
        let mut decision = site.decide(&call);
        let measured = site.measure(&call, decision.as_ref());
        if let Some(decision) = &mut decision {
            let _ = decision.next_plan();
        }
        self.clock.advance(MS);
        if let Some(mut measured) = measured {
            measured.end(false);
        }
    }

    /// Asks while requests are served: 10 that match, 4 with another path, and 3 with another method and path.
    fn ask(&self) -> Why {
        let question = self.injector.ask_why("lost").expect("there is a rule");
        for _ in 0..10 {
            self.serve(&Method::POST, "/checkout");
        }
        for _ in 0..4 {
            self.serve(&Method::POST, "/cart");
        }
        for _ in 0..3 {
            self.serve(&Method::GET, "/cart");
        }
        question.answer().expect("nobody has changed the rule")
    }
}

fn checkout() -> Rule {
    let matcher = Matcher::new().method("POST").path("/checkout");
    rule("http.server").matching(matcher)
}

#[test]
fn each_call_is_accounted_for() {
    let shop = Shop::new();
    shop.injector
        .put(checkout().trigger(Trigger::new().every(number(2)).limit(number(2))));
    let _watch = shop.injector.watch(["http.server".parse().unwrap()]);
    let why = shop.ask();
    let counted = why.counted;
    assert_eq!(why.sites[0].calls, Some(17));
    assert_eq!(why.not_matched(), Some(7));
    assert_eq!((counted.matched, counted.not_drawn()), (10, 5));
    assert_eq!((counted.injected, counted.shadowed), (2, 0));
    let spared: Vec<_> = counted
        .overflow
        .iter()
        .filter(|(_, calls)| *calls > 0)
        .collect();
    assert_eq!(spared, [(Limit::Limit, 3)]);
    assert_eq!(why.elapsed, 17 * MS);
    assert_eq!(why.sites[0].obstacles, [Obstacle::LimitUsedUp]);
    // Each question begins from zero.
    let again = shop.ask();
    assert_eq!((again.counted.injected, again.total.injected), (0, 2));
    assert_eq!((again.counted.matched, again.total.matched), (10, 20));
    assert_eq!(again.not_matched(), Some(7));
}

#[test]
fn calls_that_are_not_matched_are_split_by_the_first_condition() {
    let shop = Shop::new();
    shop.injector.put(checkout());
    let _watch = shop.injector.watch(["**".parse().unwrap()]);
    let why = shop.ask();
    let mismatches = why.sites[0].mismatches.as_ref().unwrap();
    assert_eq!(mismatches.compared, 17);
    let first: Vec<_> = (mismatches.first.iter())
        .map(|(field, calls)| (field.as_str(), *calls))
        .collect();
    assert_eq!(first, [("match.method", 3), ("match.path", 4)]);
}

#[test]
fn a_call_is_compared_once_in_a_millisecond() {
    let shop = Shop::new();
    shop.injector.put(checkout());
    let _watch = shop.injector.watch(["**".parse().unwrap()]);
    let site = shop.injector.site("http.server");
    let question = shop.injector.ask_why("lost").unwrap();
    for _ in 0..5 {
        let call = site.measure(&Call::new(), None);
        call.expect("it is measured").end(false);
    }
    let why = question.answer().unwrap();
    assert_eq!(why.sites[0].calls, Some(5));
    assert_eq!(why.sites[0].mismatches.as_ref().unwrap().compared, 1);
}

#[test]
fn a_site_that_nobody_watches_is_left_as_it_is() {
    let shop = Shop::new();
    shop.injector
        .put(checkout().trigger(Trigger::new().limit(number(1))));
    let question = shop.injector.ask_why("lost").unwrap();
    assert!(!question.is_watched());
    let why = shop.ask();
    let site = &why.sites[0];
    assert_eq!((site.calls, &site.mismatches), (None, &None));
    assert_eq!(why.not_matched(), None);
    // What the rule counts by itself is there.
    assert_eq!((why.counted.matched, why.total.injected), (10, 1));
    shop.injector.clear();
    assert!(shop.injector.is_idle(), "a question watches nothing");
}

#[test]
fn what_is_not_matched_is_known_only_if_all_sites_are_watched() {
    let shop = Shop::new();
    let _ = shop.injector.site("http.client");
    shop.injector.put(rule("http.*"));
    let watch = shop.injector.watch(["http.server".parse().unwrap()]);
    let why = shop.ask();
    let calls: Vec<_> = why
        .sites
        .iter()
        .map(|at| (at.site.name(), at.calls))
        .collect();
    assert_eq!(calls, [("http.client", None), ("http.server", Some(17))]);
    assert_eq!(why.not_matched(), None);
    // The watch ends before the answer.
    let question = shop.injector.ask_why("lost").unwrap();
    drop(watch);
    let _watch = shop.injector.watch(["**".parse().unwrap()]);
    assert_eq!(question.answer().unwrap().sites[1].calls, None);
}

#[test]
fn a_site_in_code_counts_and_compares_nothing() {
    let injector = Injector::new();
    let _ = injector.site_of("db.read", SiteKind::Sync);
    injector.put(rule("db.read").matching(Matcher::new().label("table", "orders")));
    let _watch = injector.watch(["db.read".parse().unwrap()]);
    let question = injector.ask_why("lost").unwrap();
    for table in ["orders", "users", "users"] {
        let _ = inject!(injector: &injector, "db.read", table = table);
    }
    let why = question.answer().unwrap();
    assert_eq!((why.sites[0].calls, why.not_matched()), (Some(3), Some(2)));
    assert_eq!(why.sites[0].mismatches, None);
    assert_eq!(why.counted.injected, 1);
}

#[test]
fn what_keeps_a_rule_from_injecting_is_said() {
    let shop = Shop::new();
    let shadow_only = Policy::new().shadow_only(true);
    shop.injector.set_policy(shadow_only);
    shop.injector.put(checkout());
    let _watch = shop.injector.watch(["**".parse().unwrap()]);
    let why = shop.ask();
    assert_eq!(why.sites[0].obstacles, [Obstacle::Shadow]);
    assert_eq!((why.counted.injected, why.counted.shadowed), (0, 10));
    assert_eq!(why.counted.not_drawn(), 0);
    shop.injector.halt("enough");
    let why = shop.ask();
    let halted = [Obstacle::Halted, Obstacle::Shadow];
    assert_eq!(why.sites[0].obstacles, halted);
    assert_eq!((why.counted.matched, why.not_matched()), (0, Some(17)));
}

#[test]
fn an_exempt_call_is_said_to_be() {
    let shop = Shop::new();
    shop.injector.put(checkout());
    assert!(!shop.ask().has_spared_exempt);
    shop.injector.exempt_path("/checkout");
    let why = shop.ask();
    assert!(why.has_spared_exempt);
    assert_eq!((why.counted.matched, why.counted.not_drawn()), (10, 10));
}

#[test]
fn a_rule_that_begins_again_has_no_answer() {
    let shop = Shop::new();
    assert!(shop.injector.ask_why("lost").is_none());
    shop.injector.put(checkout());
    let question = shop.injector.ask_why("lost").unwrap();
    shop.injector.put(checkout().enabled(false));
    assert!(question.answer().is_some(), "its counts go on");
    shop.injector
        .put(checkout().trigger(Trigger::new().limit(number(1))));
    assert!(question.answer().is_none());
    let question = shop.injector.ask_why("lost").unwrap();
    shop.injector.clear();
    assert!(question.answer().is_none());
}
