//! The layer in an axum service that is called in process. The router is cloned for each request, as in
//! axum's own server.

use std::{
    convert::Infallible,
    hint::black_box,
    task::{Context, Waker},
};

use axum::{Router, body::Body, extract::Request, response::Response, routing::get};
use chaos_core::Injector;
use chaos_tower::InjectLayer;
use http::Uri;
use tower::{Layer, Service, layer::util::Identity};

use crate::{
    case::{Case, Run},
    rules::{a_thousand_elsewhere, never_firing},
    service::{call, future_size},
};

const BARE: &str = "axum Router";
const IDENTITY: &str = "Router::layer(tower's Identity)";
const AROUND: &str = "layer around the Router, idle";
const INSIDE: &str = "Router::layer, idle";
const SITE: &str = "bench.axum";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::new(BARE, || calls_of(finished(router()))).future(future_size(&router(), &request)),
        Case::new(AROUND, || around(|_| {}))
            .over(BARE)
            .at_most(8)
            .future(future_size(
                &layer(&Injector::new()).layer(router()),
                &request,
            ))
            .future_at_most(8),
        Case::new(IDENTITY, || {
            calls_of(finished(router().layer(Identity::new())))
        })
        .over(BARE),
        Case::new(INSIDE, || inside(|_| {}))
            .over(IDENTITY)
            .at_most(26),
        Case::new("Router::layer, 1000 rules elsewhere", || {
            inside(a_thousand_elsewhere)
        })
        .over(IDENTITY)
        .same_as(INSIDE),
    ];
    if !chaos_core::COMPILED_OUT {
        cases.extend([
            Case::new("layer around the Router, armed, does not fire", || {
                around(arm)
            })
            .over(BARE),
            Case::new("Router::layer, armed, does not fire", || inside(arm)).over(IDENTITY),
        ]);
    }
    // A Router has hash maps, whose seed differs in each process.
    let counted = |case: Case| case.calls(2_000).give_or_take(4);
    cases.into_iter().map(counted).collect()
}

/// Returns a router with two routes.
pub fn router() -> Router {
    Router::new()
        .route("/products/{id}", get(async || "ok"))
        .route("/healthz", get(async || "well"))
}

fn layer(injector: &Injector) -> InjectLayer {
    InjectLayer::with_injector(SITE, injector)
}

fn arm(injector: &Injector) {
    injector.put(never_firing("never", SITE));
}

fn around(arm: fn(&Injector)) -> Run {
    with_injector(arm, |injector| {
        calls_of(layer(injector).layer(finished(router())))
    })
}

fn inside(arm: fn(&Injector)) -> Run {
    with_injector(arm, |injector| {
        calls_of(finished(router().layer(layer(injector))))
    })
}

/// Converts the router's handlers into services, as axum's server does once. Otherwise, a router that
/// is called as a service converts them on each request.
pub fn finished(router: Router) -> Router {
    router.with_state(())
}

fn with_injector(arm: fn(&Injector), make: fn(&Injector) -> Run) -> Run {
    let injector = Injector::new();
    let mut run = make(&injector);
    arm(&injector);
    Box::new(move |calls| {
        // Keeps the injector, and so its rules, alive.
        let _injector = &injector;
        run(calls);
    })
}

/// Calls clones of a service, as axum's server does for each request.
///
/// # Panics
/// The returned function panics if the service does not respond at once.
pub fn calls_of<S>(service: S) -> Run
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + 'static,
{
    Box::new(move |calls| {
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..calls {
            let mut service = black_box(&service).clone();
            assert!(call(black_box(&mut service), request(), &mut cx).is_ready());
        }
    })
}

fn request() -> Request {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::from_static("/products/7");
    request
}
