//! What a service must not show while faults are injected. Values that cannot be invalid; nothing is
//! measured here.

pub(crate) mod breach;
pub(crate) mod monitor;
pub(crate) mod outcomes;

use std::time::Duration;

use crate::{error::RuleError, matcher::glob::SiteGlob, trigger::rate::Rate};

/// A bound on what calls show at a site, measured in the process, over a sliding window. When it is
/// broken, the rule, or everything, is stopped at once, and stays so until someone has
/// [acknowledged](crate::Injector::acknowledge) it.
///
/// It measures at layers around HTTP and gRPC services and clients: how long a call takes to its answer,
/// and whether it failed: an error, a status of 500 or above, a gRPC status other than OK in the head of
/// the answer, or nobody there any more to hear it. While no rule with a guard rail is armed, nothing is
/// measured, and nothing costs anything.
///
/// ```
/// use std::time::Duration;
/// use chaos_core::{Fault, GuardRail, Rate, Rule};
///
/// let rail = GuardRail::new()
///     .site("http.server".parse()?)
///     .error_ratio(Rate::new(0.1)?)
///     .latency(0.99, Duration::from_millis(800))?;
/// let rule = Rule::new("slow".parse()?, "db.read".parse()?, Fault::error("lost")).guard(rail);
/// # drop(rule);
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct GuardRail {
    pub(crate) site: Option<SiteGlob>,
    pub(crate) window: Duration,
    pub(crate) at_least: u32,
    pub(crate) error_ratio: Option<Rate>,
    pub(crate) latency: Option<(f64, Duration)>,
    pub(crate) over_baseline: bool,
    pub(crate) then: Then,
}

/// What is stopped when a bound is broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Then {
    /// Everything, as by [`halt`](crate::Injector::halt).
    #[default]
    Halt,
    /// The rule that the guard rail belongs to: it is switched off. Of a policy's, everything.
    Disarm,
}

impl Default for GuardRail {
    fn default() -> Self {
        Self {
            site: None,
            window: Duration::from_secs(10),
            at_least: 20,
            error_ratio: None,
            latency: None,
            over_baseline: false,
            then: Then::default(),
        }
    }
}

impl GuardRail {
    /// Ten seconds of calls, twenty of them at least; without a bound yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Where it measures: all calls of these sites together. Without this, where the rule aims.
    #[must_use]
    pub fn site(mut self, site: SiteGlob) -> Self {
        self.site = Some(site);
        self
    }

    /// How far back it looks: 1 second to 10 minutes, in tenths.
    ///
    /// # Errors
    /// Outside of that.
    pub fn window(mut self, window: Duration) -> Result<Self, RuleError> {
        if window < Duration::from_secs(1) || window > Duration::from_secs(600) {
            let problem = format!("{window:?} is no window");
            return Err(RuleError::new("window", problem, "1s to 10m"));
        }
        self.window = window;
        Ok(self)
    }

    /// How many calls there must be in the window before it judges.
    #[must_use]
    pub fn at_least(mut self, calls: u32) -> Self {
        self.at_least = calls;
        self
    }

    /// At most this share of calls may fail.
    #[must_use]
    pub fn error_ratio(mut self, ratio: Rate) -> Self {
        self.error_ratio = Some(ratio);
        self
    }

    /// This quantile of latencies may be so long at most: `0.99` for the p99. A call that is not answered
    /// yet counts as soon as it has taken longer.
    ///
    /// # Errors
    /// If the quantile is not above 0 and below 1.
    pub fn latency(mut self, quantile: f64, longest: Duration) -> Result<Self, RuleError> {
        if quantile > 0.0 && quantile < 1.0 {
            self.latency = Some((quantile, longest));
            return Ok(self);
        }
        let problem = format!("{quantile} is no quantile");
        Err(RuleError::new("latency", problem, "above 0 and below 1"))
    }

    /// Takes the bounds as what is allowed on top of what the un-injected calls of the same window show.
    /// With fewer than [`at_least`](Self::at_least) of those, but as many of the others, on top of nothing:
    /// then they hold as they stand.
    ///
    /// A call is injected if something was injected on it here, or at another site of this process while
    /// it was served, in its own task.
    #[must_use]
    pub fn over_baseline(mut self) -> Self {
        self.over_baseline = true;
        self
    }

    /// What is stopped.
    #[must_use]
    pub fn then(mut self, then: Then) -> Self {
        self.then = then;
        self
    }

    /// Whether there is anything to measure.
    pub(crate) fn check(&self) -> Result<(), RuleError> {
        if self.error_ratio.is_some() || self.latency.is_some() {
            return Ok(());
        }
        let allowed = "error_ratio, latency or both";
        Err(RuleError::new(
            "guards",
            "a guard rail without a bound",
            allowed,
        ))
    }
}
