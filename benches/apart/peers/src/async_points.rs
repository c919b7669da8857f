//! Points in `async fn`s.

use std::{
    hint::black_box,
    sync::Arc,
    task::{Context, Poll},
};

use benches::{
    case::{Case, Run},
    cases::polls_of,
};
use chaos_core::{Injected, Rule, global, inject_async};
use fail_parallel::FailPointRegistry;

use crate::points::{Cleared, Removed, Text, holding, lost};

const BARE: &str = "async fn without a point";
const BARE_TEXT: &str = "async fn without a point, errors of text";

/// The name of the points of the peers, as long as that of ours.
const NAME: &str = "peers.async";

/// Makes the cases of a peer. `$run` sets up its point with a configuration, or with none.
macro_rules! cases_of_peer {
    ($peer:literal, $run:ident, $bytes:expr) => {
        [
            Case::new(concat!($peer, ": async points, idle"), || $run(None)).future($bytes),
            Case::new(concat!($peer, ": async points, armed elsewhere"), || {
                $run(Some(("other", "return(lost)")))
            }),
            Case::new(
                concat!($peer, ": async points, armed, does not fire"),
                || $run(Some((NAME, "0.000001%return(lost)"))),
            ),
            Case::new(concat!($peer, ": async points, hit by an error"), || {
                $run(Some((NAME, "return(lost)")))
            }),
        ]
        .map(|case| case.over(BARE_TEXT))
    };
}

pub(crate) fn cases() -> Vec<Case> {
    let registry = Arc::new(FailPointRegistry::new());
    let mut cases = vec![
        Case::new(BARE, || polls_of(bare::<Injected>)).future(size_of_val(&bare::<Injected>(0))),
        Case::new(BARE_TEXT, || polls_of(bare::<Text>)).future(size_of_val(&bare::<Text>(0))),
        Case::new("chaos: async points, idle", || polls_of(point))
            .over(BARE)
            .future(size_of_val(&point(0))),
        Case::new("chaos: async points, armed elsewhere", || {
            ours(vec![lost("peers.other", 1.0)])
        })
        .over(BARE),
        Case::new("chaos: async points, armed, does not fire", || {
            ours(vec![lost(NAME, 1e-18)])
        })
        .over(BARE),
        Case::new("chaos: async points, hit by an error", || {
            ours(vec![lost(NAME, 1.0)])
        })
        .over(BARE),
    ];
    cases.extend(cases_of_peer!(
        "fail, which blocks",
        of_fail,
        size_of_val(&fail_point(0))
    ));
    cases.extend(cases_of_peer!(
        "fail-parallel",
        of_fail_parallel,
        size_of_val(&parallel_point(&registry, 0))
    ));
    cases
}

#[inline(never)]
fn work<E>(n: u64) -> Result<u64, E> {
    black_box(Ok(n))
}

async fn wait<E>(n: u64) -> Result<u64, E> {
    #[inline(never)]
    fn wait<E>(n: u64, cx: &mut Context<'_>) -> Poll<Result<u64, E>> {
        black_box(cx);
        black_box(Poll::Ready(Ok(n)))
    }
    std::future::poll_fn(move |cx| wait(n, cx)).await
}

/// Calls a function and then awaits a future, as most async functions do.
async fn bare<E>(n: u64) -> Result<u64, E> {
    let before = work::<E>(n)?;
    wait::<E>(n).await?;
    Ok(before)
}

async fn point(n: u64) -> Result<u64, Injected> {
    let before = work::<Injected>(n)?;
    inject_async!("peers.async").await?;
    wait::<Injected>(n).await?;
    Ok(before)
}

async fn fail_point(n: u64) -> Result<u64, Text> {
    let before = work::<Text>(n)?;
    fail::fail_point!(NAME, Err);
    wait::<Text>(n).await?;
    Ok(before)
}

async fn parallel_point(registry: &Arc<FailPointRegistry>, n: u64) -> Result<u64, Text> {
    let before = work::<Text>(n)?;
    fail_parallel::fail_point_async!(registry.clone(), NAME, Err);
    wait::<Text>(n).await?;
    Ok(before)
}

fn ours(rules: Vec<Rule>) -> Run {
    global().replace(rules).expect("the ids differ");
    holding(Cleared, polls_of(point))
}

fn of_fail(configured: Option<(&'static str, &str)>) -> Run {
    let name = configured.map(|(name, actions)| {
        fail::cfg(name, actions).expect("actions");
        name
    });
    let removed = Removed(move || name.into_iter().for_each(|name| fail::remove(name)));
    holding(removed, polls_of(fail_point))
}

fn of_fail_parallel(configured: Option<(&'static str, &str)>) -> Run {
    let registry = Arc::new(FailPointRegistry::new());
    if let Some((name, actions)) = configured {
        fail_parallel::cfg(registry.clone(), name, actions).expect("actions");
    }
    // For as long as the process lives, so that the futures may borrow it.
    let registry: &'static _ = Box::leak(Box::new(registry));
    polls_of(move |n| parallel_point(registry, n))
}
