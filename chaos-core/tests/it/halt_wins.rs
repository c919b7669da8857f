//! The kill switch: new calls are free at once, waiting ones are let go, nothing fires until resume.

use std::{
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chaos_core::{
    Clock, Fault, HaltHook, HolderKind, Injector, Latency, Rule, State, audit::Actor, inject,
    inject_async,
};

use crate::support::waiting::{HaltWhenDropped, until, until_async};

fn delays(injector: &Injector, site: &str, secs: u64) {
    let latency = Latency::fixed(Duration::from_secs(secs)).unwrap();
    injector.put(Rule::new(
        "slow".parse().unwrap(),
        site.parse().unwrap(),
        Fault::latency(latency),
    ));
}

/// Waits until the delays of `count` calls have begun; to be active, it is enough to be decided.
async fn delayed(injector: &Injector, count: u64) {
    let are_delayed = || injector.status().injected >= count;
    until_async("calls are delayed", are_delayed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn halt_lets_waiting_tasks_go() {
    let injector = Injector::new();
    delays(&injector, "halt.tasks", 600);
    let calls: Vec<_> = (0..1000)
        .map(|_| {
            let injector = injector.clone();
            tokio::spawn(async move { inject_async!(injector: injector, "halt.tasks").await })
        })
        .collect();
    delayed(&injector, 1000).await;
    injector.halt("enough");
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(injector.status().active, 0);
    assert_eq!(injector.counts("slow").unwrap().injected, 1000);
}

#[test]
fn halt_lets_waiting_threads_go() {
    let injector = Injector::new();
    delays(&injector, "halt.threads", 600);
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| inject!(injector: injector, "halt.threads")))
            .collect();
        let halts = HaltWhenDropped(&injector);
        until("eight calls wait", || injector.status().active == 8);
        drop(halts);
        for call in calls {
            call.join().unwrap().unwrap();
        }
    });
}

/// A halt opens the gate at which paused calls wait; later ones must not find it open.
#[test]
fn a_rule_pauses_again_after_a_halt() {
    let injector = Injector::new();
    let pause = Fault::pause(Duration::from_secs(600)).unwrap();
    let rule = |id: &str| {
        let (id, site) = (id.parse().unwrap(), "halt.pauses".parse().unwrap());
        Rule::new(id, site, pause.clone())
    };
    injector.put(rule("pause"));
    for round in 1..=3 {
        std::thread::scope(|scope| {
            let call = scope.spawn(|| inject!(injector: injector, "halt.pauses"));
            let halts = HaltWhenDropped(&injector);
            until("it is paused", || injector.status().injected >= round);
            std::thread::park_timeout(Duration::from_millis(20));
            assert!(!call.is_finished());
            drop(halts);
            call.join().unwrap().unwrap();
            injector.resume();
        });
    }
}

/// A resume released the calls that began while it was at work.
#[test]
fn a_call_that_begins_during_a_resume_is_paused() {
    let injector = Injector::new();
    let (id, site) = ("pause".parse().unwrap(), "halt.resumes".parse().unwrap());
    let pause = Fault::pause(Duration::from_secs(600)).unwrap();
    injector.put(Rule::new(id, site, pause));
    injector.halt("not yet");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                inject!(injector: injector, "halt.resumes").unwrap();
            }
        });
        let _over = SetWhenDropped(&is_over);
        for round in 1..=100 {
            injector.resume();
            until("a call is paused", || injector.status().injected >= round);
            std::thread::park_timeout(Duration::from_millis(2));
            // A call that was released has been followed by another one.
            let injected = injector.status().injected;
            is_over.store(round == 100 || injected != round, Ordering::Relaxed);
            injector.halt("next");
            assert_eq!(injected, round);
        }
    });
}

#[test]
fn nothing_fires_until_resume_whatever_is_edited() {
    let injector = Injector::new();
    let pass = || inject!(injector: injector, "halt.edits");
    let fails = |message| {
        let (id, site) = ("r".parse().unwrap(), "halt.edits".parse().unwrap());
        Rule::new(id, site, Fault::error(message))
    };
    injector.put(fails("first"));
    assert!(pass().is_err());
    injector.halt("enough");
    injector.halt("a second reason changes nothing");
    assert!(pass().is_ok());
    injector.put(fails("second"));
    injector.replace(vec![fails("third")]).unwrap();
    assert!(pass().is_ok());
    let State::Halted { reason, .. } = injector.status().state else {
        panic!("halted")
    };
    assert_eq!(reason, "enough");
    injector.resume();
    assert_eq!(pass().unwrap_err().message(), "third");
    assert_eq!(injector.status().state, State::Armed);
}

#[test]
fn counts_and_limits_go_on_over_a_halt() {
    let injector = Injector::new();
    let limit = chaos_core::Trigger::new().limit(3.try_into().unwrap());
    let (id, site) = ("r".parse().unwrap(), "halt.counts".parse().unwrap());
    injector.put(Rule::new(id, site, Fault::error("x")).trigger(limit));
    let pass = || inject!(injector: injector, "halt.counts").is_err();
    assert!(pass() && pass());
    injector.halt("pause");
    assert!(!pass());
    injector.resume();
    assert!(pass() && !pass());
    assert_eq!(injector.counts("r").unwrap().injected, 3);
}

#[tokio::test]
async fn a_deed_that_was_waiting_its_turn_is_not_done_after_a_halt() {
    let injector = Injector::new();
    let latency = Latency::fixed(Duration::from_secs(600)).unwrap();
    let site = || "halt.turn".parse().unwrap();
    let slow = Rule::new("slow".parse().unwrap(), site(), Fault::latency(latency));
    let limit = chaos_core::Trigger::new().limit(1.try_into().unwrap());
    let fails = Rule::new("fails".parse().unwrap(), site(), Fault::error("x")).trigger(limit);
    injector
        .replace(vec![slow.then(Fault::error("after the delay")), fails])
        .unwrap();
    let other = injector.clone();
    let call = tokio::spawn(async move { inject_async!(injector: other, "halt.turn").await });
    delayed(&injector, 1).await;
    injector.halt("enough");
    call.await.unwrap().unwrap();
    assert_eq!(injector.counts("slow").unwrap().injected, 1);
    assert_eq!(injector.counts("fails").unwrap().injected, 0);
}

#[tokio::test]
async fn removing_or_changing_a_rule_lets_its_own_calls_go() {
    for change in ["remove", "disable", "change"] {
        let injector = Injector::new();
        delays(&injector, "halt.own", 600);
        let other = injector.clone();
        let call = tokio::spawn(async move { inject_async!(injector: other, "halt.own").await });
        delayed(&injector, 1).await;
        let slow = injector.rules().find("slow").unwrap().as_ref().clone();
        match change {
            "remove" => assert!(injector.remove(slow.id())),
            "disable" => drop(injector.put(slow.enabled(false))),
            _ => delays(&injector, "halt.own", 500),
        }
        call.await.unwrap().unwrap();
    }
}

/// Whoever is woken by a halt may ask the injector something: it once held its lock meanwhile.
#[test]
fn a_waker_may_ask_the_injector() {
    struct Asks(Injector);

    impl std::task::Wake for Asks {
        fn wake(self: std::sync::Arc<Self>) {
            assert_eq!(self.0.status().rules, 1);
        }
    }

    let injector = Injector::new();
    delays(&injector, "halt.waker", 600);
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().build().unwrap();
    let _inside = runtime.enter();
    let waker = std::sync::Arc::new(Asks(injector.clone())).into();
    let mut cx = std::task::Context::from_waker(&waker);
    let mut call = Box::pin(async { inject_async!(injector: injector, "halt.waker").await });
    assert!(call.as_mut().poll(&mut cx).is_pending());
    injector.halt("enough");
    assert!(call.as_mut().poll(&mut cx).is_ready());
}

/// A second halt once left no trace, and neither did a resume of what was not halted.
#[test]
fn a_halt_is_held_by_all_who_halted_and_a_resume_ends_every_hold() {
    let injector = Injector::new();
    let by = |name: &str, address: &str, why: &str| Actor::new(name).at(address).because(why);
    let alice = by("alice", "10.0.0.7:1", "enough seen");
    assert!(!injector.resume());
    assert!(injector.as_actor(alice.clone()).halt());
    assert!(
        !injector
            .as_actor(by("bob", "[::1]:2", "an incident"))
            .halt()
    );
    // One who halts again holds once, from whatever port; another host is another holder.
    injector
        .as_actor(by("alice", "10.0.0.7:3", "still enough"))
        .halt();
    injector
        .as_actor(by("alice", "10.0.0.8:1", "me too"))
        .halt();
    assert!(!injector.halt("the service stops"));
    let holders = injector.status().holders;
    let shown: Vec<_> = holders
        .iter()
        .map(|it| {
            (
                it.by.to_string(),
                it.by.reason().unwrap(),
                it.kind,
                it.locked,
            )
        })
        .collect();
    let person = |by: &str, why| (by.to_owned(), why, HolderKind::Person, false);
    assert_eq!(
        shown,
        [
            person("alice at 10.0.0.7:1", "enough seen"),
            person("bob at [::1]:2", "an incident"),
            person("alice at 10.0.0.8:1", "me too"),
            person("code", "the service stops"),
        ]
    );
    let State::Halted { by: first, .. } = injector.status().state else {
        panic!("halted")
    };
    assert_eq!(first, alice);

    assert!(injector.as_actor(Actor::new("carol")).resume().unwrap());
    assert_eq!(injector.status().holders, []);
    assert_eq!(injector.status().state, State::Idle);
    let entries = injector.audit().after(0).entries;
    let told: Vec<_> = entries
        .iter()
        .map(|it| (it.action.as_str(), it.actor.name(), it.what.as_deref()))
        .collect();
    let held = Some("already held by alice at 10.0.0.7:1");
    let held_by_two = Some("already held by alice at 10.0.0.7:1, bob at [::1]:2");
    assert_eq!(
        told[..4],
        [
            ("resume", "code", None),
            ("halt", "alice", None),
            ("halt", "bob", held),
            ("halt", "alice", held_by_two),
        ]
    );
    let ended = "ended the holds of alice at 10.0.0.7:1, bob at [::1]:2, alice at 10.0.0.8:1, code";
    assert_eq!(told.last(), Some(&("resume", "carol", Some(ended))));
}

#[test]
fn the_list_of_holders_is_bounded() {
    let injector = Injector::new();
    for n in 0..1000 {
        injector.as_actor(Actor::new(format!("{n}"))).halt();
    }
    assert_eq!(injector.status().holders.len(), 100);
    assert!(injector.resume());
    assert_eq!(injector.status().state, State::Idle);
}

struct SetWhenDropped<'f>(&'f AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// An edit works out for each site which rules aim at it, and held the lock meanwhile: a halt waited for
/// 1.6 seconds at 5,000 sites.
#[test]
fn a_halt_does_not_wait_for_an_edit() {
    let injector = Injector::new();
    let name = |n: u32| format!("s{n}.edited");
    for n in 0..500 {
        let _ = injector.site(&name(n));
    }
    let rules = |message: &str| -> Vec<Rule> {
        let rule = |n| {
            let id = format!("r{n}").parse().unwrap();
            // A pattern, as an exact name is found without looking at the others.
            let site = format!("s{n}.*").parse().unwrap();
            Rule::new(id, site, Fault::error(message))
        };
        (0..500).map(rule).collect()
    };
    let hit = injector.site(&name(499));
    let is_hit = || hit.decide(&chaos_core::Call::new()).is_some();
    let (is_over, is_edited) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let edits = scope.spawn(|| {
            let (clock, mut times) = (Clock::monotonic(), Vec::new());
            for n in 0..10_000 {
                let edit = rules(&n.to_string());
                let began = clock.now();
                injector.replace(edit).unwrap();
                times.push(clock.now() - began);
                is_edited.store(true, Ordering::Relaxed);
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
            }
            times
        });
        // An assertion that fails must not leave the thread at its edits.
        let _over = SetWhenDropped(&is_over);
        while !is_edited.load(Ordering::Relaxed) && !edits.is_finished() {
            std::thread::yield_now();
        }
        let (clock, mut times) = (Clock::monotonic(), Vec::new());
        for _ in 0..21 {
            let began = clock.now();
            assert!(injector.halt("enough"));
            times.push(clock.now() - began);
            // In force when it returns, whatever the edit under way installs.
            for _ in 0..100 {
                assert!(!is_hit());
            }
            assert!(injector.resume());
            assert!(is_hit());
        }
        is_over.store(true, Ordering::Relaxed);
        // The machine may be busy with other tests during one of them.
        let (halt, edit) = (median(times), median(edits.join().unwrap()));
        assert!(halt < edit / 10, "a halt takes {halt:?}, an edit {edit:?}");
    });
    assert!(is_hit());
    injector.halt("enough");
    assert!(!is_hit() && injector.is_idle());
}

/// The calls that wait for a rule that an edit replaces, or brings, are released while the edit works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_halt_amid_edits_lets_waiting_tasks_go() {
    let injector = Injector::new();
    delays(&injector, "halt.edits", 600);
    for _ in 0..50 {
        let halts = HaltWhenDropped(&injector);
        // The edit that a halt comes upon is the last: the next one would release calls, too.
        let edits = tokio::task::spawn_blocking({
            let injector = injector.clone();
            move || {
                let mut secs = (500..600).cycle();
                while !injector.is_idle() {
                    delays(&injector, "halt.edits", secs.next().unwrap());
                }
            }
        });
        let before = injector.status().injected;
        // Each edit releases the calls of the edit before, so that there are always some that wait.
        let calls: Vec<_> = (0..20)
            .map(|_| {
                let injector = injector.clone();
                tokio::spawn(async move {
                    while !injector.is_idle() {
                        inject_async!(injector: injector, "halt.edits")
                            .await
                            .unwrap();
                    }
                })
            })
            .collect();
        delayed(&injector, before + 20).await;
        drop(halts);
        for call in calls {
            let released = tokio::time::timeout(Duration::from_secs(10), call).await;
            released.expect("it is released").unwrap();
        }
        edits.await.unwrap();
        assert!(injector.resume());
    }
    injector.clear();
    assert_eq!(injector.status().active, 0);
}

/// Notes who has halted, and refuses resumes while it is told to.
#[derive(Default)]
struct Kept {
    heard: Mutex<Vec<String>>,
    refuses: AtomicBool,
    /// Whether someone halts while it is asked.
    halts: AtomicBool,
    /// What a hook may ask of the injector: its locks are free.
    injector: OnceLock<Injector>,
}

impl HaltHook for Kept {
    fn halted(&self, by: &Actor) {
        let injector = self.injector.get().unwrap();
        assert!(matches!(injector.status().state, State::Halted { .. }));
        self.heard.lock().unwrap().push(by.to_string());
    }

    fn before_resume(&self) -> Result<(), String> {
        let injector = self.injector.get().unwrap();
        assert_eq!(
            injector.is_idle(),
            !matches!(injector.status().state, State::Armed)
        );
        if self.halts.load(Ordering::Relaxed) {
            injector.as_actor(Actor::new("bob")).halt();
        }
        match self.refuses.load(Ordering::Relaxed) {
            true => Err("an\nincident".to_owned()),
            false => Ok(()),
        }
    }
}

#[tokio::test]
async fn a_hook_hears_of_each_halt_and_may_refuse_a_resume() {
    let (injector, kept) = (Injector::new(), Arc::new(Kept::default()));
    kept.injector.set(injector.clone()).unwrap();
    injector.add_halt_hook(kept.clone());
    delays(&injector, "halt.hook", 600);
    injector.as_actor(Actor::new("alice")).halt();
    injector.as_actor(Actor::new("bob")).halt();
    // This one ends with the process.
    injector
        .halt_when(std::future::ready(()), "the service stops")
        .await;
    assert_eq!(*kept.heard.lock().unwrap(), ["alice", "bob"]);

    kept.refuses.store(true, Ordering::Relaxed);
    let before = injector.audit().last();
    let error = injector.as_actor(Actor::new("alice")).resume().unwrap_err();
    assert_eq!(error.to_string(), r"injection stays halted: an\nincident");
    assert!(!injector.resume());
    assert_eq!(
        (injector.status().holders.len(), injector.audit().last()),
        (3, before)
    );
    // It has refused, so there is nothing for it to take back. A halt file was once written anew.
    assert_eq!(*kept.heard.lock().unwrap(), ["alice", "bob"]);

    kept.refuses.store(false, Ordering::Relaxed);
    assert!(injector.resume());
    assert!(matches!(injector.status().state, State::Armed));

    // Whoever halts while a hook is asked is told that injection is halted, and it stays so.
    injector.halt("enough");
    kept.halts.store(true, Ordering::Relaxed);
    let error = injector.as_actor(Actor::new("alice")).resume().unwrap_err();
    assert!(
        error.to_string().ends_with("someone has halted meanwhile"),
        "{error}"
    );
    assert!(matches!(injector.status().state, State::Halted { .. }));
    // The hook has agreed, so it is told that the halt goes on.
    let first = injector.status().holders[0].by.to_string();
    assert_eq!(*kept.heard.lock().unwrap().last().unwrap(), first);
    kept.halts.store(false, Ordering::Relaxed);
    assert!(injector.resume());
}
