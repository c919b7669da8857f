//! Runs that try every fault at every pass through a site that a piece of code makes.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{fault::Fault, injector::Injector, matcher::glob::SiteGlob, testing::runs::Runs};

pub use crate::testing::report::{Outcome, Passes, SystematicReport, Tried, TriedFault, Untried};

/// Runs a piece of code once for each fault at each pass through each site that it makes, and
/// reports which of them broke it (Linux's `fail-nth`, Filibuster).
///
/// The code first runs without a fault, which shows the sites it passes, and how often. Each fault is tried
/// at one pass in each run; [`always`](Self::always) and [`pairs`](Self::pairs) add more runs. The report
/// says what was not tried. Each run is in an [`Overlay`](crate::Overlay) of its own, so it neither affects
/// other code on the injector nor is affected by it. A spawned task takes part if it is
/// [carried](crate::Overlay::carry) into the overlay.
///
/// ```
/// use chaos_core::{Injected, Injector, inject, testing::Systematic};
///
/// let injector = Injector::new();
/// let transfer = || {
///     inject!(injector: &injector, "db.withdraw")?;
///     // A failure here leaves the money nowhere, which the report shows.
///     inject!(injector: &injector, "db.deposit")
/// };
/// let report = Systematic::new(&injector).run_sync(transfer);
/// assert_eq!(report.broken().count(), 2);
/// println!("{report}");
/// # Ok::<(), Injected>(())
/// ```
#[derive(Clone, Debug)]
pub struct Systematic {
    pub(super) injector: Injector,
    faults: Vec<Fault>,
    pub(super) sites: Option<SiteGlob>,
    pub(super) most_passes: u64,
    pub(super) most_runs: usize,
    pub(super) always: bool,
    pub(super) pairs: bool,
    #[cfg(feature = "tokio")]
    within: Option<std::time::Duration>,
}

impl Systematic {
    /// Creates a test that injects one `error` at each of the first ten passes through every site.
    #[must_use]
    pub fn new(injector: &Injector) -> Self {
        Self {
            injector: injector.clone(),
            faults: Vec::new(),
            sites: None,
            most_passes: 10,
            most_runs: 1000,
            always: false,
            pairs: false,
            #[cfg(feature = "tokio")]
            within: None,
        }
    }

    /// Adds a fault to try, in place of the default `error`. It is tried at every site where it can
    /// happen.
    #[must_use]
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Sets the sites to try. Without this, all sites are tried.
    #[must_use]
    pub fn sites(mut self, sites: SiteGlob) -> Self {
        self.sites = Some(sites);
        self
    }

    /// Sets at how many passes through each site faults are tried, at most. The default is 10.
    #[must_use]
    pub fn most_passes(mut self, passes: u64) -> Self {
        self.most_passes = passes;
        self
    }

    /// Also tries each fault at every pass through a site at once, so that retries are exhausted.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.always = true;
        self
    }

    /// Also tries pairs of faults. A pair is one fault that did not break the code, and a second one at
    /// another pass that the run with the first one made, such as the pass of a retry or a fallback.
    #[must_use]
    pub fn pairs(mut self) -> Self {
        self.pairs = true;
        self
    }

    /// Sets how many runs with faults are made, at most. The default is 1000.
    #[must_use]
    pub fn most_runs(mut self, runs: usize) -> Self {
        self.most_runs = runs;
        self
    }

    /// Sets how long one run of [`run`](Self::run) may take. A run that takes longer is reported as
    /// [`Outcome::TimedOut`]. There is no limit by default.
    #[cfg(feature = "tokio")]
    #[must_use]
    pub fn within(mut self, time: std::time::Duration) -> Self {
        self.within = Some(time);
        self
    }

    /// Runs async code without a fault, and then once for each fault or pair of faults to try.
    ///
    /// A panic of the code is caught and reported.
    #[cfg(feature = "tokio")]
    pub async fn run<F, E>(&self, mut code: impl FnMut() -> F) -> SystematicReport
    where
        F: Future<Output = Result<(), E>>,
        E: fmt::Display,
    {
        let mut runs = Runs::new(self);
        while let Some(overlay) = runs.next() {
            runs.record(self.outcome(overlay.run(code())).await);
        }
        runs.report()
    }

    /// Runs plain code without a fault, and then once for each fault or pair of faults to try.
    ///
    /// A panic of the code is caught and reported.
    pub fn run_sync<E: fmt::Display>(
        &self,
        mut code: impl FnMut() -> Result<(), E>,
    ) -> SystematicReport {
        let mut runs = Runs::new(self);
        while let Some(overlay) = runs.next() {
            let run = AssertUnwindSafe(|| overlay.run_sync(&mut code));
            runs.record(Outcome::of(catch_unwind(run)));
        }
        runs.report()
    }

    #[cfg(feature = "tokio")]
    async fn outcome<E: fmt::Display>(&self, run: impl Future<Output = Result<(), E>>) -> Outcome {
        let mut run = std::pin::pin!(run);
        let run = std::future::poll_fn(|cx| {
            let polled = catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(cx)));
            match polled {
                Ok(polled) => polled.map(|result| Outcome::of(Ok(result))),
                Err(panic) => std::task::Poll::Ready(Outcome::of::<E>(Err(panic))),
            }
        });
        match self.within {
            None => run.await,
            Some(time) => tokio::time::timeout(time, run)
                .await
                .unwrap_or(Outcome::TimedOut),
        }
    }

    /// Returns the faults to try.
    pub(super) fn faults(&self) -> Vec<Fault> {
        if self.faults.is_empty() {
            return vec![Fault::error("systematic")];
        }
        self.faults.clone()
    }

    /// Returns the place of `fault` in the list of faults.
    pub(super) fn index(&self, fault: &Fault) -> usize {
        let at = self.faults.iter().position(|other| other == fault);
        at.unwrap_or(0)
    }
}
