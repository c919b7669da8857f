//! Layers in axum's `Router::layer`.

use std::{convert::Infallible, sync::Arc};

use axum::{extract::Request, response::IntoResponse, routing::Route};
use benches::{
    case::{Case, Run},
    cases::{finished, routed_requests_of, router},
};
use chaos_core::{Fault, Injector};
use chaos_tower::InjectLayer;
use tower::{
    Layer, Service,
    layer::{layer_fn, util::Identity},
};
use tower_fault::error::ErrorLayer;
use tower_resilience_chaos::ChaosLayer;

use crate::{
    layers::{NEVER, never, seatbelt_layer},
    points::{holding, rule},
};

const IDENTITY: &str = "Router::layer(tower's Identity)";
const SITE: &str = "peers.axum";

pub(crate) fn cases() -> Vec<Case> {
    let cases = [
        Case::new(IDENTITY, || inside(Identity::new())),
        Case::new("chaos: axum, idle", || ours(|_| {})).over(IDENTITY),
        Case::new("chaos: axum, armed, does not fire", || {
            ours(|injector| arm(injector, NEVER))
        })
        .over(IDENTITY),
        Case::new("chaos: axum, hit by a 503", || {
            ours(|injector| arm(injector, 1.0))
        })
        .over(IDENTITY),
        Case::new("tower-fault: axum, idle", || {
            inside(ErrorLayer::new(false, never))
        })
        .over(IDENTITY),
        Case::new("tower-fault: axum, armed, does not fire", || {
            inside(ErrorLayer::new(NEVER, never))
        })
        .over(IDENTITY),
        Case::new("seatbelt: axum, idle", || of_seatbelt(0.0, true)).over(IDENTITY),
        Case::new("seatbelt: axum, armed, does not fire", || {
            of_seatbelt(NEVER, false)
        })
        .over(IDENTITY),
        Case::new("seatbelt: axum, hit by a 503", || of_seatbelt(1.0, false)).over(IDENTITY),
        Case::new("tower-resilience-chaos: axum, idle", || {
            inside(ChaosLayer::builder().name("peers").build())
        })
        .over(IDENTITY),
        Case::new("tower-resilience-chaos: axum, armed, does not fire", || {
            let layer = ChaosLayer::builder().name("peers");
            inside(layer.error_rate(NEVER).error_fn(never).build())
        })
        .over(IDENTITY),
    ];
    // A Router has hash maps, whose seed differs in each process.
    let counted = |case: Case| case.calls(2_000).give_or_take(4);
    cases.into_iter().map(counted).collect()
}

fn inside<L>(layer: L) -> Run
where
    L: Layer<Route> + Clone + Send + Sync + 'static,
    L::Service: Service<Request> + Clone + Send + Sync + 'static,
    <L::Service as Service<Request>>::Response: IntoResponse + 'static,
    <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
    <L::Service as Service<Request>>::Future: Send + 'static,
{
    routed_requests_of(finished(router().layer(layer)))
}

fn ours(arm: fn(&Injector)) -> Run {
    let injector = Injector::new();
    let run = inside(InjectLayer::with_injector(SITE, &injector));
    arm(&injector);
    holding(injector, run)
}

fn arm(injector: &Injector, rate: f64) {
    injector.put(rule(SITE, rate, Fault::status(503).expect("a status")));
}

/// Its layer is no `Clone`, which `Router::layer` asks for.
fn of_seatbelt(rate: f64, is_disabled: bool) -> Run {
    let layer = Arc::new(seatbelt_layer::<Route>(rate, is_disabled));
    inside(layer_fn(move |inner: Route| layer.layer(inner)))
}
