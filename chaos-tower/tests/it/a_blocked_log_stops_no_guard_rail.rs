//! A subscriber that blocks, as one does that writes to a pipe that nobody reads, keeps no guard rail from stopping
//! what broke its bound.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use axum::body::Body;
use chaos_core::{
    Clock, Fault, GuardRail, Injector, Latency, Rate, Rule, State, guard_rail::Then, inject,
};
use chaos_tower::InjectLayer;
use http::{Request, Response, StatusCode};
use tokio::runtime;
use tower::{Layer, ServiceExt, service_fn};
use tracing::{Dispatch, Event, Level, Subscriber, dispatcher};
use tracing_subscriber::{
    layer::{Context, SubscriberExt},
    registry,
};

/// Blocks each thread that warns of something, until it is over.
struct Blocking(Arc<AtomicBool>);

impl<S: Subscriber> tracing_subscriber::Layer<S> for Blocking {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if metadata.target() != "chaos" || *metadata.level() != Level::WARN {
            return;
        }
        while !self.0.load(Ordering::Relaxed) {
            thread::park_timeout(Duration::from_millis(5));
        }
    }
}

/// The warning came before the halt, and before the calls were released that a rule delayed.
#[test]
fn what_broke_a_bound_is_stopped_before_the_log_says_so() {
    for then in [Then::Disarm, Then::Halt] {
        // While it knows of one subscriber alone, tracing asks the thread that comes to an event first whether
        // anyone listens, and remembers that for all of them.
        let is_over = Arc::new(AtomicBool::new(false));
        let log = || Dispatch::new(registry().with(Blocking(Arc::clone(&is_over))));
        let (log, _second) = (log(), log());
        let injector = Injector::new();
        let errors = GuardRail::new().site("http.server".parse().unwrap());
        let errors = errors.at_least(1).error_ratio(Rate::new(0.1).unwrap());
        let latency = Latency::fixed(Duration::from_secs(600)).unwrap();
        let (id, site) = ("slow".parse().unwrap(), "log.slow".parse().unwrap());
        let slow = Rule::new(id, site, Fault::latency(latency));
        injector.put(slow.guard(errors.then(then)));
        let waiting = injector.clone();
        let waiting = thread::spawn(move || inject!(injector: &waiting, "log.slow"));
        while injector.status().injected == 0 {
            thread::yield_now();
        }

        let broken = injector.clone();
        let broken = thread::spawn(move || {
            let layer = InjectLayer::with_injector("http.server", &broken);
            let service = layer.layer(service_fn(async |_: Request<Body>| {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                Ok::<_, Infallible>(response)
            }));
            let request = Request::get("/").body(Body::empty()).unwrap();
            let runtime = runtime::Builder::new_current_thread();
            let runtime = { runtime }.enable_all().build().unwrap();
            let ask = || runtime.block_on(service.oneshot(request)).unwrap().status();
            dispatcher::with_default(&log, ask)
        });
        let clock = Clock::monotonic();
        while !waiting.is_finished() && clock.now() < Duration::from_secs(10) {
            thread::park_timeout(Duration::from_millis(5));
        }
        let (is_released, is_blocked) = (waiting.is_finished(), !broken.is_finished());
        let state = injector.status().state;
        is_over.store(true, Ordering::Relaxed);
        broken.join().unwrap();
        assert!(is_blocked, "the log was not blocked");
        assert!(is_released, "the call that the rule delayed still waits");
        assert_eq!(matches!(state, State::Halted { .. }), then == Then::Halt);
        waiting.join().unwrap().unwrap();
    }
}
