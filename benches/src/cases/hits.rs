//! Calls that a rule hits, or would hit. Each call is hit, so that the row shows what one costs.

use std::num::NonZeroU64;

use chaos_core::{Fault, Injector, Mode, Trigger, inject};

use crate::{
    case::{Case, Run},
    cases::{
        http::{BARE as BARE_LAYER, BARE_HEADERS, SITE, layered, request, with_headers},
        macros::{Answer, BARE as BARE_FUNCTION, calls_of, while_armed},
    },
    rules::{Armed, hitting},
};

const IN_CODE: &str = "bench.hit";

pub(super) fn cases() -> Vec<Case> {
    if chaos_core::COMPILED_OUT {
        return Vec::new();
    }
    let cases = [
        Case::new("inject!, hit by an error", || {
            while_armed(arm_error, calls_of(hit))
        })
        .over(BARE_FUNCTION)
        .at_most(700)
        .allocations_at_most(1),
        Case::new("inject!, hit by a rule in shadow mode", || {
            while_armed(arm_shadow, calls_of(hit))
        })
        .over(BARE_FUNCTION)
        .at_most(300),
        Case::new("layer, hit by a status", || layered(request, arm_status))
            .over(BARE_LAYER)
            .at_most(1500)
            .allocations_at_most(2),
        Case::new("layer, hit by a status, six headers", || {
            layered(with_headers, arm_status)
        })
        .over(BARE_HEADERS)
        .at_most(1500)
        .allocations_at_most(2),
        Case::new("layer, hit by an error", || {
            layered(request, |injector| {
                injector.put(hitting(SITE, Fault::error("lost")));
            })
        })
        .over(BARE_LAYER)
        .at_most(2000)
        .allocations_at_most(4),
        Case::new("layer, hit by an error, six headers", || {
            layered(with_headers, |injector| {
                injector.put(hitting(SITE, Fault::error("lost")));
            })
        })
        .over(BARE_HEADERS)
        .at_most(2000)
        .allocations_at_most(4),
        Case::new("layer, hit by a rule in shadow mode", || {
            layered(request, |injector| {
                injector.put(hitting(SITE, status()).mode(Mode::Shadow));
            })
        })
        .over(BARE_LAYER)
        .at_most(300),
        Case::new("layer, a limit that is used up", limited).over(BARE_LAYER),
    ];
    cases
        .into_iter()
        .map(|case| case.calls(5_000).not_met_yet())
        .collect()
}

/// Passes a site whose rule hits each call.
///
/// # Errors
/// Returns the fault.
fn hit(n: u64) -> Answer {
    inject!("bench.hit")?;
    Ok(n)
}

fn arm_error() -> Armed {
    Armed::with(vec![hitting(IN_CODE, Fault::error("lost"))])
}

fn arm_shadow() -> Armed {
    Armed::with(vec![
        hitting(IN_CODE, Fault::error("lost")).mode(Mode::Shadow),
    ])
}

fn status() -> Fault {
    Fault::status(503).expect("a status")
}

fn arm_status(injector: &Injector) {
    injector.put(hitting(SITE, status()));
}

/// The first call, which is not counted, uses the limit up.
fn limited() -> Run {
    layered(request, |injector| {
        let once = Trigger::new().limit(NonZeroU64::MIN);
        injector.put(hitting(SITE, status()).trigger(once));
    })
}
