//! That a bound was broken, and by how much.

use std::{fmt, time::Duration};

use crate::name::RuleId;

/// What a guard rail saw when its bound was broken.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Breach {
    /// The rule that it belongs to; `None` for the policy.
    pub rule: Option<RuleId>,
    /// Where it measured: a site, or a pattern of sites.
    pub site: String,
    /// What was measured.
    pub measure: Measure,
    /// What it was: a share, or seconds.
    pub measured: f64,
    /// What the un-injected calls of the same window showed, if there were enough of them.
    pub baseline: Option<f64>,
    /// What was allowed, on top of the baseline if the guard rail says so.
    pub allowed: f64,
    /// Whether it does.
    pub over_baseline: bool,
    /// The calls in the window.
    pub calls: u64,
    /// Those among them that were injected.
    pub injected: u64,
    /// How far back it looked.
    pub window: Duration,
}

/// What a guard rail measures.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Measure {
    /// The share of calls that failed.
    ErrorRatio,
    /// A quantile of latencies.
    Latency(f64),
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { site, measure, .. } = self;
        let number = |number: f64| match measure {
            Measure::ErrorRatio => format!("{number:.3}"),
            Measure::Latency(_) => format!("{:.1} ms", number * 1e3),
        };
        match measure {
            Measure::ErrorRatio => write!(f, "error ratio at {site}")?,
            Measure::Latency(quantile) => write!(f, "latency p{} at {site}", quantile * 100.0)?,
        }
        write!(f, " is {}", number(self.measured))?;
        if let Some(baseline) = self.baseline {
            write!(f, " against {} of un-injected calls", number(baseline))?;
        }
        let on_top = if self.over_baseline { " more" } else { "" };
        write!(
            f,
            ", allowed are {}{on_top} ({} calls in {:?}, {} injected)",
            number(self.allowed),
            self.calls,
            self.window,
            self.injected,
        )
    }
}
