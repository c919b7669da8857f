//! Every change stands in the audit once, in the order of the generations, with who and why.

use std::{
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use chaos_core::{
    Fault, Injector, Lifetime, Overlay, Rule,
    audit::{Action, Actor, Audit, Entry},
    rule::Change,
    testing::ManualClock,
};

fn rule(id: &str) -> Rule {
    let (id, site) = (id.parse().unwrap(), "db.read".parse().unwrap());
    Rule::new(id, site, Fault::error("lost"))
}

fn all(injector: &Injector) -> Vec<Arc<Entry>> {
    injector.audit().after(0).entries
}

#[test]
fn an_entry_says_who_did_what_from_where_and_why() {
    let injector = Injector::new();
    let alice = Actor::new("alice").at("10.0.0.7:9").because("GameDay 12");
    let signed = injector.as_actor(alice.clone());
    signed.apply(Change::Put(rule("a")), None).unwrap();
    signed
        .apply(Change::Edit(rule("a").enabled(false)), None)
        .unwrap();
    injector.put(rule("b"));
    signed
        .apply(Change::Replace(vec![rule("b"), rule("c")]), None)
        .unwrap();
    injector.remove(&"b".parse().unwrap());
    signed.halt();
    signed.halt();
    assert!(signed.resume().unwrap());
    assert!(!signed.resume().unwrap());
    assert!(signed.release("c"));
    assert!(!signed.release("a"));
    signed.refuse("PUT /v1/rules: no token");

    let entries = all(&injector);
    let actions: Vec<_> = entries.iter().map(|entry| entry.action).collect();
    use Action::{Edit, Halt, Put, Refuse, Release, Remove, Replace, Resume};
    assert_eq!(
        actions,
        [
            Put, Edit, Put, Replace, Remove, Halt, Halt, Resume, Resume, Release, Refuse
        ]
    );
    let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
    assert_eq!(ids, (1..=11).collect::<Vec<_>>());
    let generations: Vec<_> = entries.iter().map(|entry| entry.generation).collect();
    assert_eq!(generations, [1, 2, 3, 4, 5, 5, 5, 5, 5, 5, 5]);
    assert_eq!(entries[0].actor, alice);
    assert_eq!(entries[2].actor, Actor::code());
    let what: Vec<_> = entries[5..]
        .iter()
        .map(|entry| entry.what.as_deref())
        .collect();
    let expected = [
        None,
        Some("already held by alice at 10.0.0.7:9"),
        Some("ended the holds of alice at 10.0.0.7:9"),
        None,
        Some("c"),
        Some("PUT /v1/rules: no token"),
    ];
    assert_eq!(what, expected);

    let changed = |at: usize| -> Vec<_> {
        let changes = entries[at].changes().into_iter();
        let id =
            |rule: Option<Arc<Rule>>| rule.map(|rule| (rule.id().to_string(), rule.is_enabled()));
        changes
            .map(|(before, after)| (id(before), id(after)))
            .collect()
    };
    let some = |id: &str, enabled| Some((id.to_owned(), enabled));
    assert_eq!(changed(0), [(None, some("a", true))]);
    assert_eq!(changed(1), [(some("a", true), some("a", false))]);
    assert_eq!(
        changed(3),
        [(some("a", false), None), (None, some("c", true))]
    );
    assert_eq!(changed(4), [(some("b", true), None)]);
    assert_eq!(changed(5), []);
}

#[test]
fn what_was_not_done_is_not_there() {
    let injector = Injector::new();
    assert!(injector.apply(Change::Edit(rule("a")), None).is_err());
    assert!(injector.apply(Change::Put(rule("a")), Some(7)).is_err());
    assert!(injector.replace(vec![rule("a"), rule("a")]).is_err());
    assert!(all(&injector).is_empty());
    // What is done in an overlay is its own affair.
    Overlay::new(&injector).put(rule("a"));
    assert!(all(&injector).is_empty());
}

#[test]
fn an_expiry_is_written_down_once_and_before_what_came_later() {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let minute = Lifetime::new(Duration::from_secs(60)).unwrap();
    injector.put(rule("a").lifetime(minute));
    injector.put(rule("b"));
    assert_eq!(injector.sweep(), Some(Duration::from_secs(60)));
    clock.advance(Duration::from_secs(61));
    injector.put(rule("c"));
    injector.sweep();
    let _ = injector.status();
    injector.halt("enough");
    let entries = all(&injector);
    let seen: Vec<_> = entries
        .iter()
        .map(|entry| (entry.action.as_str(), entry.actor.name()))
        .collect();
    let code = |action| (action, "code");
    assert_eq!(
        seen,
        [
            code("put"),
            code("put"),
            ("expire", "chaos"),
            code("put"),
            code("halt")
        ]
    );
    assert_eq!(entries[2].what.as_deref(), Some("a"));
    // Armed anew, it expires anew.
    injector.put(rule("a").lifetime(minute));
    clock.advance(Duration::from_secs(61));
    injector.sweep();
    assert_eq!(all(&injector).last().unwrap().action, Action::Expire);
}

#[test]
fn the_list_is_bounded_and_says_what_it_forgot() {
    let injector = Injector::new();
    for _ in 0..Audit::MOST + 10 {
        injector.put(rule("a"));
    }
    let audit = injector.audit();
    let left = audit.after(0);
    assert_eq!((left.entries.len(), left.missed), (Audit::MOST, 10));
    assert_eq!(left.entries[0].id, 11);
    let left = audit.after(5);
    assert_eq!((left.entries.len(), left.missed), (Audit::MOST, 5));
    let left = audit.after(audit.last() - 1);
    assert_eq!((left.entries.len(), left.missed), (1, 0));
    for beyond in [audit.last(), audit.last() + 1, u64::MAX] {
        let left = audit.after(beyond);
        assert_eq!((left.entries.len(), left.missed), (0, 0));
    }
    // Many rules weigh more than many entries.
    let many = || (0..9000).map(|n| rule(&format!("r{n}"))).collect();
    for _ in 0..4 {
        injector.replace(many()).unwrap();
        injector.clear();
    }
    let left = audit.after(0).entries;
    assert!(left.len() <= 5, "{}", left.len());
    assert_eq!(left.last().unwrap().changes().len(), 9000);
}

#[test]
fn refusals_push_out_refusals_alone() {
    let injector = Injector::new();
    let alice = injector.as_actor(Actor::new("alice"));
    alice.refuse("one");
    injector.put(rule("a"));
    for _ in 0..Audit::MOST {
        alice.refuse("more");
    }
    injector.put(rule("b"));
    let left = injector.audit().after(0);
    let ids: Vec<_> = left.entries.iter().map(|entry| entry.id).collect();
    assert_eq!(ids, (2..).take(Audit::MOST + 2).collect::<Vec<_>>());
    assert_eq!(left.missed, 1);
    alice.refuse("ü".repeat(1_000_000));
    let left = injector.audit().after(1);
    assert_eq!(left.entries[0].action, Action::Put);
    assert_eq!((left.entries[1].id, left.missed), (4, 1));
    let what = left.entries.last().unwrap().what.as_deref();
    assert_eq!(what, Some(&*format!("{}…", "ü".repeat(1000))));
}

#[test]
fn a_hundred_writers_are_written_down_in_order() {
    const WRITERS: usize = 100;
    let injector = Injector::new();
    let barrier = Barrier::new(WRITERS);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (injector, barrier) = (&injector, &barrier);
            scope.spawn(move || {
                barrier.wait();
                let signed = injector.as_actor(Actor::new(writer.to_string()));
                for _ in 0..5 {
                    loop {
                        let seen = injector.rules().generation();
                        let put = Change::Put(rule(&format!("r{writer}")));
                        if signed.apply(put, Some(seen)).is_ok() {
                            break;
                        }
                    }
                }
            });
        }
    });
    let entries = all(&injector);
    let generations: Vec<_> = entries.iter().map(|entry| entry.generation).collect();
    assert_eq!(generations, (1..=5 * WRITERS as u64).collect::<Vec<_>>());
    for writer in 0..WRITERS {
        let theirs = entries
            .iter()
            .filter(|entry| entry.actor.name() == writer.to_string());
        assert_eq!(theirs.count(), 5);
    }
}

#[tokio::test]
async fn whoever_follows_is_told() {
    let injector = Injector::new();
    let audit = injector.audit().clone();
    let follower = tokio::spawn(async move {
        let mut seen = 0;
        while seen < 20 {
            audit.wait(seen).await;
            seen = audit.after(seen).entries.last().unwrap().id;
        }
    });
    for _ in 0..20 {
        injector.put(rule("a"));
        tokio::task::yield_now().await;
    }
    follower.await.unwrap();
    assert!(injector.audit().wait_blocking(19, Duration::ZERO));
    assert!(!injector.audit().wait_blocking(20, Duration::from_millis(1)));
}
