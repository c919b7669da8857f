//! Rules on a leash act no longer than someone extends it, whoever has died: a call that is about to be hit reads the
//! leash.

use std::{num::NonZeroU64, sync::Arc, time::Duration};

use chaos_core::{
    Fault, Mode, State, Trigger,
    audit::{Action, Entry},
    inject,
    rule::Change,
};

use crate::support::leashes::{HOLD, SECOND, fails, lasting, on, put, with_clock};

#[test]
fn a_rule_ends_with_its_leash_and_goes_on_with_it() {
    let (injector, clock) = with_clock();
    let leash = injector.leash(HOLD);
    let pass = || inject!(injector: injector, "leash.plain").is_err();
    let limit = Trigger::new().limit(NonZeroU64::new(3).unwrap());
    put(&injector, &leash, fails("r", "leash.plain").trigger(limit));
    clock.advance(HOLD - Duration::from_nanos(1));
    assert!(pass());
    assert_eq!(injector.status().state, State::Armed);

    clock.advance(Duration::from_nanos(1));
    assert!(leash.is_over() && !pass());
    assert_eq!(injector.status().state, State::Idle);
    let counts = injector.counts("r").unwrap();
    assert_eq!(counts.leash, Some(Duration::ZERO));
    assert_eq!(counts.expires_in, Some(Duration::ZERO));
    assert_eq!((counts.matched, counts.injected, counts.active), (2, 1, 0));

    clock.advance(100 * SECOND);
    leash.extend();
    assert_eq!((leash.left(), leash.hold()), (HOLD, HOLD));
    assert!(pass() && pass(), "the rule goes on");
    assert!(!pass(), "and so does its limit");
    let counts = injector.counts("r").unwrap();
    assert_eq!((counts.matched, counts.injected), (5, 3));
    assert_eq!((counts.leash, counts.expires_in), (Some(HOLD), Some(HOLD)));
    assert_eq!(injector.status().state, State::Armed);

    leash.clone().end();
    assert!(leash.is_over());
    assert_eq!(injector.status().state, State::Idle);
}

/// A thread keeps what settles most calls of a rule. It must forget neither the rule nor its leash.
#[test]
fn each_way_to_fire_reads_the_leash() {
    let (injector, clock) = with_clock();
    let leash = injector.leash(HOLD);
    let rules = [
        fails("plain", "leash.ways"),
        fails("two-faults", "leash.ways").then(Fault::error("y")),
        fails("seeded", "leash.ways").trigger(Trigger::new().seed(1)),
        fails("in-shadow", "leash.ways").mode(Mode::Shadow),
        lasting(fails("with-a-ttl", "leash.ways"), 600),
    ];
    for rule in rules {
        let id = rule.id().clone();
        put(&injector, &leash, rule);
        let hits = || {
            let before = injector.counts(id.as_str()).unwrap();
            for _ in 0..20 {
                let _ = inject!(injector: injector, "leash.ways");
            }
            let after = injector.counts(id.as_str()).unwrap();
            assert_eq!(after.matched, before.matched + 20);
            after.injected + after.shadowed - before.injected - before.shadowed
        };
        for _ in 0..2 {
            leash.extend();
            assert_eq!(hits(), 20, "{id}");
            clock.advance(HOLD);
            assert_eq!(hits(), 0, "{id}");
        }
        injector.remove(&id);
    }
}

#[test]
fn the_time_of_the_rule_goes_on_while_its_leash_is_over() {
    let (injector, clock) = with_clock();
    let leash = injector.leash(HOLD);
    let pass = || inject!(injector: injector, "leash.ttl").is_err();
    put(&injector, &leash, lasting(fails("r", "leash.ttl"), 60));
    clock.advance(40 * SECOND);
    assert!(!pass());
    leash.extend();
    assert!(pass());
    let left = injector.counts("r").unwrap();
    assert_eq!(
        (left.expires_in, left.leash),
        (Some(20 * SECOND), Some(HOLD))
    );
    // An extension moves the rule's own deadline, and not the leash.
    injector.extend("r", 20 * SECOND).unwrap();
    let left = injector.counts("r").unwrap();
    assert_eq!((left.expires_in, left.leash), (Some(HOLD), Some(HOLD)));
    clock.advance(35 * SECOND);
    assert!(!pass());
    leash.extend();
    assert!(pass());
    clock.advance(5 * SECOND);
    assert!(!pass(), "its own deadline");
    leash.extend();
    assert!(!pass());
    assert_eq!(injector.status().state, State::Idle);
    let site = injector.site("leash.ttl");
    assert!(!site.is_armed(), "the site is idle for good");
}

#[test]
fn a_rule_hangs_on_what_the_last_put_has() {
    let (injector, clock) = with_clock();
    let [first, second] = [HOLD, 2 * HOLD].map(|hold| injector.leash(hold));
    let leash_of = |id: &str| injector.counts(id).unwrap().leash;
    let mine = || fails("mine", "leash.put");
    put(&injector, &first, mine());
    assert!(inject!(injector: injector, "leash.put").is_err());
    put(&injector, &second, mine());
    assert_eq!(leash_of("mine"), Some(2 * HOLD));
    assert_eq!(injector.counts("mine").unwrap().injected, 1, "it goes on");

    // Who writes all rules neither takes those of others nor frees them.
    let theirs = fails("theirs", "leash.put.other");
    injector.put(theirs.clone());
    let all = || Change::Replace(vec![mine(), theirs.clone(), fails("new", "leash.put.new")]);
    on(&injector, &first).apply(all(), None).unwrap();
    assert_eq!(leash_of("mine"), Some(2 * HOLD));
    assert_eq!(leash_of("theirs"), None);
    assert_eq!(leash_of("new"), Some(HOLD));
    injector.apply(all(), None).unwrap();
    assert_eq!(leash_of("new"), Some(HOLD));

    // An edit leaves a rule where it is, also one that arms it anew.
    for rule in [mine().enabled(false), mine(), mine().because("why"), mine()] {
        injector.apply(Change::Edit(rule), None).unwrap();
        assert_eq!(leash_of("mine"), Some(2 * HOLD));
    }
    on(&injector, &first)
        .apply(Change::Edit(mine()), None)
        .unwrap();
    assert_eq!(leash_of("mine"), Some(HOLD));

    injector.put(mine());
    assert_eq!(leash_of("mine"), None);
    first.end();
    assert!(inject!(injector: injector, "leash.put").is_err());
    put(&injector, &first, mine());
    assert!(inject!(injector: injector, "leash.put").is_ok());
    clock.advance(HOLD);
}

/// A dead controller's rules once came back by way of a policy that was set, or of a halt.
#[test]
fn nothing_but_an_extension_revives_a_rule() {
    let (injector, clock) = with_clock();
    let leash = injector.leash(HOLD);
    let pass = || inject!(injector: injector, "leash.dead").is_err();
    put(&injector, &leash, lasting(fails("r", "leash.dead"), 3600));
    clock.advance(HOLD);
    injector.halt("why");
    injector.resume();
    injector.extend("r", SECOND).unwrap();
    injector.set_policy(injector.policy().max_ttl(1800 * SECOND));
    put(&injector, &leash, lasting(fails("r", "leash.dead"), 3600));
    put(&injector, &leash, fails("another", "leash.dead"));
    assert!(!pass());
    let site = injector.site("leash.dead");
    assert!(
        site.is_armed(),
        "an extension needs nobody who arms the site"
    );
    leash.extend();
    assert!(pass());
}

#[test]
fn the_end_of_a_leash_is_written_down_once_each_time() {
    let (injector, clock) = with_clock();
    let leash = injector.leash(HOLD);
    put(&injector, &leash, fails("a", "leash.audit"));
    put(&injector, &leash, lasting(fails("b", "leash.audit"), 50));
    put(
        &injector,
        &leash,
        fails("off", "leash.audit").enabled(false),
    );
    injector.put(lasting(fails("mine", "leash.audit"), 3600));
    let seen = injector.audit().last();
    assert_eq!(injector.sweep(), Some(HOLD));
    let ended = || -> Vec<_> {
        let _ = injector.status();
        let entries = injector.audit().after(seen).entries;
        assert!(entries.iter().all(|entry| entry.action == Action::Expire));
        let told = |entry: &Arc<Entry>| {
            let what = entry.what.as_deref().unwrap_or_default().to_owned();
            (what, entry.actor.reason().is_some())
        };
        entries.iter().map(told).collect()
    };
    let a = ("a".to_owned(), true);
    let b = |by_leash| ("b".to_owned(), by_leash);
    assert_eq!(ended(), []);
    clock.advance(HOLD);
    assert_eq!(ended(), [a.clone(), b(true)]);
    assert_eq!(injector.sweep(), Some(Duration::from_secs(20)));
    leash.extend();
    assert_eq!(ended().len(), 2);
    clock.advance(20 * SECOND);
    assert_eq!(ended()[2..], [b(false)], "its own deadline");
    leash.end();
    assert_eq!(ended()[3..], [a], "once more, and b no more");
    assert_eq!(injector.sweep(), Some(Duration::from_secs(3550)));
}
