//! Sites in functions: `inject!` and `inject_async!`.

use std::{
    hint::black_box,
    pin::{Pin, pin},
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll, Waker},
};

use chaos_core::{Injected, Injector, inject, inject_async, site};

use crate::{
    case::{Case, Run},
    rules::{Armed, never_firing},
};

pub(super) const BARE: &str = "empty function";
const BARE_CALLER: &str = "function that calls another";
const BARE_ASYNC: &str = "async fn";
const BARE_TASK: &str = "async fn in a task";
const IDLE: &str = "inject!, idle";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::new(BARE, || calls_of(bare)),
        Case::new("one load, one branch", || {
            FLAG.store(black_box(false), Ordering::Relaxed);
            calls_of(floor)
        })
        .over(BARE),
        Case::new(IDLE, || calls_of(idle)).over(BARE).at_most(6),
        Case::new("inject! with labels, idle", || calls_of(labels))
            .over(BARE)
            .at_most(6),
        Case::new("inject! with err, idle", || calls_of(with_err))
            .over(BARE)
            .same_as(IDLE),
        Case::new("#[site] with err, idle", || calls_of(function))
            .over(BARE)
            .same_as(IDLE),
        Case::new("inject! with an injector, idle", injector)
            .over(BARE)
            .at_most(6),
        Case::new("inject!, 1000 rules elsewhere", || {
            while_armed(Armed::elsewhere, calls_of(idle))
        })
        .over(BARE)
        .same_as(IDLE),
        Case::new(BARE_CALLER, || calls_of(bare_caller)),
        Case::new("inject!, idle, in such a one", || calls_of(caller))
            .over(BARE_CALLER)
            .at_most(6),
        Case::new(BARE_ASYNC, || polls_of(bare_async)).future(size_of_val(&bare_async(0))),
        Case::new("inject_async!, idle", || polls_of(in_async))
            .over(BARE_ASYNC)
            .at_most(4)
            .future(size_of_val(&in_async(0)))
            .future_at_most(16),
        Case::new("inject_async! with labels, idle", || polls_of(labels_async))
            .over(BARE_ASYNC)
            .at_most(4)
            .future(size_of_val(&labels_async(0)))
            .future_at_most(16),
        Case::new("inject_async! with err, idle", || polls_of(err_async))
            .over(BARE_ASYNC)
            .at_most(4)
            .future(size_of_val(&err_async(0)))
            .future_at_most(16),
        Case::new(BARE_TASK, || tasks_of(bare_task)).future(size_of_val(&bare_task(0))),
        // This row has the site and one more await point of a future that lives in memory.
        Case::new("inject_async!, idle, in a task", || tasks_of(task))
            .over(BARE_TASK)
            .future(size_of_val(&task(0))),
    ];
    if !chaos_core::COMPILED_OUT {
        cases.extend([
            Case::new("inject!, armed, does not fire", || {
                while_armed(arm, calls_of(armed_here))
            })
            .over(BARE)
            .at_most(100),
            Case::new("inject_async!, armed, does not fire", || {
                while_armed(arm, polls_of(armed_async))
            })
            .over(BARE_ASYNC)
            .at_most(100),
        ]);
    }
    cases
}

/// Returns `n`; a function without a site.
///
/// # Errors
/// Never fails.
pub(crate) fn bare(n: u64) -> Answer {
    Ok(n)
}

static FLAG: AtomicBool = AtomicBool::new(false);

fn floor(n: u64) -> Answer {
    #[cold]
    #[inline(never)]
    fn cold() {
        black_box(());
    }
    if FLAG.load(Ordering::Relaxed) {
        cold();
    }
    Ok(n)
}

fn idle(n: u64) -> Answer {
    inject!("bench.idle")?;
    Ok(n)
}

fn labels(n: u64) -> Answer {
    inject!("bench.labels", table = "orders", id = %black_box(n))?;
    Ok(n)
}

fn with_err(n: u64) -> Answer {
    inject!("bench.err", err = |injected| with(injected, n), id = %black_box(n))?;
    Ok(n)
}

#[site("bench.site", id = %black_box(n), err = |injected| with(injected, n))]
fn function(n: u64) -> Answer {
    Ok(n)
}

/// Makes an error of the function's own: the fault, and what the function was called with.
fn with(injected: Injected, n: u64) -> Injected {
    injected.with_source(n.to_string().into())
}

fn injector() -> Run {
    fn idle(injector: &Injector, n: u64) -> Answer {
        inject!(injector: injector, "bench.injector")?;
        Ok(n)
    }
    let injector = Injector::new();
    calls_of(move |n| idle(&injector, n))
}

/// Returns `n`; a function with an armed site whose rule never fires.
///
/// # Errors
/// Never fails.
pub(crate) fn armed_here(n: u64) -> Answer {
    inject!("bench.armed")?;
    Ok(n)
}

fn bare_caller(n: u64) -> Answer {
    Ok(work(n)? + 1)
}

fn caller(n: u64) -> Answer {
    inject!("bench.caller")?;
    Ok(work(n)? + 1)
}

#[inline(never)]
fn work(n: u64) -> Answer {
    black_box(Ok(n))
}

/// Calls a function and then awaits a future, as most async functions do. So it has a stack frame and a
/// state already, and the difference is the site alone.
async fn bare_async(n: u64) -> Answer {
    let before = work(n)?;
    wait(n).await?;
    Ok(before)
}

async fn in_async(n: u64) -> Answer {
    let before = work(n)?;
    inject_async!("bench.async").await?;
    wait(n).await?;
    Ok(before)
}

async fn labels_async(n: u64) -> Answer {
    let before = work(n)?;
    inject_async!("bench.labels_async", table = "orders", id = %n).await?;
    wait(n).await?;
    Ok(before)
}

async fn err_async(n: u64) -> Answer {
    let before = work(n)?;
    inject_async!("bench.err_async", err = move |injected| with(injected, n), id = %n).await?;
    wait(n).await?;
    Ok(before)
}

async fn armed_async(n: u64) -> Answer {
    let before = work(n)?;
    inject_async!("bench.armed").await?;
    wait(n).await?;
    Ok(before)
}

async fn wait(n: u64) -> Answer {
    #[inline(never)]
    fn wait(n: u64, cx: &mut Context<'_>) -> Poll<Answer> {
        black_box(cx);
        black_box(Poll::Ready(Ok(n)))
    }
    std::future::poll_fn(move |cx| wait(n, cx)).await
}

async fn bare_task(n: u64) -> Answer {
    Ok(Work::new(n).await + Work::new(n).await)
}

async fn task(n: u64) -> Answer {
    let first = Work::new(n).await;
    inject_async!("bench.task").await?;
    Ok(first + Work::new(n).await)
}

/// A future that is ready at once. It holds a value with a destructor, as most futures do.
struct Work {
    n: u64,
    _held: String,
}

impl Work {
    fn new(n: u64) -> Self {
        let _held = String::new();
        Self { n, _held }
    }
}

impl Future for Work {
    type Output = u64;

    #[inline(never)]
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u64> {
        Poll::Ready(black_box(self.n))
    }
}

pub(crate) fn arm() -> Armed {
    Armed::with(vec![never_firing("never", "bench.armed")])
}

pub(super) type Answer = Result<u64, Injected>;

/// Calls a function through a pointer, so that the compiler knows only its type.
pub fn calls_of<T: 'static>(call: impl Fn(u64) -> T + 'static) -> Run {
    #[inline(never)]
    fn opaque<T>(call: &impl Fn(u64) -> T, n: u64) -> T {
        call(n)
    }
    let call: Box<dyn Fn(u64) -> T> = black_box(Box::new(move |n| opaque(&call, n)));
    Box::new(move |calls| {
        for n in 0..calls {
            // The result is dropped, as a caller would drop an error.
            drop(call(n));
        }
    })
}

/// Polls each future where it is created, so that the compiler sees its state.
///
/// # Panics
/// The returned function panics if a future is not ready at once.
pub fn polls_of<T: 'static, F: Future<Output = T>>(make: impl Fn(u64) -> F + 'static) -> Run {
    type Call<T> = Box<dyn Fn(u64, &mut Context<'_>) -> Poll<T>>;
    #[inline(never)]
    fn opaque<F: Future>(
        make: &impl Fn(u64) -> F,
        n: u64,
        cx: &mut Context<'_>,
    ) -> Poll<F::Output> {
        pin!(make(n)).poll(cx)
    }
    let call: Call<T> = black_box(Box::new(move |n, cx| opaque(&make, n, cx)));
    Box::new(move |calls| {
        let mut cx = Context::from_waker(Waker::noop());
        for n in 0..calls {
            assert!(call(n, &mut cx).is_ready());
        }
    })
}

/// Polls each future as a runtime does: through a pointer, with its state in memory.
fn tasks_of<F: Future<Output = Answer>>(make: impl Fn(u64) -> F + 'static) -> Run {
    Box::new(move |calls| {
        let mut cx = Context::from_waker(Waker::noop());
        for n in 0..calls {
            let task: Pin<&mut dyn Future<Output = Answer>> = pin!(make(black_box(n)));
            assert!(black_box(task).poll(&mut cx).is_ready());
        }
    })
}

/// Arms rules for as long as the returned function exists.
pub(super) fn while_armed(arm: fn() -> Armed, mut run: Run) -> Run {
    let armed = arm();
    Box::new(move |calls| {
        let _armed = &armed;
        run(calls);
    })
}
