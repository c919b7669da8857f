//! Guard rails: bounds on what a service may show while faults are injected. These types hold valid
//! bounds only; they measure nothing.

pub(crate) mod breach;
pub(crate) mod injected_by;
pub(crate) mod monitor;
pub(crate) mod outcomes;
pub(crate) mod under_way;

#[cfg(test)]
mod tests;

pub use self::breach::{Breach, Measure, OpenBreach};

use std::time::Duration;

use crate::{error::RuleError, matcher::glob::SiteGlob, trigger::rate::Rate};

/// A bound on the error ratio or the latency of calls at a site, measured in this process over a
/// sliding window.
///
/// When the bound is broken, the rule or all injection is stopped at once, and stays stopped until
/// someone [acknowledges](crate::Injector::acknowledge) the breach.
///
/// Guard rails measure at layers around HTTP and gRPC services and clients. The
/// [`latency`](Self::latency) of a call is the time until the head of its response, and its
/// [`latency_to_end`](Self::latency_to_end) the time until the end of the body. A call has failed if it
/// ended with an error, with a status of 500 or above, with a gRPC status other than OK in the head of the response or in its
/// trailers, or with a response that was cut off: by a fault, or because the body of the handler or of the
/// server failed. A call that was injected and has had no
/// answer for half of the window counts as failed too, whether it is still held or its caller has
/// left by then. A caller who leaves sooner counts only as late, and only beyond the latency bound; one who
/// leaves amid the body is no failure.
/// Nothing is measured, at no cost, while no rule with a guard rail is armed.
///
/// # Whose calls count
///
/// A guard rail shows what the callers of the service see, so it counts all calls at its sites, whichever
/// rule has injected into them, and those that failed without any injection. Two kinds are left out:
///
/// - Calls that are [exempt](crate::matcher::Exemptions) and were not hit.
/// - For the guard rail of a rule: calls into which an [`Overlay`](crate::Overlay) or a token has injected, at
///   this site or at another site of this process in the same task. They are the calls of the owner of the
///   overlay or the token, and show nothing about other callers. The guard rails of a
///   [`Policy`](crate::Policy) count them, because they protect the process.
///
/// A caller's own bad requests count too, if the service answers them with a failure. So set the bound above
/// what the service shows without faults, ask for enough calls ([`at_least`](Self::at_least)) that no single
/// caller decides, or use [`over_baseline`](Self::over_baseline) and let the rule aim at what such callers do not
/// ask for. A service that answers bad requests with 4xx, as it should, is not concerned: only a status of 500
/// or above is a failure.
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
    pub(crate) latency_to_end: Option<(f64, Duration)>,
    pub(crate) over_baseline: bool,
    pub(crate) max_baseline_error_ratio: Rate,
    pub(crate) max_baseline_latency: Duration,
    pub(crate) then: Then,
}

/// Selects what a broken bound stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Then {
    /// All injection, as [`halt`](crate::Injector::halt) does.
    #[default]
    Halt,
    /// The rule that the guard rail belongs to, which is disarmed. For a guard rail of a policy,
    /// all injection.
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
            latency_to_end: None,
            over_baseline: false,
            max_baseline_error_ratio: Rate::new(0.5).expect("a half is a rate"),
            max_baseline_latency: Duration::from_secs(10),
            then: Then::default(),
        }
    }
}

impl GuardRail {
    /// Creates a guard rail without a bound, with a window of 10 seconds that needs at least 20
    /// calls.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the sites at which it measures, all of their calls together. Without this, it measures
    /// at the sites of its rule.
    #[must_use]
    pub fn site(mut self, site: SiteGlob) -> Self {
        self.site = Some(site);
        self
    }

    /// Sets the length of the sliding window, from 1 second to 10 minutes. It moves in tenths of
    /// its length. The default is 10 seconds.
    ///
    /// # Errors
    /// Returns an error if `window` is shorter than 1 second or longer than 10 minutes.
    pub fn window(mut self, window: Duration) -> Result<Self, RuleError> {
        if window < Duration::from_secs(1) || window > Duration::from_secs(600) {
            let problem = format!("{window:?} is out of range");
            return Err(RuleError::new("window", problem, "1s to 10m"));
        }
        self.window = window;
        Ok(self)
    }

    /// Sets how many calls the window must hold before the bound applies. The default is 20.
    #[must_use]
    pub fn at_least(mut self, calls: u32) -> Self {
        self.at_least = calls;
        self
    }

    /// Sets the greatest fraction of calls that may fail.
    #[must_use]
    pub fn error_ratio(mut self, ratio: Rate) -> Self {
        self.error_ratio = Some(ratio);
        self
    }

    /// Sets the longest that a quantile of the latencies to the head of the response may be; a quantile of
    /// `0.99` is the p99. A call without a response counts as soon as it has taken longer than `longest`.
    ///
    /// # Errors
    /// Returns an error if `quantile` is not above 0 and below 1.
    pub fn latency(mut self, quantile: f64, longest: Duration) -> Result<Self, RuleError> {
        self.latency = Some((checked("latency", quantile)?, longest));
        Ok(self)
    }

    /// Sets the longest that a quantile of the latencies to the end of the response's body may be; a quantile of
    /// `0.99` is the p99. A call that has not ended counts as soon as it has taken longer than `longest`.
    ///
    /// A body ends, well or not, when its last frame is taken, by a server that sends it or a caller who reads
    /// it: so a slow reader counts. A call without a body ends with its head. A reader who leaves amid the body
    /// counts only if the call has taken longer than `longest` by then, or was injected and has lasted for more
    /// than half of the window.
    ///
    /// # Errors
    /// Returns an error if `quantile` is not above 0 and below 1.
    pub fn latency_to_end(mut self, quantile: f64, longest: Duration) -> Result<Self, RuleError> {
        self.latency_to_end = Some((checked("latency_to_end", quantile)?, longest));
        Ok(self)
    }

    /// Makes the bounds relative to the calls in the same window that were not injected: what those
    /// show is the baseline, and the bounds are what is allowed on top of it.
    ///
    /// While there are fewer than [`at_least`](Self::at_least) such calls, but at least as many
    /// that were injected, the baseline is 0, so the bounds hold as they are. While there are fewer
    /// of both, no bound applies.
    ///
    /// A call counts as injected if a fault was injected into it at this site, or, while it was
    /// served, at another site of this process in the same task.
    ///
    /// Callers whose own requests fail or are slow are in the baseline too. So that they cannot raise it until
    /// nothing trips, the baseline counts for no more than
    /// [`max_baseline_error_ratio`](Self::max_baseline_error_ratio) and
    /// [`max_baseline_latency`](Self::max_baseline_latency).
    #[must_use]
    pub fn over_baseline(mut self) -> Self {
        self.over_baseline = true;
        self
    }

    /// Sets the greatest error ratio that a baseline counts for. The default is 0.5: where more than half of the
    /// calls fail that nobody injects into, a guard rail cannot tell what a fault does.
    #[must_use]
    pub fn max_baseline_error_ratio(mut self, ratio: Rate) -> Self {
        self.max_baseline_error_ratio = ratio;
        self
    }

    /// Sets the longest latency that a baseline counts for, to the head and to the end alike. The default
    /// is 10 seconds.
    #[must_use]
    pub fn max_baseline_latency(mut self, longest: Duration) -> Self {
        self.max_baseline_latency = longest;
        self
    }

    /// Sets what a broken bound stops. The default is [`Then::Halt`].
    #[must_use]
    pub fn then(mut self, then: Then) -> Self {
        self.then = then;
        self
    }

    /// Returns how long an injected call may be without an answer before it counts as failed.
    pub(crate) fn answered_within(&self) -> Duration {
        self.window / 2
    }

    /// Checks that there is a bound.
    pub(crate) fn check(&self) -> Result<(), RuleError> {
        if self.error_ratio.is_some() || self.bounds_latency() {
            return Ok(());
        }
        Err(RuleError::new(
            "guards",
            "a guard rail without a bound",
            BOUNDS,
        ))
    }

    /// Returns whether it bounds a latency, to the head or to the end.
    pub(crate) fn bounds_latency(&self) -> bool {
        self.latency.is_some() || self.latency_to_end.is_some()
    }
}

/// The bounds of which a guard rail has at least one.
pub(crate) const BOUNDS: &str = "error_ratio, latency, latency_to_end or several of them";

fn checked(field: &'static str, quantile: f64) -> Result<f64, RuleError> {
    if quantile > 0.0 && quantile < 1.0 {
        return Ok(quantile);
    }
    let problem = format!("{quantile} is not a quantile");
    Err(RuleError::new(field, problem, "above 0 and below 1"))
}
