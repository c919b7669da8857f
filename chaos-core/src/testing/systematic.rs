//! Trying every fault at every pass through a site that a piece of code makes.

use std::{
    any::Any,
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

/// Runs a piece of code once for each fault, at each pass through each site that it makes, and says
/// which of them broke it (Linux's `fail-nth`, Filibuster).
///
/// First it runs without a fault, to see which sites are passed, and how often. Each run is in an
/// [`Overlay`] of its own, so what others do on the injector is not touched, and does not disturb. Tasks
/// that the code spawns are seen if they are [carried](Overlay::carry).
///
/// ```
/// use chaos_core::{Injected, Injector, Systematic, inject};
///
/// let injector = Injector::new();
/// let transfer = || {
///     inject!(injector: &injector, "db.withdraw")?;
///     // Whoever forgets to give the money back will hear of it.
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

/// What became of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It went well.
    Passed,
    /// It gave an error, which says this.
    Failed(String),
    /// It panicked, with this message.
    Panicked(String),
    /// It took longer than it may.
    TimedOut,
    /// It went well, and the site was not passed as often as in the run without a fault.
    NotReached,
}

/// One run, with one fault.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Tried {
    /// The site.
    pub site: String,
    /// Which pass through it, from 1.
    pub pass: u64,
    /// What was injected there.
    pub fault: Fault,
    /// What became of it.
    pub outcome: Outcome,
}

/// What was tried, by site, pass and fault.
#[derive(Clone, Debug)]
pub struct SystematicReport {
    /// Of the run without a fault.
    without: Outcome,
    tried: Vec<Tried>,
}

impl Systematic {
    /// Tries one `error` at each of the first ten passes through every site.
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

    /// Tries this fault, and those given before, wherever it can happen.
    #[must_use]
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Only at these sites.
    #[must_use]
    pub fn sites(mut self, sites: SiteGlob) -> Self {
        self.sites = Some(sites);
        self
    }

    /// At no more than so many passes through each site.
    #[must_use]
    pub fn most_passes(mut self, passes: u64) -> Self {
        self.most_passes = passes;
        self
    }

    /// How long a run may take, in [`run`](Self::run).
    #[cfg(feature = "tokio")]
    #[must_use]
    pub fn within(mut self, time: std::time::Duration) -> Self {
        self.within = Some(time);
        self
    }

    /// Tries everything on async code.
    #[cfg(feature = "tokio")]
    pub async fn run<F, E>(&self, mut code: impl FnMut() -> F) -> SystematicReport
    where
        F: Future<Output = Result<(), E>>,
        E: fmt::Display,
    {
        let mut learning = Learning::new(self);
        while let Some(overlay) = learning.next() {
            learning.learn(self.outcome(overlay.run(code())).await);
        }
        let mut report = learning.report();
        for tried in &mut report.tried {
            let overlay = self.overlay_for(tried);
            let outcome = self.outcome(overlay.run(code())).await;
            tried.tell(outcome, &overlay);
        }
        report
    }

    /// Tries everything on plain code.
    pub fn run_sync<E: fmt::Display>(
        &self,
        mut code: impl FnMut() -> Result<(), E>,
    ) -> SystematicReport {
        let mut run = |overlay: &Overlay| {
            Outcome::of(catch_unwind(AssertUnwindSafe(|| {
                overlay.run_sync(&mut code)
            })))
        };
        let mut learning = Learning::new(self);
        while let Some(overlay) = learning.next() {
            let outcome = run(&overlay);
            learning.learn(outcome);
        }
        let mut report = learning.report();
        for tried in &mut report.tried {
            let overlay = self.overlay_for(tried);
            let outcome = run(&overlay);
            tried.tell(outcome, &overlay);
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

    /// An overlay whose rule hits one pass through one site.
    fn overlay_for(&self, tried: &Tried) -> Overlay {
        let one = Replay::ordinals([tried.pass - 1]).expect("one is not too many");
        let rule = rule(RULE, &tried.site, tried.fault.clone());
        let overlay = Overlay::new(&self.injector);
        overlay.put(rule.trigger(Trigger::new().replay(one)));
        overlay
    }
}

const RULE: &str = "systematic";

fn rule(id: &str, site: &str, fault: Fault) -> Rule {
    let id = id.parse().expect("an id of our own");
    let site = site.parse().expect("the name of a site");
    // A test may let hours pass.
    Rule::new(id, site, fault).lifetime(Lifetime::NEVER_ENDS)
}

/// Which sites are passed, and how often. A run may make sites that were not there before.
struct Learning<'s> {
    systematic: &'s Systematic,
    sites: Vec<&'static str>,
    overlay: Option<Overlay>,
    outcome: Outcome,
    rounds: u32,
}

impl<'s> Learning<'s> {
    fn new(systematic: &'s Systematic) -> Self {
        Self {
            systematic,
            sites: Vec::new(),
            overlay: None,
            outcome: Outcome::Passed,
            rounds: 0,
        }
    }

    /// The overlay of the next run; `None` if the last one said all.
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
            // What it would do does not matter: it is there to count, at every kind of site.
            rule(&at.to_string(), name, Fault::error(RULE)).mode(Mode::Shadow)
        });
        // A site of a macro with an `injector:` is known once anything is aimed at it.
        let any = rule("any", "**", Fault::error(RULE)).mode(Mode::Shadow);
        let replaced = overlay.replace(rules.chain([any]).collect());
        replaced.expect("the ids differ");
        self.sites = names;
        self.overlay = Some(overlay.clone());
        Some(overlay)
    }

    fn learn(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    /// All there is to try, in order.
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
                    |fault: &&Fault| kinds.iter().any(|kind| fault.surfaces().have(*kind));
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

impl Outcome {
    fn of<E: fmt::Display>(result: Result<Result<(), E>, Box<dyn Any + Send>>) -> Self {
        match result {
            Ok(Ok(())) => Self::Passed,
            Ok(Err(error)) => Self::Failed(error.to_string()),
            Err(panic) => {
                let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
                let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
                Self::Panicked(text.unwrap_or_else(|| "something that is no text".to_owned()))
            }
        }
    }

    fn is_broken(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Panicked(_) | Self::TimedOut)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::Failed(error) => write!(f, "failed: {error}"),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::TimedOut => f.write_str("timed out"),
            Self::NotReached => f.write_str("not reached"),
        }
    }
}

impl Tried {
    fn tell(&mut self, outcome: Outcome, overlay: &Overlay) {
        let is_hit = overlay
            .counts(RULE)
            .is_some_and(|counts| counts.injected > 0);
        self.outcome = match outcome {
            Outcome::Passed if !is_hit => Outcome::NotReached,
            outcome => outcome,
        };
    }
}

impl SystematicReport {
    /// What became of the run without a fault. Unless it passed, nothing was tried.
    #[must_use]
    pub fn without_fault(&self) -> &Outcome {
        &self.without
    }

    /// All that was tried, by name of the site, pass and fault.
    #[must_use]
    pub fn tried(&self) -> &[Tried] {
        &self.tried
    }

    /// What broke the code: a failure, a panic, or a run that took too long.
    pub fn broken(&self) -> impl Iterator<Item = &Tried> {
        self.tried.iter().filter(|tried| tried.outcome.is_broken())
    }

    /// Whether something was injected, and nothing broke. Where no site was passed, or only outside of
    /// the overlay, or where nothing may be injected, nothing was shown.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        let passed = |tried: &Tried| tried.outcome == Outcome::Passed;
        self.broken().next().is_none() && self.tried.iter().any(passed)
    }
}

/// A line for the whole, and one for each that broke.
impl fmt::Display for SystematicReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.without != Outcome::Passed {
            return write!(f, "without a fault: {}", self.without);
        }
        let missed = |tried: &&Tried| tried.outcome == Outcome::NotReached;
        let missed = self.tried.iter().filter(missed).count();
        let broken = self.broken().count();
        write!(f, "{broken} of {} broke it", self.tried.len())?;
        if missed > 0 {
            write!(f, ", {missed} not reached")?;
        }
        for tried in self.broken() {
            let Tried {
                site,
                pass,
                fault,
                outcome,
            } = tried;
            write!(f, "\n{site}, pass {pass}, {}: {outcome}", fault.name())?;
        }
        Ok(())
    }
}
