//! Layers on an http service.

use std::convert::Infallible;

use axum::body::Body;
use benches::{
    case::{Case, Run},
    cases::{plain_request, requests_of},
    service::{Plain, handler, opaque},
};
use chaos_core::{Fault, Injector};
use chaos_tower::{BoxError, InjectLayer};
use http::{Request, Response, StatusCode};
use seatbelt::{ResilienceContext, chaos::injection::Injection};
use tick::Clock;
use tower::{
    Layer, Service, layer::util::Identity, limit::ConcurrencyLimitLayer, service_fn,
    util::option_layer,
};
use tower_fault::error::ErrorLayer;
use tower_resilience_chaos::ChaosLayer;

use crate::points::{holding, rule};

const BARE: &str = "http service";
const BARE_FALLIBLE: &str = "http service that may fail";
/// Too rare to happen.
pub(crate) const NEVER: f64 = 1e-18;

pub(crate) fn cases() -> Vec<Case> {
    let cases = vec![
        Case::new(BARE, || calls_of(opaque(Plain))).future(bytes_of(&opaque(Plain))),
        Case::new(BARE_FALLIBLE, || calls_of(fallible())),
        Case::new("chaos: layers, idle", || ours(|_| {}))
            .over(BARE)
            .future(bytes_of(&idle(&Injector::new()))),
        Case::new("chaos: layers, armed, does not fire", || {
            ours(|injector| {
                injector.put(status(NEVER));
            })
        })
        .over(BARE),
        Case::new("chaos: layers, hit by a 503", || {
            ours(|injector| {
                injector.put(status(1.0));
            })
        })
        .over(BARE),
        Case::new("chaos: layers, hit by an error", || {
            let injector = Injector::new();
            let layer = InjectLayer::with_injector(SITE, &injector).boxed_errors();
            injector.put(rule(SITE, 1.0, Fault::error("lost")));
            holding(injector, calls_of(layer.layer(fallible())))
        })
        .over(BARE_FALLIBLE),
        Case::new("tower-fault: layers, idle", || {
            calls_of(ErrorLayer::new(false, never).layer(opaque(Plain)))
        })
        .over(BARE)
        .future(bytes_of(
            &ErrorLayer::new(false, never).layer(opaque(Plain)),
        )),
        Case::new("tower-fault: layers, armed, does not fire", || {
            calls_of(ErrorLayer::new(NEVER, never).layer(opaque(Plain)))
        })
        .over(BARE),
        Case::new("tower-fault: layers, hit by an error", || {
            calls_of(ErrorLayer::new(1.0, lost).layer(fallible()))
        })
        .over(BARE_FALLIBLE),
        Case::new("seatbelt: layers, idle", || calls_of(seatbelt(0.0, true)))
            .over(BARE)
            .future(bytes_of(&seatbelt(0.0, true))),
        Case::new("seatbelt: layers, armed, does not fire", || {
            calls_of(seatbelt(NEVER, false))
        })
        .over(BARE),
        Case::new("seatbelt: layers, hit by a 503", || {
            calls_of(seatbelt(1.0, false))
        })
        .over(BARE),
        Case::new("seatbelt: layers, hit by an error", || {
            let context = ResilienceContext::new(Clock::new_frozen());
            let layer = Injection::layer("peers", &context)
                .rate(1.0)
                .output_with(|request: Request<Body>, _| Err(lost(&request)));
            calls_of(layer.layer(fallible()))
        })
        .over(BARE_FALLIBLE),
        Case::new("tower-resilience-chaos: layers, idle", || {
            calls_of(resilience())
        })
        .over(BARE)
        .future(bytes_of(&resilience())),
        Case::new(
            "tower-resilience-chaos: layers, armed, does not fire",
            || {
                let layer = ChaosLayer::builder()
                    .name("peers")
                    .error_rate(NEVER)
                    .error_fn(never);
                calls_of(layer.build().layer(opaque(Plain)))
            },
        )
        .over(BARE),
        Case::new("tower-resilience-chaos: layers, hit by an error", || {
            let layer = ChaosLayer::builder()
                .name("peers")
                .error_rate(1.0)
                .error_fn(lost);
            calls_of(layer.build().layer(fallible()))
        })
        .over(BARE_FALLIBLE),
        Case::new("tower's option_layer(None): layers, idle", || {
            calls_of(option_layer(None::<ConcurrencyLimitLayer>).layer(opaque(Plain)))
        })
        .over(BARE)
        .future(bytes_of(
            &option_layer(None::<ConcurrencyLimitLayer>).layer(opaque(Plain)),
        )),
        Case::new("tower's Identity: layers, idle", || {
            calls_of(Identity::new().layer(opaque(Plain)))
        })
        .over(BARE)
        .future(bytes_of(&Identity::new().layer(opaque(Plain)))),
    ];
    cases.into_iter().map(|case| case.calls(20_000)).collect()
}

const SITE: &str = "peers.layer";

pub(crate) fn calls_of<S>(service: S) -> Run
where
    S: Service<Request<Body>> + 'static,
{
    requests_of(service, plain_request)
}

/// Returns the bytes of the future of a service.
fn bytes_of<S: Service<Request<Body>>>(_: &S) -> usize {
    size_of::<S::Future>()
}

pub(crate) fn idle(injector: &Injector) -> impl Shared {
    InjectLayer::with_injector(SITE, injector).layer(opaque(Plain))
}

pub(crate) fn seatbelt(rate: f64, is_disabled: bool) -> impl Shared {
    seatbelt_layer(rate, is_disabled).layer(opaque(Plain))
}

pub(crate) fn resilience() -> impl Shared {
    let layer = ChaosLayer::builder().name("peers").build();
    layer.layer(opaque(Plain))
}

/// A service that threads may share, by its clones.
pub(crate) trait Shared: Service<Request<Body>> + Clone + Send + Sync + 'static {}

impl<S: Service<Request<Body>> + Clone + Send + Sync + 'static> Shared for S {}

fn ours(arm: fn(&Injector)) -> Run {
    let injector = Injector::new();
    let service = idle(&injector);
    arm(&injector);
    holding(injector, calls_of(service))
}

/// What an http service returns.
type Answer = Result<Response<Body>, Infallible>;

pub(crate) fn status(rate: f64) -> chaos_core::Rule {
    rule(SITE, rate, Fault::status(503).expect("a status"))
}

/// A layer that responds with a 503.
pub(crate) fn seatbelt_layer<S>(
    rate: f64,
    is_disabled: bool,
) -> impl Layer<S, Service = Injection<Request<Body>, Answer, S>> {
    let context = ResilienceContext::new(Clock::new_frozen());
    let layer =
        Injection::layer("peers", &context)
            .rate(rate)
            .output_with(|_: Request<Body>, _| {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                Ok(response)
            });
    if is_disabled { layer.disable() } else { layer }
}

/// A service whose error can hold an injected one.
fn fallible()
-> impl Service<Request<Body>, Response = Response<Body>, Error = BoxError, Future: Send + 'static>
+ Clone
+ Send
+ Sync
+ 'static {
    async fn answer(request: Request<Body>) -> Result<Response<Body>, BoxError> {
        handler(request).await.map_err(|never| match never {})
    }
    opaque(service_fn(answer))
}

/// Makes no error: the service has none, and none is asked for.
pub(crate) fn never(_: &Request<Body>) -> Infallible {
    unreachable!("this is too rare")
}

fn lost(_: &Request<Body>) -> BoxError {
    "lost".into()
}
