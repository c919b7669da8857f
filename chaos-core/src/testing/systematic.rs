//! Runs that try every fault at every pass through a site that a piece of code makes.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{
    fault::Fault,
    injector::Injector,
    matcher::glob::SiteGlob,
    overlay::Overlay,
    rule::{Mode, Rule, lifetime::Lifetime},
    trigger::{Trigger, replay::Replay},
};

pub use crate::testing::report::{Outcome, SystematicReport, Tried};

/// Runs a piece of code once for each fault at each pass through each site that it makes, and
/// reports which of them broke it (Linux's `fail-nth`, Filibuster).
///
/// The code first runs without a fault, which shows the sites it passes, and how often. Each run is
/// in an [`Overlay`] of its own, so other code on the injector neither is affected nor interferes.
/// A spawned task takes part if it is [carried](Overlay::carry) into the overlay.
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
    injector: Injector,
    faults: Vec<Fault>,
    sites: Option<SiteGlob>,
    most_passes: u64,
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

    /// Sets how long one run of [`run`](Self::run) may take. A run that takes longer is reported as
    /// [`Outcome::TimedOut`]. There is no limit by default.
    #[cfg(feature = "tokio")]
    #[must_use]
    pub fn within(mut self, time: std::time::Duration) -> Self {
        self.within = Some(time);
        self
    }

    /// Runs async code once without a fault and once for each fault, site and pass.
    ///
    /// A panic of the code is caught and reported.
    #[cfg(feature = "tokio")]
    pub async fn run<F, E>(&self, mut code: impl FnMut() -> F) -> SystematicReport
    where
        F: Future<Output = Result<(), E>>,
        E: fmt::Display,
    {
        let mut discovery = Discovery::new(self);
        while let Some(overlay) = discovery.next() {
            discovery.record(self.outcome(overlay.run(code())).await);
        }
        let mut report = discovery.report();
        for tried in &mut report.tried {
            let overlay = self.overlay_for(tried);
            let outcome = self.outcome(overlay.run(code())).await;
            tried.record(outcome, &overlay);
        }
        report
    }

    /// Runs plain code once without a fault and once for each fault, site and pass.
    ///
    /// A panic of the code is caught and reported.
    pub fn run_sync<E: fmt::Display>(
        &self,
        mut code: impl FnMut() -> Result<(), E>,
    ) -> SystematicReport {
        let mut run = |overlay: &Overlay| {
            Outcome::of(catch_unwind(AssertUnwindSafe(|| {
                overlay.run_sync(&mut code)
            })))
        };
        let mut discovery = Discovery::new(self);
        while let Some(overlay) = discovery.next() {
            let outcome = run(&overlay);
            discovery.record(outcome);
        }
        let mut report = discovery.report();
        for tried in &mut report.tried {
            let overlay = self.overlay_for(tried);
            let outcome = run(&overlay);
            tried.record(outcome, &overlay);
        }
        report
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

    /// Creates an overlay whose rule hits one pass through one site.
    fn overlay_for(&self, tried: &Tried) -> Overlay {
        let one = Replay::ordinals([tried.pass - 1]).expect("one is not too many");
        let rule = rule(RULE, &tried.site, tried.fault.clone());
        let overlay = Overlay::new(&self.injector);
        overlay.put(rule.trigger(Trigger::new().replay(one)));
        overlay
    }
}

/// The id of the rule that injects the fault of a run.
const RULE: &str = "systematic";

/// Creates a rule that never ends, since a test may advance its clock by hours.
fn rule(id: &str, site: &str, fault: Fault) -> Rule {
    let id = id.parse().expect("an id of our own");
    let site = site.parse().expect("the name of a site");
    Rule::new(id, site, fault).lifetime(Lifetime::NEVER_ENDS)
}

impl Tried {
    /// Records the outcome of the run. A run that passed without being hit did not reach the fault.
    fn record(&mut self, outcome: Outcome, overlay: &Overlay) {
        let is_hit = overlay
            .counts(RULE)
            .is_some_and(|counts| counts.injected > 0);
        self.outcome = match outcome {
            Outcome::Passed if !is_hit => Outcome::NotReached,
            outcome => outcome,
        };
    }
}

/// The runs without a fault, which show the sites that are passed, and how often. They are repeated
/// while a run registers new sites.
struct Discovery<'s> {
    systematic: &'s Systematic,
    sites: Vec<&'static str>,
    overlay: Option<Overlay>,
    outcome: Outcome,
    rounds: u32,
}

impl<'s> Discovery<'s> {
    fn new(systematic: &'s Systematic) -> Self {
        Self {
            systematic,
            sites: Vec::new(),
            overlay: None,
            outcome: Outcome::Passed,
            rounds: 0,
        }
    }

    /// Returns the overlay of the next run; `None` if the last run registered no new site.
    fn next(&mut self) -> Option<Overlay> {
        let Systematic {
            injector, sites, ..
        } = self.systematic;
        let mut names: Vec<_> = injector.sites().iter().map(|site| site.name()).collect();
        names.retain(|name| sites.as_ref().is_none_or(|sites| sites.matches(name)));
        names.dedup();
        let is_over = self.rounds > 0 && (names == self.sites || self.rounds == 3);
        if is_over || self.outcome != Outcome::Passed {
            return None;
        }
        self.rounds += 1;
        let overlay = Overlay::new(injector);
        let rules = names.iter().enumerate().map(|(at, name)| {
            // The fault does not matter: a shadow rule counts, and an `error` can happen at every
            // site.
            rule(&at.to_string(), name, Fault::error(RULE)).mode(Mode::Shadow)
        });
        // The site of a macro with an `injector:` is registered once a rule aims at it.
        let any = rule("any", "**", Fault::error(RULE)).mode(Mode::Shadow);
        let replaced = overlay.replace(rules.chain([any]).collect());
        replaced.expect("the ids differ");
        self.sites = names;
        self.overlay = Some(overlay.clone());
        Some(overlay)
    }

    /// Records the outcome of a run.
    fn record(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    /// Returns the report of all that is to be tried, in order, with outcomes to be filled in.
    fn report(self) -> SystematicReport {
        let mut tried = Vec::new();
        if let (Outcome::Passed, Some(overlay)) = (&self.outcome, &self.overlay) {
            let sites = self.systematic.injector.sites();
            let default = [Fault::error("systematic")];
            let faults = match &*self.systematic.faults {
                [] => &default,
                faults => faults,
            };
            for (at, name) in self.sites.iter().enumerate() {
                let counts = overlay.counts(&at.to_string());
                let passes = counts.map_or(0, |counts| counts.matched);
                let kinds = sites.iter().filter(|site| site.name() == *name);
                let kinds: Vec<_> = kinds.map(|site| site.kind()).collect();
                let can_happen =
                    |fault: &&Fault| kinds.iter().any(|kind| fault.site_kinds().have(*kind));
                for pass in 1..=passes.min(self.systematic.most_passes) {
                    tried.extend(faults.iter().filter(can_happen).map(|fault| Tried {
                        site: (*name).to_owned(),
                        pass,
                        fault: fault.clone(),
                        outcome: Outcome::NotReached,
                    }));
                }
            }
        }
        SystematicReport {
            without: self.outcome,
            tried,
        }
    }
}
