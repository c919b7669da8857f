//! A rule that is held by a guard is gone when the guard is, and a test can wait for what it did.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
    thread,
    time::Duration,
};

use chaos_core::{
    Call, Clock, Injected, Injector, Overlay, Plan, Rule, Site, inject, inject_async,
    testing::RuleGuard, wire::rule_from_value,
};
use serde_json::{Value, json};
use tokio::{task::spawn, time::timeout};

const HOUR: Duration = Duration::from_secs(3600);
/// Long enough for the slowest machine.
const LONG: Duration = Duration::from_secs(60);

fn rule(id: &str, fault: Value) -> Rule {
    let rule = json!({"site": "guarded", "ttl": "never", "faults": [fault]});
    rule_from_value(rule, Some(id)).unwrap()
}

fn fails(id: &str) -> Rule {
    rule(id, json!({"error": id}))
}

fn pauses() -> Rule {
    rule("r", json!({"pause": {"max": "1h"}}))
}

fn pass(injector: &Injector) -> Result<(), Injected> {
    inject!(injector: injector, "guarded")
}

async fn pass_async(injector: Injector) -> Result<(), Injected> {
    inject_async!(injector: &injector, "guarded").await
}

#[test]
fn a_rule_is_there_while_its_guard_is() {
    let injector = Injector::new();
    let guard = injector.arm(fails("r"));
    assert!(pass(&injector).is_err() && pass(&injector).is_err());
    assert_eq!((guard.id().as_str(), guard.injected()), ("r", 2));
    assert_eq!(guard.counts().unwrap().matched, 2);
    let other = injector.arm(rule("s", json!({"latency": "0s"})));
    drop(guard);
    assert!(pass(&injector).is_ok());
    assert_eq!((other.injected(), injector.rules().rules().len()), (1, 1));
    drop(other);
    assert!(injector.is_idle() && injector.rules().rules().is_empty());
}

#[test]
fn a_guard_of_a_rule_that_is_gone_does_no_harm() {
    let injector = Injector::new();
    let guard = injector.arm(fails("r"));
    injector.clear();
    assert_eq!((guard.counts(), guard.injected()), (None, 0));
    guard.release();
    let generation = injector.status().generation;
    drop(guard);
    assert_eq!(injector.status().generation, generation);
}

#[test]
fn a_guard_outlives_what_it_was_made_from() {
    let injector = Injector::new();
    let overlay = Overlay::new(&injector);
    let guard = overlay.arm(fails("r"));
    drop(overlay);
    assert_eq!((injector.status().overlays, injector.is_idle()), (1, false));
    drop(guard);
    assert_eq!((injector.status().overlays, injector.is_idle()), (0, true));
}

#[test]
fn a_panic_takes_the_rule_away() {
    let injector = Injector::new();
    let overlay = Overlay::new(&injector);
    let test = || {
        let _guards = (injector.arm(fails("r")), overlay.arm(fails("s")));
        pass(&injector).expect("nothing fails");
    };
    assert!(catch_unwind(AssertUnwindSafe(test)).is_err());
    assert!(injector.rules().rules().is_empty() && overlay.rules().rules().is_empty());
    assert!(pass(&injector).is_ok() && injector.is_idle());
}

/// Also where the panic is the fault.
#[tokio::test]
async fn a_panic_in_a_task_takes_the_rule_away() {
    let injector = Injector::new();
    let task = spawn({
        let injector = injector.clone();
        async move {
            let _guard = injector.arm(rule("r", json!({"abort": "panic"})));
            let _ = inject_async!(injector: &injector, "guarded").await;
        }
    });
    assert!(task.await.unwrap_err().is_panic());
    assert!(injector.rules().rules().is_empty());
}

/// A test that changes its rule by arming it anew keeps the new one.
#[test]
fn the_guard_of_the_rule_before_leaves_the_one_after() {
    let injector = Injector::new();
    let mut guard = injector.arm(fails("r"));
    assert_eq!(guard.injected(), 0);
    guard = injector.arm(rule("r", json!({"error": "another"})));
    assert_eq!(pass(&injector).unwrap_err().message(), "another");
    assert_eq!(guard.injected(), 1);
}

/// Both guards asserted what the second rule had hit, so a test of the first passed.
#[test]
fn a_guard_does_not_count_for_another_rule() {
    let injector = Injector::new();
    let overlay = Overlay::new(&injector);
    for arm in [
        &(|rule| injector.arm(rule)) as &dyn Fn(Rule) -> RuleGuard,
        &|rule| overlay.arm(rule),
    ] {
        let first = arm(rule("r", json!({"pause": {"max": "1h"}})));
        let second = arm(fails("r"));
        assert!(overlay.run_sync(|| pass(&injector)).is_err());
        second.assert_injected(1);
        assert_eq!((first.counts(), first.injected()), (None, 0));
        for expected in [0, 1] {
            let why = catch_unwind(AssertUnwindSafe(|| first.assert_injected(expected)));
            let why = *why.unwrap_err().downcast::<String>().unwrap();
            let gone = "; it was replaced by another rule with its id, or edited";
            assert!(why.ends_with(gone), "{why}");
        }
        let why = first.wait_for_blocking(1, LONG).unwrap_err();
        assert!(why.to_string().contains("replaced"), "{why}");
        drop((first, second));
        assert!(pass(&injector).is_ok());
    }
    // What only switches a rule off and on is no other rule.
    let guard = overlay.arm(fails("r"));
    overlay.put(Rule::clone(&overlay.rules().rules()[0]).enabled(false));
    overlay.put(Rule::clone(&overlay.rules().rules()[0]).enabled(true));
    assert!(overlay.run_sync(|| pass(&injector)).is_err());
    guard.assert_injected(1);
}

#[tokio::test]
async fn a_call_that_waits_is_freed_with_the_guard() {
    let injector = Injector::new();
    let guard = injector.arm(rule("r", json!({"latency": "1h"})));
    let call = spawn(pass_async(injector.clone()));
    guard.wait_for(1, LONG).await.unwrap();
    drop(guard);
    timeout(LONG, call).await.unwrap().unwrap().unwrap();
    assert_eq!(injector.status().active, 0);
}

/// A pause as a barrier: the test waits until a call is there, looks, and lets it go on.
#[tokio::test]
async fn a_pause_is_waited_for_and_released() {
    let injector = Injector::new();
    let guard = injector.arm(pauses());
    for n in 1..=3 {
        let call = spawn(pass_async(injector.clone()));
        assert_eq!(guard.wait_for(n, LONG).await.unwrap(), n);
        assert_eq!(
            (call.is_finished(), guard.counts().unwrap().active),
            (false, 1)
        );
        if n == 1 {
            assert!(injector.release("r"));
        } else {
            guard.release();
        }
        timeout(LONG, call).await.unwrap().unwrap().unwrap();
    }
    assert!(!injector.release("none"));
}

/// Whoever has waited for a pause may release it at once: the call need not have come to rest.
#[test]
fn a_release_is_not_missed_by_a_call_that_was_waited_for() {
    let injector = Injector::new();
    injector.put(pauses());
    let site: &'static Site = injector.site("guarded");
    let (done, is_done) = mpsc::channel();
    // Left behind if it hangs.
    thread::spawn(move || {
        let mut decision = site.decide(&Call::new()).unwrap();
        let Some(Plan::Wait(wait)) = decision.next_plan() else {
            panic!("{decision:?}");
        };
        // Between counting the injection and waiting, another thread is quicker.
        assert_eq!(injector.wait_for_blocking("r", 1, LONG), Some(1));
        assert!(injector.release("r"));
        decision.wait_blocking(wait);
        let _ = done.send(());
    });
    assert_eq!(is_done.recv_timeout(Duration::from_secs(10)), Ok(()));
}

#[tokio::test]
async fn in_an_overlay_too() {
    let injector = Injector::new();
    let overlay = Overlay::new(&injector);
    let guard = overlay.arm(pauses());
    // The injector has no such rule.
    assert_eq!(injector.wait_for("r", 0).await, None);
    let call = spawn(overlay.run(pass_async(injector.clone())));
    assert_eq!(timeout(LONG, overlay.wait_for("r", 1)).await, Ok(Some(1)));
    assert_eq!(guard.wait_for(1, LONG).await.unwrap(), 1);
    assert!(!call.is_finished() && !injector.release("r") && overlay.release("r"));
    timeout(LONG, call).await.unwrap().unwrap().unwrap();
    let waits = overlay.wait_for("r", 2);
    let removed = async { drop(guard) };
    let (waited, ()) = timeout(LONG, async { tokio::join!(waits, removed) })
        .await
        .unwrap();
    assert_eq!(waited, None);
}

#[tokio::test]
async fn whoever_waits_is_told_that_the_rule_is_gone() {
    let gone: [fn(&Injector); 4] = [
        |injector| assert!(injector.remove(&"r".parse().unwrap())),
        |injector| assert!(injector.clear() > 0),
        |injector| assert!(injector.replace(vec![fails("other")]).is_ok()),
        // Changed, it has its counts from nothing, and is waited for still.
        |injector| {
            injector.put(rule("r", json!({"error": "changed"})));
            assert!(pass(injector).is_err() && pass(injector).is_err());
        },
    ];
    for (at, gone) in gone.into_iter().enumerate() {
        let injector = Injector::new();
        injector.put(fails("r"));
        assert!(pass(&injector).is_err());
        let waiting = injector.clone();
        let waits = spawn(async move { waiting.wait_for("r", 2).await });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        gone(&injector);
        let expected = (at == 3).then_some(2);
        assert_eq!(timeout(LONG, waits).await.unwrap().unwrap(), expected);
    }
    let none = Injector::new();
    assert_eq!(none.wait_for("r", 1).await, None);
    assert_eq!(none.wait_for_blocking("r", 1, LONG), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_wait_for_many() {
    let injector = Injector::new();
    injector.put(fails("r"));
    let waits: Vec<_> = (1..=200)
        .map(|n| {
            let injector = injector.clone();
            spawn(async move { injector.wait_for("r", n).await.unwrap() >= n })
        })
        .collect();
    let waiters: Vec<_> = (1..=8)
        .map(|n| {
            let injector = injector.clone();
            thread::spawn(move || injector.wait_for_blocking("r", 25 * n, LONG).unwrap() >= 25 * n)
        })
        .collect();
    let calls = (0..4).map(|_| {
        let injector = injector.clone();
        spawn(async move {
            for _ in 0..50 {
                assert!(pass_async(injector.clone()).await.is_err());
                tokio::task::yield_now().await;
            }
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    for wait in waits {
        assert!(timeout(LONG, wait).await.unwrap().unwrap());
    }
    for waiter in waiters {
        assert!(waiter.join().unwrap());
    }
}

#[tokio::test]
async fn to_stop_waiting_is_to_drop_the_future() {
    let injector = Injector::new();
    injector.put(fails("r"));
    for _ in 0..3 {
        let waits = timeout(Duration::from_millis(1), injector.wait_for("r", 1));
        assert!(waits.await.is_err());
    }
    assert!(pass(&injector).is_err());
    assert_eq!(injector.wait_for("r", 1).await, Some(1));
    assert_eq!(injector.wait_for("r", 0).await, Some(1));
}

#[test]
fn a_thread_waits_no_longer_than_it_said() {
    let injector = Injector::new();
    let overlay = Overlay::new(&injector);
    injector.put(pauses());
    overlay.put(fails("o"));
    let (clock, time) = (Clock::monotonic(), Duration::from_millis(20));
    assert_eq!(injector.wait_for_blocking("r", 1, time), Some(0));
    assert!(clock.now() >= time);
    assert_eq!(injector.wait_for_blocking("r", 1, Duration::ZERO), Some(0));
    assert_eq!(overlay.wait_for_blocking("o", 1, time), Some(0));
    thread::scope(|scope| {
        let call = scope.spawn(|| pass(&injector));
        assert_eq!(injector.wait_for_blocking("r", 1, LONG), Some(1));
        assert!(!call.is_finished());
        // It is counted before it waits: it may come to the barrier after the first release.
        while !call.is_finished() {
            assert!(injector.release("r"));
            thread::yield_now();
        }
        assert!(call.join().unwrap().is_ok());
        let waits = scope.spawn(|| injector.wait_for_blocking("r", 2, HOUR));
        injector.remove(&"r".parse().unwrap());
        assert_eq!(waits.join().unwrap(), None);
    });
    assert!(clock.now() < HOUR);
}

#[tokio::test(start_paused = true)]
async fn paused_time_does_not_stop_anyone() {
    let injector = Injector::new();
    let guard = injector.arm(rule("r", json!({"latency": "30m"})));
    let clock = Clock::monotonic();
    let call = spawn(pass_async(injector.clone()));
    // Told at once, however long the delay is.
    assert_eq!(
        (
            guard.wait_for(1, LONG).await.unwrap(),
            clock.now().as_secs()
        ),
        (1, 0)
    );
    call.await.unwrap().unwrap();
    assert_eq!(clock.now().as_secs(), 1800);
    // What does not come is waited for in paused time: here, longer than one wait lasts.
    let days = 72 * HOUR;
    assert!(guard.wait_for(2, days).await.is_err());
    let late = spawn({
        let injector = injector.clone();
        async move {
            tokio::time::sleep(days).await;
            pass_async(injector).await
        }
    });
    assert_eq!(guard.wait_for(2, 2 * days).await.unwrap(), 2);
    late.await.unwrap().unwrap();
}

/// A thread waits in real time, whatever a runtime thinks what time it is.
#[test]
fn paused_time_does_not_make_a_thread_wait_for_ever() {
    let (done, is_done) = mpsc::channel();
    // Left behind if it hangs.
    thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        let waits = || {
            let injector = Injector::new();
            injector.put(fails("r"));
            injector.wait_for_blocking("r", 1, Duration::from_millis(20))
        };
        let here = runtime.block_on(async { waits() });
        let there = runtime.block_on(async { tokio::task::spawn_blocking(waits).await });
        let _ = done.send((here, there.unwrap()));
    });
    let waited = is_done.recv_timeout(Duration::from_secs(10));
    assert_eq!(waited, Ok((Some(0), Some(0))));
}

/// What is waited for is counted already when a test looks: in the injector, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_waited_for_is_counted() {
    let injector = Injector::new();
    let site: &'static Site = injector.site("guarded");
    for _ in 0..200 {
        let guard = injector.arm(fails("r"));
        let call = spawn(async move { site.decide(&Call::new()).unwrap().next_plan().is_some() });
        assert_eq!(guard.wait_for(1, LONG).await.unwrap(), 1);
        assert_eq!(guard.injected(), 1);
        assert!(call.await.unwrap());
    }
    assert_eq!(injector.status().injected, 200);
}
