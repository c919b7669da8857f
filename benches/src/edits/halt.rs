//! Measures how soon a halt takes effect while an edit works.

use std::{
    hint,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use chaos_core::{Call, Clock, Plan};

use crate::edits::many::{self, at_one_site, holding};

/// Returns the time from the call of `halt` until it has returned and a call that a rule held has been released, and
/// the time that the replace of `count` rules takes that works meanwhile.
pub(crate) fn during_replace(count: usize) -> (Duration, Duration) {
    let injector = many::roomy();
    let _ = injector.site("bench.many");
    let held = injector.site("held.site");
    let rules = |of_round| {
        let mut rules = at_one_site(count, of_round);
        rules.push(holding());
        rules
    };
    injector.replace(rules(1)).expect("the ids differ");
    let next = rules(2);
    let clock = &Clock::monotonic();
    let (is_held, is_edited) = (&AtomicBool::new(false), &AtomicBool::new(false));
    thread::scope(|scope| {
        let call = scope.spawn(|| {
            let mut decision = held.decide(&Call::new()).expect("the call is hit");
            let Some(Plan::Wait(wait)) = decision.next_plan() else {
                panic!("a hang is a wait");
            };
            is_held.store(true, Ordering::Release);
            decision.wait_blocking(wait);
            clock.now()
        });
        until(is_held);
        let edit = scope.spawn(|| {
            is_edited.store(true, Ordering::Release);
            let start = clock.now();
            injector.replace(next).expect("the ids differ");
            clock.now() - start
        });
        until(is_edited);
        // Amid the edit, and with the call at its gate.
        let start = clock.now();
        while clock.now() - start < Duration::from_millis(5) {
            hint::spin_loop();
        }
        let start = clock.now();
        injector.halt("enough seen");
        let returned = clock.now();
        let released = call.join().expect("a call does not fail");
        let edited = edit.join().expect("an edit does not fail");
        (returned.max(released) - start, edited)
    })
}

fn until(flag: &AtomicBool) {
    while !flag.load(Ordering::Acquire) {
        thread::yield_now();
    }
}
