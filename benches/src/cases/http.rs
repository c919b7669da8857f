//! The layer on plain HTTP services, as hyper would call them.

use std::{
    hint::black_box,
    num::NonZeroU64,
    task::{Context, Waker},
};

use axum::body::Body;
use chaos_core::{Injector, Matcher, Rate, Text, Trigger};
use chaos_tower::InjectLayer;
use http::{HeaderName, HeaderValue, Request, Uri};
use tower::{Layer, Service, service_fn};

use crate::{
    case::{Case, Run},
    rules::{a_thousand_elsewhere, matching, never_firing},
    service::{Plain, call, future_size, handler, opaque},
};

pub(super) const BARE: &str = "http service";
const BARE_ASYNC: &str = "http service, an async fn";
pub(super) const BARE_HEADERS: &str = "http service, six headers";
pub(super) const IDLE: &str = "layer, idle";
pub(super) const ARMED: &str = "layer, armed, does not fire";
pub(crate) const SITE: &str = "bench.layer";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::new(BARE, || bare(request)).future(future_size(&opaque(Plain), &bodied)),
        Case::new(IDLE, || layered(request, |_| {}))
            .over(BARE)
            .at_most(8)
            .future(future_size(&layer().layer(opaque(Plain)), &bodied))
            .future_at_most(8),
        Case::new("layer, 1000 rules elsewhere", || {
            layered(request, a_thousand_elsewhere)
        })
        .over(BARE)
        .same_as(IDLE),
        Case::new(BARE_ASYNC, || {
            calls_of(opaque(service_fn(handler)), request)
        })
        .future(future_size(&opaque(service_fn(handler)), &bodied)),
        Case::new("layer, idle, over an async fn", || {
            calls_of(layer().layer(opaque(service_fn(handler))), request)
        })
        .over(BARE_ASYNC)
        .at_most(8)
        .future(future_size(
            &layer().layer(opaque(service_fn(handler))),
            &bodied,
        ))
        .future_at_most(8),
    ];
    if !chaos_core::COMPILED_OUT {
        cases.extend(forms());
        cases.extend(armed());
    }
    cases.into_iter().map(|case| case.calls(20_000)).collect()
}

/// The forms of the layer that change types. They move the changed values even if the sites are compiled
/// out.
fn forms() -> [Case; 3] {
    [
        Case::new("layer, idle, errors boxed", || {
            calls_of(layer().boxed_errors().layer(opaque(Plain)), request)
        })
        .over(BARE)
        .at_most(8)
        // A result with another error type has another layout, so the response is moved, in 17 instructions of 16 bytes.
        .not_met_yet(),
        // Both body types change, so the request and the response are moved, and dropped by other code.
        Case::new("layer, idle, bodies wrapped", || {
            calls_of(layer().wrapped_bodies().layer(opaque(Plain)), request)
        })
        .over(BARE)
        .at_most(80)
        .not_met_yet(),
        Case::new("layer, idle, bodies wrapped, errors boxed", || {
            let layer = layer().boxed_errors().wrapped_bodies();
            calls_of(layer.layer(opaque(Plain)), request)
        })
        .over(BARE),
    ]
}

fn armed() -> [Case; 7] {
    [
        Case::new(ARMED, || {
            layered(request, |injector| {
                injector.put(never_firing("never", SITE));
            })
        })
        .over(BARE)
        .at_most(100),
        Case::new("layer, armed with a limit, does not fire", || {
            layered(request, |injector| {
                let limited = Trigger::new().rate(Rate::new(1e-18).expect("a share"));
                let limited = limited.limit(NonZeroU64::MAX);
                injector.put(never_firing("never", SITE).trigger(limited));
            })
        })
        .over(BARE)
        .at_most(100),
        Case::new("layer, four rules, none fires", || {
            layered(request, |injector| {
                let rules = ["a", "b", "c", "d"].map(|id| never_firing(id, SITE));
                injector.replace(rules.into()).expect("the ids differ");
            })
        })
        .over(BARE)
        .at_most(215),
        Case::new("layer, armed, does not match", || {
            layered(request, |injector| {
                let post = Matcher::new().method(Text::is("POST"));
                injector.put(matching("never", SITE, post));
            })
        })
        .over(BARE)
        .at_most(150),
        Case::new("layer, armed, does not match the path", || {
            layered(request, |injector| {
                let carts = Text::route("/carts/{id}").expect("a route");
                injector.put(matching("never", SITE, Matcher::new().path(carts)));
            })
        })
        .over(BARE)
        .at_most(185)
        .not_met_yet(),
        Case::new(BARE_HEADERS, || bare(with_headers)),
        Case::new("layer, method + path + header match, does not fire", || {
            layered(with_headers, |injector| {
                let matcher = Matcher::new()
                    .method(Text::is("GET"))
                    .path(Text::route("/products/{id}").expect("a route"))
                    .header(TENANT, Text::is("acme"));
                injector.put(matching("never", SITE, matcher));
            })
        })
        .over(BARE_HEADERS)
        .at_most(400)
        // http's HeaderMap alone needs 180 instructions to find a header.
        .not_met_yet(),
    ]
}

/// Returns an idle layer. Its injector is dropped; the layer needs only the site, which remains.
fn layer() -> InjectLayer {
    InjectLayer::with_injector(SITE, &Injector::new())
}

pub(super) fn layered(request: fn() -> Request<()>, arm: fn(&Injector)) -> Run {
    let injector = Injector::new();
    let mut run = calls_of_layer(&injector, request);
    arm(&injector);
    Box::new(move |calls| {
        // Keeps the injector, and so its rules, alive.
        let _injector = &injector;
        run(calls);
    })
}

/// Calls the service without a layer.
pub(super) fn bare(request: fn() -> Request<()>) -> Run {
    calls_of(opaque(Plain), request)
}

/// Calls a layer of an injector, which has to be kept alive.
pub(crate) fn calls_of_layer(injector: &Injector, request: fn() -> Request<()>) -> Run {
    let layer = InjectLayer::with_injector(SITE, injector);
    calls_of(layer.layer(opaque(Plain)), request)
}

/// Calls a service as hyper would, each time with a copy of the same request.
///
/// # Panics
/// The returned function panics if the service does not respond at once.
pub fn calls_of<S>(mut service: S, request: fn() -> Request<()>) -> Run
where
    S: Service<Request<Body>> + 'static,
{
    let template = request();
    Box::new(move |calls| {
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..calls {
            let request = black_box(&template).clone().map(|()| Body::empty());
            assert!(call(black_box(&mut service), request, &mut cx).is_ready());
        }
    })
}

/// Returns a request with a body, to infer the types of the futures.
fn bodied() -> Request<Body> {
    request().map(|()| Body::empty())
}

pub(crate) const TENANT: HeaderName = HeaderName::from_static("x-tenant");

/// Returns a request without headers.
#[must_use]
pub fn request() -> Request<()> {
    let mut request = Request::new(());
    *request.uri_mut() = Uri::from_static("/products/7");
    request
}

pub(crate) fn with_headers() -> Request<()> {
    let mut request = request();
    let headers = [
        ("host", "shop.example"),
        ("user-agent", "bench"),
        ("accept", "*/*"),
        ("x-request-id", "0190c7e1"),
        ("x-tenant", "acme"),
        ("accept-encoding", "gzip"),
    ];
    for (name, value) in headers {
        let name = HeaderName::from_static(name);
        let value = HeaderValue::from_static(value);
        request.headers_mut().insert(name, value);
    }
    request
}
