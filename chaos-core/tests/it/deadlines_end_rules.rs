//! A rule is dead at its deadline, seen by the call itself: no task or timer has to be alive.

use std::time::Duration;

use chaos_core::{
    Fault, Injector, Latency, Lifetime, Rule, State, rule::Change, testing::ManualClock,
};
use chaos_core::{inject, inject_async};

const SECOND: Duration = Duration::from_secs(1);

fn fails(site: &str, ttl: Duration) -> Rule {
    let (id, site) = ("r".parse().unwrap(), site.parse().unwrap());
    Rule::new(id, site, Fault::error("x")).lifetime(Lifetime::new(ttl).unwrap())
}

#[test]
fn a_rule_ends_by_itself() {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let pass = || inject!(injector: injector, "deadline.plain").is_err();
    injector.put(fails("deadline.plain", 2 * SECOND));
    clock.advance(2 * SECOND - Duration::from_nanos(1));
    assert!(pass());
    assert_eq!(injector.status().state, State::Armed);
    clock.advance(Duration::from_nanos(1));
    assert!(!pass());
    assert_eq!(injector.status().state, State::Idle);
    let counts = injector.counts("r").unwrap();
    assert_eq!(
        (counts.injected, counts.expires_in),
        (1, Some(Duration::ZERO))
    );
}

#[test]
fn ten_minutes_unless_said_otherwise_and_never_must_be_spelt_out() {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let rule = |id: &str| Rule::new(id.parse().unwrap(), "x".parse().unwrap(), Fault::error("x"));
    injector.put(rule("default"));
    injector.put(rule("never").lifetime(Lifetime::NEVER_ENDS));
    assert_eq!(
        injector.counts("default").unwrap().expires_in,
        Some(600 * SECOND)
    );
    assert_eq!(injector.counts("never").unwrap().expires_in, None);
    assert!(Lifetime::new(Duration::ZERO).is_err());
}

#[test]
fn editing_others_does_not_prolong_a_rule_and_putting_it_again_revives_it() {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let pass = || inject!(injector: injector, "deadline.edit").is_err();
    let mine = || fails("deadline.edit", 10 * SECOND);
    let other = Rule::new(
        "o".parse().unwrap(),
        "o".parse().unwrap(),
        Fault::error("x"),
    );
    injector.put(mine());
    clock.advance(9 * SECOND);
    injector.put(other.clone());
    injector.put(mine()); // unchanged and live: its deadline stays
    injector.replace(vec![mine(), other.clone()]).unwrap();
    clock.advance(SECOND);
    assert!(!pass(), "the first deadline holds");
    injector.replace(vec![mine(), other]).unwrap();
    assert!(!pass(), "a list that still has it does not revive it");
    injector.put(mine());
    assert!(pass(), "putting the rule itself does");
    clock.advance(10 * SECOND);
    assert!(!pass());
}

#[test]
fn an_edit_revives_an_expired_rule_only_if_it_switches_it_on_or_makes_it_another() {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let pass = || inject!(injector: injector, "deadline.change").is_err();
    let mine = || fails("deadline.change", SECOND);
    let edit = |rule| injector.apply(Change::Edit(rule), None).unwrap();
    injector.put(mine());
    clock.advance(SECOND);
    edit(mine());
    edit(mine().because("a note for those who come later"));
    assert!(!pass());
    edit(mine().enabled(false));
    edit(mine());
    assert!(pass());
    clock.advance(SECOND);
    assert!(!pass());
    edit(mine().then(Fault::error("another rule")));
    assert!(pass());
}

/// Without a call to notice, or with a rule that never hits, a site once stayed armed for good.
#[test]
fn a_site_without_traffic_is_idle_once_its_rules_expired_and_someone_looked() {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let site = injector.site("deadline.quiet");
    injector.put(fails("deadline.quiet", SECOND));
    clock.advance(SECOND);
    assert!(site.is_armed() && !injector.is_idle());
    assert_eq!(injector.sites().len(), 1);
    assert!(!site.is_armed() && injector.is_idle());
}

#[test]
fn a_halt_does_not_prolong_a_rule() {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    injector.put(fails("deadline.halt", 2 * SECOND));
    injector.halt("wait");
    clock.advance(2 * SECOND);
    injector.resume();
    assert!(inject!(injector: injector, "deadline.halt").is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_delay_ends_with_its_rule_and_the_rest_of_the_rule_with_it() {
    let injector = Injector::new();
    let latency = Latency::fixed(600 * SECOND).unwrap();
    let rule = Rule::new(
        "r".parse().unwrap(),
        "late".parse().unwrap(),
        Fault::latency(latency),
    )
    .then(Fault::error("never comes"))
    .lifetime(Lifetime::new(2 * SECOND).unwrap());
    injector.put(rule);
    tokio::time::advance(SECOND).await;
    let start = chaos_core::Clock::monotonic();
    inject_async!(injector: injector, "late").await.unwrap();
    let took = start.now();
    assert!(
        (SECOND..SECOND + Duration::from_millis(5)).contains(&took),
        "{took:?}"
    );
    inject_async!(injector: injector, "late").await.unwrap();
    assert_eq!(injector.counts("r").unwrap().injected, 1);
}
