//! What the macros call at a site that is not idle. All of it is cold code.

#[cfg(feature = "tokio")]
use std::{
    pin::Pin,
    sync::atomic::Ordering,
    task::{Context, Poll},
};

use crate::{
    call::{Call, Label},
    decision::Decision,
    injector::{Injector, global},
    macros::looked_up,
    plan::{Plan, injected::Injected},
    site::{Site, snapshot::FirstLook},
};

/// Returns the site of a macro without an injector, if it is armed. Registers it on its first pass.
#[cold]
#[inline(never)]
pub fn armed(site: &'static Site) -> Option<&'static Site> {
    if !site.is_asked() {
        // This creates the global injector, which registers every site that the linker listed,
        // and registers this one in case the linker did not list it.
        global().register([site]);
    }
    site.is_armed().then_some(site)
}

/// Returns the site of `injector` that has the name of a macro's `site`, if it is armed.
#[cold]
#[inline(never)]
pub fn armed_in(injector: &Injector, site: &'static Site) -> Option<&'static Site> {
    let site = looked_up::site_in(injector, site);
    site.is_armed().then_some(site)
}

/// Passes a site in plain code without labels, and executes what is decided.
///
/// # Errors
/// Returns the fault that fails the call, if one does.
#[cold]
#[inline(never)]
pub fn blocking_bare(site: &'static Site) -> Result<(), Injected> {
    let look = site.first_look();
    if look.leaves_alone() {
        return Ok(());
    }
    blocking_bare_after(site, look)
}

#[cold]
#[inline(never)]
fn blocking_bare_after(site: &'static Site, look: FirstLook) -> Result<(), Injected> {
    if !site.is_asked() && armed(site).is_none() {
        return Ok(());
    }
    blocking_after(site, look, const { &Call::new() })
}

/// Passes a site of `injector` in plain code without labels, and executes what is decided.
///
/// # Errors
/// Returns the fault that fails the call, if one does.
#[cold]
#[inline(never)]
pub fn blocking_bare_in(injector: &Injector, site: &'static Site) -> Result<(), Injected> {
    let site = looked_up::site_in(injector, site);
    match site.is_armed() {
        true => blocking_at(site, const { &Call::new() }),
        false => Ok(()),
    }
}

/// Passes a site in plain code with labels, and executes what is decided.
///
/// # Errors
/// Returns the fault that fails the call, if one does.
#[cold]
#[inline(never)]
pub fn blocking(site: &Site, labels: &[Label<'_>]) -> Result<(), Injected> {
    blocking_at(site, &Call::new().labels(labels))
}

/// Passes a site that its injector knows, in plain code.
#[inline(always)]
fn blocking_at(site: &Site, call: &Call<'_>) -> Result<(), Injected> {
    let look = site.look_here(call);
    if look.leaves_alone() {
        return Ok(());
    }
    blocking_after(site, look, call)
}

/// Executes what the rules decide about a call, from where a look has left it.
#[cold]
#[inline(never)]
fn blocking_after(site: &Site, look: FirstLook, call: &Call<'_>) -> Result<(), Injected> {
    match site.fail_or_decide(look, call) {
        None => Ok(()),
        Some(Ok(decision)) => execute_blocking(site, decision),
        Some(Err(injected)) => Err(injected),
    }
}

#[cold]
#[inline(never)]
fn execute_blocking(site: &Site, mut decision: Decision) -> Result<(), Injected> {
    let mut result = Ok(());
    while let Some(plan) = decision.next_plan() {
        match plan {
            Plan::Wait(wait) => {
                warn_of_blocking(site);
                decision.wait_blocking(wait);
            }
            Plan::WaitAfter(wait) => {
                warn_of_blocking(site);
                decision.wait_blocking(wait.into());
            }
            Plan::Answer(answer) => result = Err(answer.into_injected()),
            Plan::Fail(injected) => result = Err(injected),
            Plan::Cut(cut) => result = Err(cut.into_injected()),
            // These need bytes or headers: no rule with such a fault fires at a site in code.
            Plan::Headers(..) | Plan::Bytes(..) => {}
        }
    }
    result
}

/// Warns once per site that a delay blocks a thread of an async runtime. Without tokio there is
/// none.
fn warn_of_blocking(site: &Site) {
    #[cfg(feature = "tokio")]
    if tokio::runtime::Handle::try_current().is_ok() && !site.warned.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            target: "chaos",
            site = site.name(),
            file = site.file(),
            line = site.line(),
            "this delay may block a thread of the async runtime; in a task, use inject_async!",
        );
    }
    #[cfg(not(feature = "tokio"))]
    let _ = site;
}

#[cfg(feature = "tokio")]
#[inline(always)]
fn decide_bare(site: &'static Site) -> Option<Decision> {
    let look = site.first_look();
    if look.leaves_alone() {
        return None;
    }
    decide_bare_after(site, look)
}

#[cfg(feature = "tokio")]
#[cold]
#[inline(never)]
fn decide_bare_after(site: &'static Site, look: FirstLook) -> Option<Decision> {
    let site = if site.is_asked() { site } else { armed(site)? };
    site.decide_after(look, const { &Call::new() })
}

/// Asks the rules of a site that its injector knows, if any aim there.
#[cfg(feature = "tokio")]
#[inline(always)]
fn decide_known(site: &'static Site) -> Option<Decision> {
    if site.is_armed() {
        site.decide_here(const { &Call::new() })
    } else {
        None
    }
}

/// Passes a site in async code without labels: decides now, and executes when awaited.
#[cfg(feature = "tokio")]
#[cold]
#[inline(never)]
pub fn waiting_bare(
    site: &'static Site,
) -> Pass<impl Future<Output = Result<(), Injected>> + Send + use<>> {
    let decision = decide_bare(site);
    Pass(decision.map(|decision| Box::pin(execute(decision))))
}

/// Passes a site of `injector` in async code without labels: decides now, and executes when awaited.
#[cfg(feature = "tokio")]
#[cold]
#[inline(never)]
pub fn waiting_bare_in(
    injector: &Injector,
    site: &'static Site,
) -> Pass<impl Future<Output = Result<(), Injected>> + Send + use<>> {
    let decision = decide_known(looked_up::site_in(injector, site));
    Pass(decision.map(|decision| Box::pin(execute(decision))))
}

/// Passes a site in async code with labels: decides now, and executes when awaited.
#[cfg(feature = "tokio")]
#[cold]
#[inline(never)]
pub fn waiting(
    site: &Site,
    labels: &[Label<'_>],
) -> Pass<impl Future<Output = Result<(), Injected>> + Send + use<>> {
    let decision = site.decide_here(&Call::new().labels(labels));
    Pass(decision.map(|decision| Box::pin(execute(decision))))
}

#[cfg(feature = "tokio")]
async fn execute(mut decision: Decision) -> Result<(), Injected> {
    let mut result = Ok(());
    while let Some(plan) = decision.next_plan() {
        match plan {
            Plan::Wait(wait) => decision.wait(wait).await,
            Plan::WaitAfter(wait) => decision.wait(wait.into()).await,
            Plan::Answer(answer) => result = Err(answer.into_injected()),
            Plan::Fail(injected) => result = Err(injected),
            Plan::Cut(cut) => result = Err(cut.into_injected()),
            // These need bytes or headers: no rule with such a fault fires at a site in code.
            Plan::Headers(..) | Plan::Bytes(..) => {}
        }
    }
    result
}

/// The future of `inject_async!`: empty, or one boxed future. It takes eight bytes.
#[cfg(feature = "tokio")]
#[must_use = "a fault happens only where the future is awaited"]
#[derive(Debug)]
pub struct Pass<F>(Option<Pin<Box<F>>>);

#[cfg(feature = "tokio")]
impl<F> Pass<F> {
    /// Creates the future of an idle site, which is ready at once.
    #[inline(always)]
    pub const fn idle() -> Self {
        Self(None)
    }

    /// Maps the error of a pass that is not idle.
    pub fn map_err<E, M>(
        mut self,
        err: M,
    ) -> Pass<impl Future<Output = Result<(), E>> + use<E, F, M>>
    where
        F: Future<Output = Result<(), Injected>>,
        M: FnOnce(Injected) -> E,
    {
        let map = |pass: Pin<Box<F>>| Box::pin(async { pass.await.map_err(err) });
        Pass(self.take().map(map))
    }

    /// Takes the box, checking first that there is one: a plain `take` would store one more word at
    /// an idle site.
    #[inline(always)]
    fn take(&mut self) -> Option<Pin<Box<F>>> {
        if self.0.is_some() {
            self.0.take()
        } else {
            None
        }
    }
}

#[cfg(feature = "tokio")]
impl<E, F: Future<Output = Result<(), E>>> Future for Pass<F> {
    type Output = F::Output;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        /// Takes the box by value, and returns it if it is pending. With a reference to the box,
        /// the caller's state would be forced into memory; with several calls, the caller would
        /// save registers, even when idle.
        #[cold]
        #[inline(never)]
        fn poll<F: Future>(
            mut future: Pin<Box<F>>,
            cx: &mut Context<'_>,
        ) -> Result<F::Output, Pin<Box<F>>> {
            match future.as_mut().poll(cx) {
                Poll::Ready(output) => Ok(output),
                Poll::Pending => Err(future),
            }
        }
        let Some(future) = self.take() else {
            return Poll::Ready(Ok(()));
        };
        match poll(future, cx) {
            Ok(output) => Poll::Ready(output),
            Err(future) => {
                drop_cold(self.0.replace(future));
                Poll::Pending
            }
        }
    }
}

#[cfg(feature = "tokio")]
impl<F> Drop for Pass<F> {
    #[inline(always)]
    fn drop(&mut self) {
        drop_cold(self.take());
    }
}

/// Drops a box, if there is one, in a cold function, which keeps the drop glue out of the caller.
#[cfg(feature = "tokio")]
#[inline(always)]
fn drop_cold<F>(future: Option<Pin<Box<F>>>) {
    #[cold]
    #[inline(never)]
    fn cold<F>(future: Pin<Box<F>>) {
        drop(future);
    }
    if let Some(future) = future {
        cold(future);
    }
}
