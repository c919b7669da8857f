//! Idle, the layer allocates nothing, and its future is the inner one; so it does for calls that guard rails
//! measure. A program of its own, with an allocator that counts.

use std::{convert::Infallible, future::Ready, mem::size_of, time::Duration};

use axum::body::Body;
use chaos_core::{Fault, GuardRail, Injector, Rate, Rule, Trigger, testing::ManualClock};
use chaos_tower::{Inject, InjectLayer};
use http::{Request, Response};
use tower::{Layer, Service, service_fn};

type Answer = Result<Response<Body>, Infallible>;

fn inner()
-> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future = Ready<Answer>>
+ Clone
+ Send {
    service_fn(|_: Request<Body>| std::future::ready(Answer::Ok(Response::default())))
}

fn allocations<S: Service<Request<Body>>>(service: &mut S) -> u64 {
    let request = Request::new(Body::empty());
    let counts = allocation_counter::measure(|| {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(service.poll_ready(&mut cx).is_ready());
        let future = std::pin::pin!(service.call(request));
        assert!(future.poll(&mut cx).is_ready());
    });
    counts.count_total
}

#[test]
fn idle_and_armed_elsewhere_and_not_firing() {
    let injector = Injector::new();
    let layer = InjectLayer::with_injector("free", &injector);
    let mut service = layer.layer(inner());
    assert_eq!(allocations(&mut inner()), 0);
    assert_eq!(allocations(&mut service), 0, "idle");

    let rule = |site: &str| {
        let (id, site) = (site.parse().unwrap(), site.parse().unwrap());
        Rule::new(id, site, Fault::status(503).unwrap())
    };
    injector.put(rule("elsewhere"));
    assert_eq!(allocations(&mut service), 0, "armed elsewhere");

    let never = Trigger::new().rate(Rate::new(0.0).unwrap());
    injector.put(rule("free").trigger(never));
    allocations(&mut service); // the rule's counts are made with its first match
    assert_eq!(allocations(&mut service), 0, "armed and not firing");
    assert_eq!(injector.counts("free").unwrap().matched, 2);
}

/// A guard rail judges meanwhile, and its window moves.
#[test]
fn measured_and_not_hit() {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let mut service = InjectLayer::with_injector("measured", &injector).layer(inner());
    let never = Trigger::new().rate(Rate::new(0.0).unwrap());
    let (id, site) = ("never".parse().unwrap(), "measured".parse().unwrap());
    let rule = Rule::new(id, site, Fault::status(503).unwrap()).trigger(never);
    let rails = |rails: usize| {
        let second = Duration::from_secs(1);
        let rail = GuardRail::new().at_least(1);
        let rail = rail.error_ratio(Rate::new(0.5).unwrap());
        let rail = rail.latency(0.5, second).unwrap();
        let rail = rail.latency_to_end(0.9, second).unwrap().over_baseline();
        (0..rails).fold(rule.clone(), |rule, _| rule.guard(rail.clone()))
    };
    for count in [1, 10] {
        injector.put(rails(count));
        // The first call of a thread makes what the others use.
        allocations(&mut service);
        for call in 0..100 {
            clock.advance(Duration::from_millis(170));
            assert_eq!(allocations(&mut service), 0, "{count} guard rails, {call}");
        }
    }
    assert_eq!(injector.counts("never").unwrap().matched, 101);
    assert_eq!(injector.status().breaches.len(), 0);
}

#[test]
fn sizes_are_pinned() {
    fn future_of<S: Service<Request<Body>>>(_: &S) -> usize {
        size_of::<S::Future>()
    }
    let bare = inner();
    let service = InjectLayer::with_injector("free", &Injector::new()).layer(inner());
    assert!(future_of(&service) <= future_of(&bare) + 8);
    assert_eq!(
        size_of::<Inject<()>>(),
        size_of::<&()>(),
        "one reference to the site"
    );
    assert_eq!(size_of::<InjectLayer>(), size_of::<&()>());
}
