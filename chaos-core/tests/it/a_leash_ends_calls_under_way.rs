//! A call that waits for a rule on a leash wakes up at the end of the leash, wherever it waits.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use chaos_core::{Clock, Fault, Injector, Latency, Rule, inject, inject_async};

use crate::support::leashes::{HOLD, SECOND, put};

#[tokio::test(start_paused = true)]
async fn a_delay_ends_with_the_leash_and_goes_on_if_that_is_extended() {
    let injector = Injector::new();
    let leash = injector.leash(HOLD);
    let latency = Fault::latency(Latency::fixed(100 * SECOND).unwrap());
    let site = "leash.late".parse().unwrap();
    let rule = Rule::new("r".parse().unwrap(), site, latency).then(Fault::error("late"));
    put(&injector, &leash, rule);
    let clock = Clock::monotonic();
    let call = || async {
        let start = clock.now();
        let result = inject_async!(injector: injector, "leash.late").await;
        (clock.now() - start, result)
    };
    let is_about = |took: Duration, wanted: Duration| {
        (wanted..wanted + Duration::from_millis(20)).contains(&took)
    };
    let (took, result) = call().await;
    assert!(result.is_ok() && is_about(took, HOLD), "{took:?}");

    leash.extend();
    let extend = async {
        for _ in 0..8 {
            tokio::time::sleep(20 * SECOND).await;
            leash.extend();
        }
    };
    let ((took, result), ()) = tokio::join!(call(), extend);
    assert!(result.is_err() && is_about(took, 100 * SECOND), "{took:?}");

    leash.extend();
    let end = async {
        tokio::time::sleep(SECOND).await;
        assert_eq!(injector.status().active, 1);
        leash.end();
    };
    let ((took, result), ()) = tokio::join!(call(), end);
    assert!(result.is_ok() && is_about(took, SECOND), "{took:?}");
    assert_eq!(injector.status().active, 0);
}

#[tokio::test(start_paused = true)]
async fn a_pause_ends_with_the_leash() {
    let injector = Injector::new();
    let leash = injector.leash(HOLD);
    let pause = Fault::pause(600 * SECOND).unwrap();
    let site = "leash.pause".parse().unwrap();
    put(
        &injector,
        &leash,
        Rule::new("r".parse().unwrap(), site, pause),
    );
    let clock = Clock::monotonic();
    inject_async!(injector: injector, "leash.pause")
        .await
        .unwrap();
    assert!((HOLD..HOLD + SECOND).contains(&clock.now()));

    leash.extend();
    let release = async {
        tokio::time::sleep(HOLD - SECOND).await;
        leash.extend();
        tokio::time::sleep(HOLD - SECOND).await;
        injector.release("r");
    };
    let call = async { inject_async!(injector: injector, "leash.pause").await };
    let (result, ()) = tokio::join!(call, release);
    result.unwrap();
    let took = clock.now() - HOLD;
    assert!((2 * (HOLD - SECOND)..2 * HOLD).contains(&took), "{took:?}");
}

/// The task that would end the rules cannot run: `block` holds the only thread of its runtime.
#[test]
fn a_blocked_runtime_is_free_again_when_the_leash_ends() {
    const SHORT: Duration = Duration::from_millis(200);
    let injector = Injector::new();
    let leash = injector.leash(SHORT);
    let block = Fault::block(600 * SECOND).unwrap();
    let site = "leash.block".parse().unwrap();
    put(
        &injector,
        &leash,
        Rule::new("r".parse().unwrap(), site, block),
    );
    let extended = AtomicBool::new(false);
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    let clock = Clock::monotonic();
    runtime.block_on(async {
        let keeper = async {
            loop {
                tokio::time::sleep(SHORT / 10).await;
                leash.extend();
                extended.store(true, Ordering::Relaxed);
            }
        };
        let call = async {
            leash.extend();
            inject_async!(injector: injector, "leash.block").await
        };
        tokio::select! {
            biased;
            result = call => result.unwrap(),
            () = keeper => unreachable!("it never ends"),
        }
    });
    let took = clock.now();
    assert!((SHORT..50 * SHORT).contains(&took), "{took:?}");
    assert!(!extended.load(Ordering::Relaxed), "the runtime was blocked");
}

#[test]
fn threads_that_wait_are_woken_at_the_end_and_sleep_on_after_an_extension() {
    const SHORT: Duration = Duration::from_millis(300);
    let injector = Injector::new();
    let leash = injector.leash(SHORT);
    let late = Fault::latency(Latency::fixed(600 * SECOND).unwrap());
    let site = "leash.thread".parse().unwrap();
    put(
        &injector,
        &leash,
        Rule::new("r".parse().unwrap(), site, late),
    );
    let clock = Clock::monotonic();
    thread::scope(|scope| {
        let calls: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| inject!(injector: injector, "leash.thread").unwrap()))
            .collect();
        injector.wait_for_blocking("r", 8, 60 * SECOND).unwrap();
        while clock.now() < 4 * SHORT {
            leash.extend();
            thread::yield_now();
        }
        assert_eq!(
            injector.status().active,
            8,
            "an extended leash keeps the calls"
        );
        leash.end();
        let ended = clock.now();
        calls.into_iter().for_each(|call| call.join().unwrap());
        let took = clock.now() - ended;
        assert!(took < 100 * SHORT, "{took:?}");
    });
    assert_eq!(injector.status().active, 0);
}

/// A call that waited for a rule without a leash is no business of one that the rule hangs on later.
#[tokio::test(start_paused = true)]
async fn a_call_keeps_the_leash_with_which_it_began_to_wait() {
    let injector = Injector::new();
    let leash = injector.leash(HOLD);
    let late = Fault::latency(Latency::fixed(20 * SECOND).unwrap());
    let site = "leash.moved".parse().unwrap();
    let rule = Rule::new("r".parse().unwrap(), site, late);
    injector.put(rule.clone());
    let clock = Clock::monotonic();
    let call = || async { inject_async!(injector: injector, "leash.moved").await };
    let others = async {
        tokio::time::sleep(SECOND).await;
        put(&injector, &leash, rule.clone());
        let ended = async {
            tokio::time::sleep(SECOND).await;
            leash.end();
        };
        let (result, ()) = tokio::join!(call(), ended);
        assert!(clock.now() < 3 * SECOND, "{:?}", clock.now());
        result.unwrap();
    };
    let (result, ()) = tokio::join!(call(), others);
    result.unwrap();
    assert!(clock.now() >= 20 * SECOND, "{:?}", clock.now());
}
