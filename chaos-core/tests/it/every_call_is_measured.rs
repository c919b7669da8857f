//! Guard rails count each call once, whichever threads begin and end it.

use std::{
    sync::{Arc, mpsc},
    task::{Context, Poll, Waker},
    thread,
};

use chaos_core::{
    Call, Fault, GuardRail, Injector, Rate, Rule, Site, Trigger, decision::WatchedCall,
};

const THREADS: usize = 4;
const CALLS: usize = 20_000;

/// Arms a guard rail that trips as soon as there are this many calls, if one of them has failed.
fn arm(injector: &Injector, calls: usize) -> &'static Site {
    let rail = GuardRail::new().error_ratio(Rate::new(0.0).unwrap());
    let rail = rail.at_least(calls.try_into().unwrap());
    let rail = rail.window(std::time::Duration::from_secs(600)).unwrap();
    injector.put(never().guard(rail));
    injector.site("counted")
}

fn never() -> Rule {
    let never = Trigger::new().rate(Rate::new(0.0).unwrap());
    let (id, site) = ("never".parse().unwrap(), "counted".parse().unwrap());
    Rule::new(id, site, Fault::error("lost")).trigger(never)
}

fn begin(site: &Site) -> WatchedCall {
    site.measure(&Call::new(), None).expect("it is measured")
}

fn breaches(injector: &Injector) -> Vec<String> {
    let breaches = injector.status().breaches;
    breaches.iter().map(ToString::to_string).collect()
}

#[test]
fn no_call_is_lost_or_counted_twice() {
    let injector = Injector::new();
    let site = arm(&injector, THREADS * CALLS + 1);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            // One thread begins calls, several at a time, and another ends half of them.
            let (sender, receiver) = mpsc::sync_channel(100);
            scope.spawn(move || {
                for n in 0..CALLS {
                    let mut call = begin(site);
                    let mut cx = Context::from_waker(Waker::noop());
                    assert_eq!(call.poll(&mut cx, |_| Poll::Ready(n)), Poll::Ready(n));
                    if n % 2 == 0 {
                        call.end(n % 8 == 0);
                        call.end(true);
                    } else {
                        sender.send((n, call)).unwrap();
                    }
                }
            });
            scope.spawn(move || {
                for (n, mut call) in receiver {
                    // One that leaves soon does not count.
                    drop(begin(site));
                    call.end(n % 8 == 1);
                }
            });
        }
    });
    assert_eq!(breaches(&injector), Vec::<String>::new());
    begin(site).end(false);
    let expected = format!(
        "error ratio at counted is 0.250; un-injected calls: 0.250; allowed: 0.000 ({} calls in 600s, 0 injected)",
        THREADS * CALLS + 1
    );
    assert_eq!(breaches(&injector), [expected]);
}

#[test]
fn a_call_that_panics_has_failed() {
    let injector = Injector::new();
    let site = arm(&injector, 1);
    let panics = || {
        let mut call = begin(site);
        let mut cx = Context::from_waker(Waker::noop());
        let _ = call.poll(&mut cx, |_| -> Poll<()> { panic!("its own") });
    };
    drop(begin(site));
    assert_eq!(breaches(&injector).len(), 0);
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).unwrap_err();
    assert_eq!(breaches(&injector).len(), 1);
}

/// A thread measures by what it has kept of the guard rails of now, and keeps nothing of them alive.
#[test]
fn what_a_thread_keeps_of_guard_rails_is_of_now() {
    let shared = Arc::new(());
    let observed = Arc::clone(&shared);
    let injector = Injector::new();
    injector.observe(move |_| assert_eq!(*observed, ()));
    let site = arm(&injector, 4);
    let left_alone = || assert!(site.decide_after(site.first_look(), &Call::new()).is_none());
    // Several calls have to miss what the thread has kept before it keeps something else.
    let left_alone_often = || (0..8).for_each(|_| left_alone());
    for call in 1..=3 {
        // The first call has the thread keep them.
        assert_eq!(site.first_look().is_to_be_measured(), call > 1);
        assert_eq!(site.measure_by("/").is_some(), call > 1);
        left_alone();
        assert!(site.measure_by("/healthz").is_none());
        site.measure_by("/").expect("they are kept").end(call == 3);
    }
    // They are gone, and then there are others.
    injector.put(never());
    assert!(!site.first_look().is_to_be_measured());
    assert!(site.measure_by("/").is_none());
    left_alone_often();
    assert!(site.first_look().leaves_alone());
    assert!(site.measure(&Call::new(), None).is_none());
    arm(&injector, 2);
    left_alone_often();
    let first = site.measure_by("/").expect("they are kept");
    let second = begin(site);
    for mut call in [first, second] {
        assert_eq!(breaches(&injector), Vec::<String>::new());
        call.end(true);
    }
    assert_eq!(breaches(&injector).len(), 1);
    injector.acknowledge();
    injector.resume();
    left_alone_often();
    assert!(site.first_look().is_to_be_measured());
    drop(injector);
    assert!(site.measure_by("/").is_none());
    assert_eq!(Arc::strong_count(&shared), 1);
}
