//! A broken bound: what was measured, and what was allowed.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use crate::name::RuleId;

/// A broken bound, with the values that the guard rail measured.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Breach {
    /// The rule that the guard rail belongs to; `None` if it is the policy's.
    pub rule: Option<RuleId>,
    /// The site at which it measured, or the pattern of sites.
    pub site: String,
    /// The quantity that was measured.
    pub measure: Measure,
    /// The measured value: a fraction from 0 to 1 for an error ratio, seconds for a latency.
    pub measured: f64,
    /// The value of the calls in the same window that were not injected, if there were enough of
    /// them. It has the unit of `measured`.
    pub baseline: Option<f64>,
    /// The allowed value in the unit of `measured`, on top of the baseline if `over_baseline` is
    /// set.
    pub allowed: f64,
    /// The most that the baseline counts for, in the unit of `measured`, if `baseline` is above it.
    pub max_baseline: Option<f64>,
    /// Whether the bound is relative to the baseline.
    pub over_baseline: bool,
    /// How many calls were in the window.
    pub calls: u64,
    /// How many of them were injected.
    pub injected: u64,
    /// The length of the window.
    pub window: Duration,
}

/// A quantity that a guard rail measures.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Measure {
    /// The fraction of calls that failed.
    ErrorRatio,
    /// A quantile of the latencies to the head of the response, above 0 and below 1.
    Latency(f64),
    /// A quantile of the latencies to the end of the body of the response, above 0 and below 1.
    LatencyToEnd(f64),
}

impl Measure {
    /// Returns the name of the measure in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ErrorRatio => "error_ratio",
            Self::Latency(_) => "latency",
            Self::LatencyToEnd(_) => "latency_to_end",
        }
    }

    /// Returns the quantile of a latency; `None` for an error ratio.
    #[must_use]
    pub const fn quantile(self) -> Option<f64> {
        match self {
            Self::ErrorRatio => None,
            Self::Latency(quantile) | Self::LatencyToEnd(quantile) => Some(quantile),
        }
    }
}

/// A breach that nobody has acknowledged. `Display` writes the sentence of the breach.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OpenBreach {
    /// What was measured, and what was allowed.
    pub breach: Breach,
    /// The time of day at which the bound was broken, by the injector's clock.
    pub at: SystemTime,
}

impl fmt::Display for OpenBreach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.breach.fmt(f)
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { site, measure, .. } = self;
        let number = |number: f64| match measure {
            Measure::ErrorRatio => format!("{number:.3}"),
            Measure::Latency(_) | Measure::LatencyToEnd(_) => format!("{:.1} ms", number * 1e3),
        };
        match measure {
            Measure::ErrorRatio => write!(f, "error ratio at {site}")?,
            Measure::Latency(quantile) => write!(f, "latency p{} at {site}", quantile * 100.0)?,
            Measure::LatencyToEnd(quantile) => {
                write!(f, "latency to the end p{} at {site}", quantile * 100.0)?;
            }
        }
        write!(f, " is {}", number(self.measured))?;
        if let Some(baseline) = self.baseline {
            write!(f, "; un-injected calls: {}", number(baseline))?;
        }
        if let Some(most) = self.max_baseline {
            write!(f, ", which count for {}", number(most))?;
        }
        let above = if self.over_baseline {
            " above them"
        } else {
            ""
        };
        write!(
            f,
            "; allowed: {}{above} ({} calls in {:?}, {} injected)",
            number(self.allowed),
            self.calls,
            self.window,
            self.injected,
        )
    }
}
