//! An extension moves the deadline of a rule, and everything that follows a deadline follows it. Counts, limits,
//! draws and guard rails go on.

use std::{
    num::{NonZeroU32, NonZeroU64},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

use chaos_core::{
    Fault, GuardRail, Injector, Latency, Lifetime, Policy, Rate, Rule, State, Trigger,
    audit::{Action, Actor},
    inject, inject_async,
    rule::{Change, ExtendError},
    testing::ManualClock,
};

const SECOND: Duration = Duration::from_secs(1);

fn fails(id: &str, site: &str, ttl: Duration) -> Rule {
    let (id, site) = (id.parse().unwrap(), site.parse().unwrap());
    Rule::new(id, site, Fault::error("x")).lifetime(Lifetime::new(ttl).unwrap())
}

fn with_clock() -> (Injector, ManualClock) {
    let clock = ManualClock::new();
    (Injector::with_clock(clock.clone()), clock)
}

#[test]
fn counts_and_limits_go_on_until_the_new_deadline() {
    let (injector, clock) = with_clock();
    let pass = || inject!(injector: injector, "extend.counts").is_err();
    let limit = Trigger::new().limit(NonZeroU64::new(3).unwrap());
    injector.put(fails("r", "extend.counts", 10 * SECOND).trigger(limit));
    assert!(pass() && pass());
    let generation = injector.rules().generation();

    clock.advance(9 * SECOND);
    assert_eq!(injector.extend("r", 5 * SECOND), Ok(6 * SECOND));
    let counts = injector.counts("r").unwrap();
    assert_eq!((counts.injected, counts.expires_in), (2, Some(6 * SECOND)));
    assert_eq!(injector.rules().generation(), generation);

    clock.advance(2 * SECOND);
    assert!(pass(), "the old deadline is no deadline");
    assert!(!pass(), "the limit goes on");
    clock.advance(4 * SECOND);
    assert!(!pass());
    assert_eq!(injector.status().state, State::Idle);
    let expired: Vec<_> = injector.audit().after(0).entries;
    let actions: Vec<_> = expired.iter().map(|entry| entry.action).collect();
    assert_eq!(actions, [Action::Put, Action::Extend, Action::Expire]);
}

#[test]
fn draws_go_on() {
    let hits = |extends: bool| {
        let (injector, clock) = with_clock();
        let half = Trigger::new().rate(Rate::new(0.5).unwrap()).seed(7);
        injector.put(fails("r", "extend.draws", 10 * SECOND).trigger(half));
        for _ in 0..40 {
            let _ = inject!(injector: injector, "extend.draws");
        }
        if extends {
            injector.extend("r", 60 * SECOND).unwrap();
            clock.advance(11 * SECOND);
        }
        for _ in 0..40 {
            let _ = inject!(injector: injector, "extend.draws");
        }
        injector.decisions("r").unwrap()
    };
    assert_eq!(hits(true), hits(false));
}

/// A site with many rules has an index, and knows by itself when the last of its rules ends.
#[test]
fn one_of_many_rules_is_extended() {
    let (injector, clock) = with_clock();
    let last = |n: u32| Trigger::new().max_active(NonZeroU32::new(n).unwrap());
    for n in 1..=20 {
        let id = format!("r{n}");
        injector.put(fails(&id, "extend.many", 10 * SECOND).trigger(last(n)));
    }
    injector.extend("r7", 10 * SECOND).unwrap();
    clock.advance(11 * SECOND);
    let pass = || inject!(injector: injector, "extend.many").is_err();
    assert!(pass() && pass());
    assert_eq!(injector.counts("r7").unwrap().injected, 2);
    assert_eq!(injector.counts("r8").unwrap().injected, 0);
    clock.advance(9 * SECOND);
    assert!(!pass());
}

#[test]
fn guard_rails_watch_until_the_new_deadline() {
    let (injector, clock) = with_clock();
    let rail = GuardRail::new().error_ratio(Rate::new(0.5).unwrap());
    injector.put(fails("r", "extend.guarded", 10 * SECOND).guard(rail));
    let site = injector.site("extend.guarded");
    injector.extend("r", 10 * SECOND).unwrap();
    clock.advance(15 * SECOND);
    assert!(site.measure(&chaos_core::Call::new(), None).is_some());
    clock.advance(5 * SECOND);
    let _ = injector.status();
    assert!(site.measure(&chaos_core::Call::new(), None).is_none());
}

#[test]
fn what_cannot_be_extended_is_refused_and_stays() {
    let (injector, clock) = with_clock();
    injector.put(fails("ends", "a", 10 * SECOND));
    injector.put(fails("never", "a", SECOND).lifetime(Lifetime::NEVER_ENDS));
    injector.put(fails("off", "a", 10 * SECOND).enabled(false));
    let before = injector.audit().last();
    let extend = |id: &str| injector.extend(id, SECOND).unwrap_err();
    assert_eq!(extend("none"), ExtendError::Unknown);
    assert_eq!(extend("not an id"), ExtendError::Unknown);
    assert_eq!(extend("never"), ExtendError::NoDeadline);
    assert_eq!(extend("off"), ExtendError::Disabled);
    let nothing = injector.extend("ends", Duration::ZERO);
    assert_eq!(nothing, Err(ExtendError::NoTime));
    let forever = injector.extend("ends", Duration::MAX).unwrap_err();
    assert!(matches!(forever, ExtendError::TooLong { .. }), "{forever}");
    let alice = injector.as_actor(Actor::new("alice"));
    let stale = alice.extend("ends", SECOND, Some(2)).unwrap_err();
    assert!(matches!(stale, ExtendError::Stale { current: 3, .. }));
    assert_eq!(injector.audit().last(), before);
    assert_eq!(
        injector.counts("ends").unwrap().expires_in,
        Some(10 * SECOND)
    );
    clock.advance(10 * SECOND);
    assert_eq!(extend("ends"), ExtendError::Ended);
}

#[test]
fn a_policy_without_an_end_allows_no_more_than_a_rule_may_have() {
    let (injector, _) = with_clock();
    injector.set_policy(Policy::new().max_ttl(Duration::MAX));
    injector.put(fails("r", "a", 30 * SECOND));
    let most = 365 * 24 * 60 * 60 * SECOND;
    let refused = injector.extend("r", most).unwrap_err();
    assert!(matches!(refused, ExtendError::TooLong { max_ttl, .. } if max_ttl == most));
    assert_eq!(injector.extend("r", most - 30 * SECOND), Ok(most));
}

#[test]
fn the_policy_bounds_the_whole_life_of_a_rule() {
    let (injector, clock) = with_clock();
    injector.set_policy(Policy::new().max_ttl(60 * SECOND));
    injector.put(fails("r", "a", 30 * SECOND));
    clock.advance(20 * SECOND);
    let refused = injector.extend("r", 31 * SECOND).unwrap_err();
    let ExtendError::TooLong { most, max_ttl, .. } = refused else {
        panic!("{refused}")
    };
    assert_eq!((most, max_ttl), (30 * SECOND, 60 * SECOND));
    assert_eq!(injector.counts("r").unwrap().expires_in, Some(10 * SECOND));
    assert_eq!(injector.extend("r", most), Ok(40 * SECOND));

    // A policy that is set later bounds the extended life, and not the one that was written.
    injector.set_policy(Policy::new().max_ttl(50 * SECOND));
    assert_eq!(injector.counts("r").unwrap().expires_in, Some(30 * SECOND));
    injector.set_policy(Policy::new());
    assert_eq!(injector.counts("r").unwrap().expires_in, Some(30 * SECOND));
}

#[test]
fn a_halted_rule_is_extended_and_stays_halted() {
    let (injector, clock) = with_clock();
    let pass = || inject!(injector: injector, "extend.halted").is_err();
    injector.put(fails("r", "extend.halted", 10 * SECOND));
    injector.halt("wait");
    injector.extend("r", 10 * SECOND).unwrap();
    clock.advance(15 * SECOND);
    assert!(!pass());
    injector.resume();
    assert!(pass());
}

/// A call that has read the clock right before the deadline was moved once took the rule for expired, for good.
#[test]
fn a_rule_that_was_extended_in_its_last_moment_lives() {
    for round in 0..200 {
        let (injector, clock) = with_clock();
        let site = injector.site("extend.last");
        injector.put(fails("r", "extend.last", SECOND));
        clock.advance(SECOND - Duration::from_nanos(1));
        let ends = Arc::new(AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                while !ends.load(Ordering::Relaxed) {
                    let _ = site.decide(&chaos_core::Call::new());
                }
            });
            scope.spawn(|| clock.advance(Duration::from_nanos(1)));
            let extended = injector.extend("r", SECOND);
            ends.store(true, Ordering::Relaxed);
            match extended {
                Ok(_) => assert!(site.decide(&chaos_core::Call::new()).is_some(), "{round}"),
                Err(error) => assert_eq!(error, ExtendError::Ended),
            }
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_delay_keeps_its_deadline_and_the_rest_of_the_rule_goes_on() {
    let injector = Injector::new();
    let latency = Latency::fixed(600 * SECOND).unwrap();
    let rule = fails("r", "late", 2 * SECOND);
    let slow = Rule::new(
        rule.id().clone(),
        rule.site().clone(),
        Fault::latency(latency),
    );
    let slow = slow.then(Fault::error("then"));
    injector.put(slow.lifetime(Lifetime::new(2 * SECOND).unwrap()));
    let call = async {
        let start = chaos_core::Clock::monotonic();
        let result = inject_async!(injector: injector, "late").await;
        (start.now(), result.is_err())
    };
    let extend = async {
        tokio::time::sleep(SECOND).await;
        injector.extend("r", 10 * SECOND).unwrap();
    };
    let ((took, failed), ()) = tokio::join!(call, extend);
    let expected = 2 * SECOND..2 * SECOND + Duration::from_millis(5);
    assert!(expected.contains(&took), "{took:?}");
    assert!(failed);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_injections_waits_until_the_new_deadline() {
    let injector = Injector::new();
    injector.put(fails("r", "extend.waited", 2 * SECOND));
    let waits = injector.wait_for("r", 1);
    let other = async {
        tokio::time::sleep(SECOND).await;
        injector.extend("r", 10 * SECOND).unwrap();
        tokio::time::sleep(5 * SECOND).await;
        inject!(injector: injector, "extend.waited").unwrap_err();
    };
    let (waited, ()) = tokio::join!(waits, other);
    assert_eq!(waited, Some(1));
}

#[test]
fn the_audit_says_who_extended_what_and_why() {
    let (injector, clock) = with_clock();
    injector.put(fails("r", "a", 10 * SECOND));
    let alice = Actor::new("alice").because("one more minute");
    clock.advance(SECOND);
    let left = injector.as_actor(alice).extend("r", 60 * SECOND, Some(1));
    assert_eq!(left, Ok(69 * SECOND));
    let entry = &injector.audit().after(1).entries[0];
    assert_eq!(
        (entry.action, entry.actor.name()),
        (Action::Extend, "alice")
    );
    assert_eq!(entry.actor.reason(), Some("one more minute"));
    let what = entry.what.as_deref();
    assert_eq!(what, Some("r by 60s, and so it ends in 69s"));
    assert!(entry.changes().is_empty());
}

#[test]
fn counts_say_whose_a_rule_is_and_since_when() {
    let (injector, clock) = with_clock();
    let by = |name: &str| injector.as_actor(Actor::new(name));
    let rule = || fails("r", "a", 10 * SECOND);
    let whose = || {
        let counts = injector.counts("r").unwrap();
        let name = counts.armed_by.name().to_owned();
        let since = counts.since.duration_since(injector.since());
        let ends = counts.deadline.map(|at: SystemTime| {
            let ends = at.duration_since(injector.since());
            ends.unwrap().as_secs()
        });
        (name, since.unwrap().as_secs(), ends)
    };
    clock.advance(SECOND);
    by("alice").apply(Change::Put(rule()), None).unwrap();
    assert_eq!(whose(), ("alice".to_owned(), 1, Some(11)));
    clock.advance(SECOND);
    let noted = rule().because("a note");
    by("bob").apply(Change::Edit(noted.clone()), None).unwrap();
    by("bob").extend("r", 5 * SECOND, None).unwrap();
    assert_eq!(whose(), ("alice".to_owned(), 1, Some(16)));
    let off = noted.clone().enabled(false);
    by("bob").apply(Change::Edit(off), None).unwrap();
    assert_eq!(whose(), ("alice".to_owned(), 1, None));
    clock.advance(SECOND);
    by("carol")
        .apply(Change::Edit(noted.clone()), None)
        .unwrap();
    assert_eq!(whose(), ("carol".to_owned(), 3, Some(13)));
    let all = vec![noted, fails("other", "a", SECOND)];
    by("dave").apply(Change::Replace(all), None).unwrap();
    assert_eq!(whose(), ("carol".to_owned(), 3, Some(13)));
    let other = injector.counts("other").unwrap();
    assert_eq!(other.armed_by.name(), "dave");
}
