//! Idle, the layer allocates nothing, and its future is the inner one. A program of its own, with an
//! allocator that counts.

use std::{convert::Infallible, future::Ready, mem::size_of};

use axum::body::Body;
use chaos_core::{Fault, Injector, Rate, Rule, Trigger};
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
