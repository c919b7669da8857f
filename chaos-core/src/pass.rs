//! What a macro does at a site that is not idle. All of it is cold.

#[cfg(feature = "tokio")]
use std::{
    pin::Pin,
    sync::atomic::Ordering,
    task::{Context, Poll},
};

use crate::{
    call::{Call, Label},
    decision::Decision,
    injected::Injected,
    injector::{Injector, global},
    plan::Plan,
    site::Site,
};

/// The site of a macro without an injector. Registers it if this is its first pass.
#[cold]
#[inline(never)]
pub fn armed(site: &'static Site) -> Option<&'static Site> {
    if site.is_new() {
        // Makes the global injector, which registers all that the linker listed; and this one,
        // if the linker did not.
        global().register([site]);
    }
    site.is_armed().then_some(site)
}

/// The site of a macro with an explicit injector: the one of that injector with the same name.
#[cold]
#[inline(never)]
pub fn armed_in(injector: &Injector, site: &'static Site) -> Option<&'static Site> {
    let (file, line) = (site.file(), site.line());
    let site = injector.site_at(site.name(), site.kind(), file, line, site.labels());
    site.is_armed().then_some(site)
}

/// One pass through a site in plain code.
///
/// # Errors
/// If a fault says so.
#[cold]
#[inline(never)]
pub fn blocking(site: &Site, labels: &[Label<'_>]) -> Result<(), Injected> {
    let Some(mut decision) = site.decide(&Call::new().labels(labels)) else {
        return Ok(());
    };
    while let Some(plan) = decision.next_plan() {
        match plan {
            Plan::Wait(delay) => {
                #[cfg(feature = "tokio")]
                warn_of_blocking(site);
                decision.wait_blocking(delay);
            }
            Plan::Answer(answer) => return Err(answer.into_injected()),
            Plan::Fail(injected) => return Err(injected),
        }
    }
    Ok(())
}

/// Says once per site that a delay blocks a thread of an async runtime.
#[cfg(feature = "tokio")]
fn warn_of_blocking(site: &Site) {
    if tokio::runtime::Handle::try_current().is_ok() && !site.warned.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            target: "chaos",
            site = site.name(),
            file = site.file(),
            line = site.line(),
            "this delay blocks a thread of the async runtime; in a task, use inject_async!",
        );
    }
}

/// One pass through a site in async code: decided here, carried out where it is awaited.
#[cfg(feature = "tokio")]
#[cold]
#[inline(never)]
pub fn waiting(
    site: &Site,
    labels: &[Label<'_>],
) -> Pass<impl Future<Output = Result<(), Injected>> + Send + use<>> {
    let decision = site.decide(&Call::new().labels(labels));
    Pass(decision.map(|decision| Box::pin(carry_out(decision))))
}

#[cfg(feature = "tokio")]
async fn carry_out(mut decision: Decision) -> Result<(), Injected> {
    while let Some(plan) = decision.next_plan() {
        match plan {
            Plan::Wait(delay) => decision.wait(delay).await,
            Plan::Answer(answer) => return Err(answer.into_injected()),
            Plan::Fail(injected) => return Err(injected),
        }
    }
    Ok(())
}

/// The future of `inject_async!`: nothing at all, or one boxed future. Eight bytes.
#[cfg(feature = "tokio")]
#[must_use = "a fault happens only where the future is awaited"]
#[derive(Debug)]
pub struct Pass<F>(Option<Pin<Box<F>>>);

#[cfg(feature = "tokio")]
impl<F> Pass<F> {
    /// What an idle site leaves to await.
    #[inline(always)]
    pub const fn idle() -> Self {
        Self(None)
    }
}

#[cfg(feature = "tokio")]
impl<F: Future<Output = Result<(), Injected>>> Future for Pass<F> {
    type Output = F::Output;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        /// Kept out of the caller, whose idle path is the shorter for it.
        #[cold]
        #[inline(never)]
        fn poll<F: Future>(future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
            future.poll(cx)
        }
        match &mut self.0 {
            None => Poll::Ready(Ok(())),
            Some(future) => poll(future.as_mut(), cx),
        }
    }
}

#[cfg(feature = "tokio")]
impl<F> Drop for Pass<F> {
    #[inline(always)]
    fn drop(&mut self) {
        /// As above.
        #[cold]
        #[inline(never)]
        fn drop<F>(future: Option<Pin<Box<F>>>) {
            std::mem::drop(future);
        }
        if self.0.is_some() {
            drop(self.0.take());
        }
    }
}
