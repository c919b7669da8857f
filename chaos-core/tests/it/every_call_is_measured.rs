//! Guard rails count each call once, whichever threads begin and end it.

use std::{
    sync::mpsc,
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
    let never = Trigger::new().rate(Rate::new(0.0).unwrap());
    let (id, site) = ("never".parse().unwrap(), "counted".parse().unwrap());
    let rule = Rule::new(id, site, Fault::error("lost")).trigger(never);
    injector.put(rule.guard(rail));
    injector.site("counted")
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
