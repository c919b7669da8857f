//! Points in functions.

use std::sync::Arc;

use benches::{
    case::{Case, Run},
    cases::calls_of,
};
use chaos_core::{Fault, Injected, Injector, Lifetime, Rate, Rule, Trigger, global, inject};
use fail_parallel::FailPointRegistry;
use tracing::subscriber::{NoSubscriber, set_global_default};

const BARE: &str = "function without a point";
const BARE_TEXT: &str = "function without a point, errors of text";

/// Makes the cases of a peer. `$run` sets up its point with a configuration, or with none.
macro_rules! cases_of_peer {
    ($peer:literal, $run:ident) => {
        [
            Case::new(concat!($peer, ": points, idle"), || $run(None)),
            Case::new(concat!($peer, ": points, armed elsewhere"), || {
                $run(Some(("other", "return(lost)")))
            }),
            Case::new(concat!($peer, ": points, armed, does not fire"), || {
                $run(Some((NAME, "0.000001%return(lost)")))
            }),
            Case::new(concat!($peer, ": points, hit by an error"), || {
                $run(Some((NAME, "return(lost)")))
            }),
        ]
        .map(|case| case.over(BARE_TEXT))
    };
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::new(BARE, || calls_of(|n| Ok::<u64, Injected>(n))),
        Case::new(BARE_TEXT, || calls_of(|n| Ok::<u64, Text>(n))),
        Case::new("chaos: points, idle", || calls_of(point)).over(BARE),
        Case::new("chaos: points, armed elsewhere", || {
            ours(vec![lost("peers.other", 1.0)])
        })
        .over(BARE),
        Case::new("chaos: points, armed, does not fire", || {
            ours(vec![lost("peers.point", 1e-18)])
        })
        .over(BARE),
        Case::new("chaos: points, hit by an error", || {
            ours(vec![lost("peers.point", 1.0)])
        })
        .over(BARE),
        Case::new("chaos with an injector: points, idle", || explicit(None)).over(BARE),
        Case::new("chaos with an injector: points, armed elsewhere", || {
            explicit(Some(lost("peers.other", 1.0)))
        })
        .over(BARE),
        Case::new(
            "chaos with an injector: points, armed, does not fire",
            || explicit(Some(lost("peers.explicit", 1e-18))),
        )
        .over(BARE),
        Case::new("chaos with an injector: points, hit by an error", || {
            explicit(Some(lost("peers.explicit", 1.0)))
        })
        .over(BARE),
    ];
    cases.extend(cases_of_peer!("fail", of_fail));
    cases.extend(cases_of_peer!("fail-parallel", of_fail_parallel));
    cases.extend(cases_of_peer!("failpoints", of_failpoints));
    cases.push(
        Case::new("tracing::trace!: points, idle", || {
            // Without one, the compiler sees that nobody ever subscribes. A second one is refused, and is the same.
            let _ = set_global_default(NoSubscriber::default());
            calls_of(traced)
        })
        .over(BARE),
    );
    cases
}

/// Passes an event that the subscriber does not want.
fn traced(n: u64) -> Result<u64, Injected> {
    tracing::trace!("passed");
    Ok(n)
}

/// The error that the failpoints of the peers return: their own text.
pub(crate) type Text = Option<String>;

/// The name of the peers' points, as long as that of ours.
const NAME: &str = "peers.point";

pub(crate) fn rule(site: &str, rate: f64, fault: Fault) -> Rule {
    let id = "bench".parse().expect("an id");
    let site = site.parse().expect("a site");
    let rate = Rate::new(rate).expect("a share");
    Rule::new(id, site, fault)
        .trigger(Trigger::new().rate(rate))
        .lifetime(Lifetime::NEVER_ENDS)
}

pub(crate) fn lost(site: &str, rate: f64) -> Rule {
    rule(site, rate, Fault::error("lost"))
}

pub(crate) fn point(n: u64) -> Result<u64, Injected> {
    inject!("peers.point")?;
    Ok(n)
}

/// Clears the rules of the process when it is dropped.
pub(crate) struct Cleared;

impl Drop for Cleared {
    fn drop(&mut self) {
        global().clear();
    }
}

fn ours(rules: Vec<Rule>) -> Run {
    global().replace(rules).expect("the ids differ");
    holding(Cleared, calls_of(point))
}

fn explicit(rule: Option<Rule>) -> Run {
    fn pass(injector: &Injector, n: u64) -> Result<u64, Injected> {
        inject!(injector: injector, "peers.explicit")?;
        Ok(n)
    }
    let injector = Injector::new();
    if let Some(rule) = rule {
        injector.put(rule);
    }
    calls_of(move |n| pass(&injector, n))
}

/// Calls `remove` when it is dropped.
pub(crate) struct Removed<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for Removed<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Keeps `held` for as long as the returned function exists.
pub(crate) fn holding(held: impl Sized + 'static, mut run: Run) -> Run {
    Box::new(move |calls| {
        let _held = &held;
        run(calls);
    })
}

pub(crate) fn fail_point(n: u64) -> Result<u64, Text> {
    fail::fail_point!(NAME, Err);
    Ok(n)
}

fn of_fail(configured: Option<(&'static str, &str)>) -> Run {
    let name = configured.map(|(name, actions)| {
        fail::cfg(name, actions).expect("actions");
        name
    });
    let removed = Removed(move || name.into_iter().for_each(|name| fail::remove(name)));
    holding(removed, calls_of(fail_point))
}

fn of_failpoints(configured: Option<(&'static str, &str)>) -> Run {
    fn pass(n: u64) -> Result<u64, Text> {
        failpoints::failpoint!(NAME, Err);
        Ok(n)
    }
    let name = configured.map(|(name, actions)| {
        failpoints::cfg(name, actions).expect("actions");
        name
    });
    let removed = Removed(move || name.into_iter().for_each(|name| failpoints::remove(name)));
    holding(removed, calls_of(pass))
}

pub(crate) fn parallel_point(registry: &Arc<FailPointRegistry>, n: u64) -> Result<u64, Text> {
    fail_parallel::fail_point!(registry.clone(), NAME, Err);
    Ok(n)
}

fn of_fail_parallel(configured: Option<(&'static str, &str)>) -> Run {
    let registry = Arc::new(FailPointRegistry::new());
    if let Some((name, actions)) = configured {
        fail_parallel::cfg(registry.clone(), name, actions).expect("actions");
    }
    calls_of(move |n| parallel_point(&registry, n))
}
