//! The layer at a site whose calls are measured, for guard rails or for who watches the site, on calls that no rule hits.

use std::sync::Arc;

use chaos_core::{GuardRail, Injector, Rate};

use crate::{
    case::{Case, Run},
    cases::http::{ARMED, IDLE, SITE, layered, request},
    rules::never_firing,
};

pub(super) fn cases() -> Vec<Case> {
    if chaos_core::COMPILED_OUT {
        return Vec::new();
    }
    let cases = [
        Case::new("layer, guard rail, not hit", || {
            layered(request, |injector| arm(injector, 1))
        })
        .over(ARMED)
        // About 135 ns, of which the clock, which is read twice, is a third.
        .at_most(1_450),
        Case::new("layer, ten guard rails, not hit", || {
            layered(request, |injector| arm(injector, 10))
        })
        .over(ARMED)
        .at_most(2_350),
    ];
    // The rules are judged once in a while.
    let counted = |case: Case| case.calls(20_000).give_or_take(4);
    let mut cases: Vec<_> = cases.into_iter().map(counted).collect();
    let watched = Case::new("layer, watched", || watched_calls()())
        .over(IDLE)
        .at_most(1_450)
        .calls(20_000)
        // A call is looked at for its facts every millisecond, and so are many while they are counted.
        .give_or_take(60);
    cases.push(watched);
    cases
}

/// Arms a rule that never fires, with this many guard rails, none of which trips.
fn arm(injector: &Injector, rails: usize) {
    let rail = GuardRail::new().error_ratio(Rate::new(0.5).expect("a share"));
    let rule = (0..rails).fold(never_firing("never", SITE), |rule, _| {
        rule.guard(rail.clone())
    });
    injector.put(rule);
}

/// Returns what makes calls of one guarded site, on as many threads as there are runs.
pub(crate) fn guarded_calls() -> impl Fn() -> Run + Sync {
    let injector = Injector::new();
    arm(&injector, 1);
    move || crate::cases::http::calls_of_layer(&injector, request)
}

/// Returns what makes calls of one site that is watched, on as many threads as there are runs.
pub(crate) fn watched_calls() -> impl Fn() -> Run + Sync {
    let injector = Injector::new();
    let watch = injector.watch([SITE.parse().expect("a name")]);
    let watch = Arc::new(watch);
    move || {
        let (mut calls, watch) = (
            crate::cases::http::calls_of_layer(&injector, request),
            Arc::clone(&watch),
        );
        Box::new(move |count| {
            let _held = &watch;
            calls(count);
        })
    }
}

/// Returns what makes calls of one site that is idle, on as many threads as there are runs.
pub(crate) fn idle_calls() -> impl Fn() -> Run + Sync {
    let injector = Injector::new();
    move || crate::cases::http::calls_of_layer(&injector, request)
}

/// Returns what makes calls of one armed site without a guard rail.
pub(crate) fn armed_calls() -> impl Fn() -> Run + Sync {
    let injector = Injector::new();
    injector.put(never_firing("never", SITE));
    move || crate::cases::http::calls_of_layer(&injector, request)
}
