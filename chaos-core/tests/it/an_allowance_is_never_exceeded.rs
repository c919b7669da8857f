//! Rules that an allowance feeds inject as often as permits were added to it, all of them together and no more, whatever
//! the concurrency.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use chaos_core::{
    Allowance, AttributedInjector, Call, Fault, Injector, Latency, Leash, Mode, Obstacle, Plan,
    Rule, SiteGlob, Trigger, audit::Actor, inject, policy::Limit, rule::Change,
};

fn rule(id: &str, site: &str) -> Rule {
    let site: SiteGlob = site.parse().unwrap();
    Rule::new(id.parse().unwrap(), site, Fault::error("x"))
}

fn fed<'i>(injector: &'i Injector, allowance: &Allowance) -> AttributedInjector<'i> {
    injector.as_actor(Actor::new("fleet")).fed_by(allowance)
}

fn put(injector: &Injector, allowance: &Allowance, rule: Rule) {
    fed(injector, allowance)
        .apply(Change::Put(rule), None)
        .unwrap();
}

fn spared(injector: &Injector, id: &str) -> u64 {
    let overflow = injector.counts(id).unwrap().overflow;
    let allowance = overflow
        .iter()
        .find(|(limit, _)| *limit == Limit::Allowance);
    allowance.unwrap().1
}

#[test]
fn a_dry_rule_spares_its_calls_and_one_that_is_fed_goes_on() {
    let (injector, allowance) = (Injector::new(), Allowance::new());
    put(&injector, &allowance, rule("r", "allowance.fed"));
    let pass = || inject!(injector: injector, "allowance.fed").is_err();
    let site = injector.site("allowance.fed");
    assert!(!pass());
    let explained = injector.explain(site, &Call::new());
    assert_eq!(explained[0].obstacles, [Obstacle::LimitUsedUp]);
    allowance.add(2);
    assert!(injector.explain(site, &Call::new())[0].obstacles.is_empty());
    assert!(pass() && pass() && !pass());
    allowance.clone().add(3);
    assert!(pass());
    assert_eq!((allowance.used(), allowance.left()), (3, 2));
    assert_eq!(allowance.take_back(), 2);
    assert!(!pass());
    allowance.add(u64::MAX);
    allowance.add(1);
    assert_eq!(allowance.left(), u64::MAX);
    assert!(pass());
    let counts = injector.counts("r").unwrap();
    assert_eq!((counts.matched, counts.injected), (7, 4));
    assert_eq!((spared(&injector, "r"), counts.overflow.total()), (3, 3));
    assert_eq!(Limit::Allowance.as_str(), "allowance");
}

#[test]
fn what_was_decided_and_never_happened_is_given_back() {
    let (injector, allowance) = (Injector::new(), Allowance::new());
    let site = injector.site("allowance.refund");
    put(&injector, &allowance, rule("r", "allowance.refund"));
    allowance.add(1);
    let decision = site.decide(&Call::new()).expect("fires");
    assert_eq!((allowance.left(), allowance.used()), (0, 1));
    // Put again on another, the rule gives back to the one from which it has taken.
    let other = Allowance::new();
    put(&injector, &other, rule("r", "allowance.refund"));
    drop(decision);
    assert_eq!((allowance.left(), allowance.used()), (1, 0));
    assert_eq!((other.left(), other.used()), (0, 0));
    // A limit of its own that spares a call takes no permit, and a dry allowance nothing of the limit.
    let limited = Trigger::new().limit(1.try_into().unwrap());
    put(
        &injector,
        &other,
        rule("r", "allowance.refund").trigger(limited),
    );
    assert!(site.decide(&Call::new()).is_none());
    other.add(2);
    assert!(site.decide(&Call::new()).unwrap().next_plan().is_some());
    assert!(site.decide(&Call::new()).is_none());
    assert_eq!((other.left(), other.used()), (1, 1));
}

/// Whatever a rule is, its injections take permits: the way of most rules knows no allowance.
#[test]
fn all_rules_of_a_handle_share_it() {
    let (injector, allowance) = (Injector::new(), Allowance::new());
    let late = Fault::latency(Latency::fixed(Duration::ZERO).unwrap());
    let rules = [
        rule("plain", "allowance.a"),
        Rule::new(
            "late".parse().unwrap(),
            "allowance.b".parse().unwrap(),
            late,
        ),
        rule("two", "allowance.c").then(Fault::error("y")),
        rule("seeded", "allowance.d").trigger(Trigger::new().seed(3)),
        rule("shadow", "allowance.e").mode(Mode::Shadow),
        rule("bounded", "allowance.f").trigger(Trigger::new().max_active(9.try_into().unwrap())),
    ];
    let ids: Vec<_> = rules.iter().map(|rule| rule.id().clone()).collect();
    fed(&injector, &allowance)
        .apply(Change::Replace(rules.into()), None)
        .unwrap();
    let passes = || {
        for name in ["a", "b", "c", "d", "e", "f"] {
            let site = injector.site(&format!("allowance.{name}"));
            if let Some(mut decision) = site.decide(&Call::new()) {
                while decision.next_plan().is_some() {}
            }
        }
    };
    let hits = || -> u64 {
        let counts = ids.iter().map(|id| injector.counts(id.as_str()).unwrap());
        counts.map(|counts| counts.injected + counts.shadowed).sum()
    };
    passes();
    assert_eq!(hits(), 0);
    allowance.add(4);
    passes();
    passes();
    assert_eq!((hits(), allowance.used(), allowance.left()), (4, 4, 0));
    // A person's put frees the rule from it.
    injector.put(rule("plain", "allowance.a"));
    passes();
    assert_eq!((hits(), allowance.used()), (5, 4));
}

#[test]
fn a_leash_and_an_allowance_hold_together() {
    let (injector, allowance) = (Injector::new(), Allowance::new());
    let leash: Leash = injector.leash(Duration::from_secs(600));
    allowance.add(2);
    let handle = fed(&injector, &allowance).on_leash(&leash);
    handle
        .apply(Change::Put(rule("r", "allowance.leash")), None)
        .unwrap();
    let pass = || inject!(injector: injector, "allowance.leash").is_err();
    assert!(pass());
    leash.end();
    assert!(!pass());
    assert_eq!((allowance.left(), spared(&injector, "r")), (1, 0));
    leash.extend();
    assert!(pass() && !pass());
    // Each part of the handle is what the last put has.
    put(&injector, &allowance, rule("r", "allowance.leash"));
    assert_eq!(injector.counts("r").unwrap().leash, None);
    allowance.add(1);
    leash.end();
    assert!(pass());
}

/// Two rules may hit one call, and one of them may be left without a permit.
#[test]
fn under_threads_as_many_are_hit_as_were_added() {
    const CHUNKS: u64 = 200;
    let (injector, allowance) = (Injector::new(), Allowance::new());
    let late = Fault::latency(Latency::fixed(Duration::ZERO).unwrap());
    let slow = Rule::new(
        "slow".parse().unwrap(),
        "allowance.threads".parse().unwrap(),
        late,
    );
    put(&injector, &allowance, slow);
    put(&injector, &allowance, rule("r", "allowance.threads"));
    let site = injector.site("allowance.threads");
    let (given, back) = (AtomicU64::new(0), AtomicU64::new(0));
    let start = Barrier::new(9);
    thread::scope(|scope| {
        for n in 0..8_u64 {
            let (start, site) = (&start, &site);
            scope.spawn(move || {
                start.wait();
                for turn in 0..5_000 {
                    let Some(mut decision) = site.decide(&Call::new()) else {
                        continue;
                    };
                    // Some callers leave before anything is injected.
                    if (turn + n) % 5 != 0 {
                        while let Some(Plan::Wait(_)) = decision.next_plan() {}
                    }
                }
            });
        }
        start.wait();
        for chunk in 0..CHUNKS {
            allowance.add(chunk % 7);
            given.fetch_add(chunk % 7, SeqCst);
            if chunk % 13 == 0 {
                back.fetch_add(allowance.take_back(), SeqCst);
            }
            thread::yield_now();
        }
    });
    let hits = ["r", "slow"].map(|id| injector.counts(id).unwrap().injected);
    let hits = hits.iter().sum::<u64>();
    assert_eq!(hits, allowance.used(), "a permit each");
    assert!(hits > 0);
    let given = given.load(SeqCst);
    assert_eq!(hits + allowance.left() + back.load(SeqCst), given);
}
