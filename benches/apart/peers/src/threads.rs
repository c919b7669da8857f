//! What a call takes when two threads make calls at once.

use std::sync::Arc;

use benches::{
    case::Run,
    cases::calls_of as calls_of_function,
    growth::{two_threads, write_two_threads},
};
use chaos_core::{Injected, Injector, global};
use fail_parallel::FailPointRegistry;
use tower::Layer;
use tower_fault::error::ErrorLayer;

use benches::service::{Plain, opaque};

use crate::{
    layers::{self, NEVER, Shared, idle, never, resilience, seatbelt},
    points::{fail_point, lost, parallel_point, point},
};

type Make = Box<dyn Fn() -> Run + Sync>;

/// Measures each, prints it, and records it if `is_written`.
pub(crate) fn measure(is_written: bool) {
    let mut all = Vec::new();
    let mut row = |case: &str, make: &Make| {
        let two = two_threads(case, make);
        println!(
            "{case}: {:.1} ns, two threads: {:.1} ns each",
            two.one, two.two
        );
        all.push(two);
    };
    for (case, make) in plain() {
        row(case, &make);
    }
    armed(&mut row);
    if is_written && let Err(error) = write_two_threads(&all) {
        eprintln!("{error}");
    }
}

fn plain() -> [(&'static str, Make); 9] {
    [
        (
            "function without a point",
            Box::new(|| calls_of_function(|n| Ok::<u64, Injected>(n))),
        ),
        ("chaos: points, idle", Box::new(|| calls_of_function(point))),
        (
            "fail: points, idle",
            Box::new(|| calls_of_function(fail_point)),
        ),
        ("fail-parallel: points, idle", parallel(None)),
        ("http service", shared(opaque(Plain))),
        ("chaos: layers, idle", shared(idle(&Injector::new()))),
        (
            "tower-fault: layers, idle",
            shared(ErrorLayer::new(false, never).layer(opaque(Plain))),
        ),
        ("seatbelt: layers, idle", shared(seatbelt(0.0, true))),
        ("tower-resilience-chaos: layers, idle", shared(resilience())),
    ]
}

fn armed(row: &mut impl FnMut(&str, &Make)) {
    global().put(lost("peers.point", 1e-18));
    let make: Make = Box::new(|| calls_of_function(point));
    row("chaos: points, armed, does not fire", &make);
    global().clear();

    fail::cfg("peers.point", "0.000001%return(lost)").expect("actions");
    let make: Make = Box::new(|| calls_of_function(fail_point));
    row("fail: points, armed, does not fire", &make);
    fail::remove("peers.point");

    let make = parallel(Some("0.000001%return(lost)"));
    row("fail-parallel: points, armed, does not fire", &make);

    let injector = Injector::new();
    let make = shared(idle(&injector));
    injector.put(layers::status(NEVER));
    row("chaos: layers, armed, does not fire", &make);
    let make = shared(ErrorLayer::new(NEVER, never).layer(opaque(Plain)));
    row("tower-fault: layers, armed, does not fire", &make);
    let make = shared(seatbelt(NEVER, false));
    row("seatbelt: layers, armed, does not fire", &make);
}

fn shared(service: impl Shared) -> Make {
    Box::new(move || layers::calls_of(service.clone()))
}

fn parallel(actions: Option<&str>) -> Make {
    let registry = Arc::new(FailPointRegistry::new());
    if let Some(actions) = actions {
        fail_parallel::cfg(registry.clone(), "peers.point", actions).expect("actions");
    }
    Box::new(move || {
        let registry = registry.clone();
        calls_of_function(move |n| parallel_point(&registry, n))
    })
}
