//! A subscriber that blocks, as one does that writes to a pipe that nobody reads, holds the call that is logged,
//! and nobody else.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use chaos_core::{Fault, Injector, Latency, Rule, State, inject};
use tracing::{Dispatch, Event, Subscriber, dispatcher};
use tracing_subscriber::{
    layer::{Context, Layer, SubscriberExt},
    registry,
};

/// Blocks each thread that comes to it, until it is over.
#[derive(Clone, Default)]
struct Blocking {
    is_over: Arc<AtomicBool>,
    blocked: Arc<AtomicU32>,
}

impl<S: Subscriber> Layer<S> for Blocking {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != "chaos" {
            return;
        }
        self.blocked.fetch_add(1, Ordering::Relaxed);
        while !self.is_over.load(Ordering::Relaxed) {
            thread::park_timeout(Duration::from_millis(5));
        }
    }
}

fn rule(id: &str, site: &str, fault: Fault) -> Rule {
    Rule::new(id.parse().unwrap(), site.parse().unwrap(), fault)
}

#[test]
fn an_injection_that_is_logged_keeps_nobody_from_halting_and_editing() {
    // While it knows of one subscriber alone, tracing asks the thread that comes to an event first whether
    // anyone listens, and remembers that for all of them.
    let log = Blocking::default();
    let dispatch = || Dispatch::new(registry().with(log.clone()));
    let (dispatch, _second) = (dispatch(), dispatch());
    let injector = Injector::new();
    injector.put(rule("lost", "log.lost", Fault::error("lost")));
    let latency = Latency::fixed(Duration::from_secs(600)).unwrap();
    injector.put(rule("slow", "log.slow", Fault::latency(latency)));

    let logged = injector.clone();
    let blocked = thread::spawn(move || {
        dispatcher::with_default(&dispatch, || inject!(injector: &logged, "log.lost"))
    });
    while log.blocked.load(Ordering::Relaxed) == 0 {
        thread::yield_now();
    }
    let waiting = injector.clone();
    let waiting = thread::spawn(move || inject!(injector: &waiting, "log.slow"));
    while injector.status().injected < 2 {
        thread::yield_now();
    }
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || {
        assert!(inject!(injector: &injector, "log.lost").is_err());
        assert!(injector.halt("an incident"));
        waiting.join().unwrap().unwrap();
        assert!(matches!(injector.status().state, State::Halted { .. }));
        injector.put(rule("lost", "log.lost", Fault::error("changed")));
        assert!(injector.resume());
        assert!(inject!(injector: &injector, "log.lost").is_err());
        injector.clear();
        done.send(()).unwrap();
    });
    let outcome = is_done.recv_timeout(Duration::from_secs(10));
    log.is_over.store(true, Ordering::Relaxed);
    assert!(blocked.join().unwrap().is_err(), "the call was hit");
    outcome.expect("nobody else is held");
}
