//! How much worse calls fare that are hit, with a 95 % interval.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{group::Group, quantile::Quantile};

/// The normal quantile 0.975.
pub(super) const Z: f64 = 1.959_963_984_540_054;

/// How much worse the calls fare that are hit than those that are spared, with a 95 % interval.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// Hit minus spared: a part of the calls, or nanoseconds.
    pub estimate: f64,
    /// The lower end of the interval; minus infinity, which JSON writes as `null`, if there are too few calls to know one.
    #[serde(deserialize_with = "or_minus_infinity")]
    #[schemars(with = "Option<f64>")]
    pub lower: f64,
    /// The upper end of the interval; infinity, which JSON writes as `null`, if there are too few calls to know one.
    #[serde(deserialize_with = "or_infinity")]
    #[schemars(with = "Option<f64>")]
    pub upper: f64,
    /// How the interval was found.
    pub method: Method,
}

/// How an interval was found.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Method {
    /// Newcombe's hybrid of Wilson's score intervals, each call for itself.
    Newcombe,
    /// Newcombe's interval by the number of independent calls that the spread over groups of keys shows, with Student's t.
    KeyGroups,
    /// Order statistics of both groups, put together as Newcombe does, and the widths of the buckets of their histograms.
    OrderStatistics,
}

/// What an interval says of a bound.
///
/// This enum is closed: it is the answer of a comparison.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The whole interval is within the bound.
    Holds,
    /// The whole interval is beyond the bound.
    DoesNotHold,
    /// The interval has the bound inside: more calls would tell.
    Undecided,
}

impl Difference {
    /// Returns what the interval says of a bound, the greatest difference that holds.
    #[must_use]
    pub fn against(&self, bound: f64) -> Finding {
        if self.upper <= bound {
            Finding::Holds
        } else if self.lower > bound {
            Finding::DoesNotHold
        } else {
            Finding::Undecided
        }
    }

    /// Puts two intervals together: (estimate, lower, upper) of each.
    pub(super) fn of(hit: (f64, f64, f64), spared: (f64, f64, f64), method: Method) -> Self {
        let estimate = hit.0 - spared.0;
        Self {
            estimate,
            lower: estimate - (hit.0 - hit.1).hypot(spared.2 - spared.0),
            upper: estimate + (hit.2 - hit.0).hypot(spared.0 - spared.1),
            method,
        }
    }
}

/// Returns the difference of the error ratios, hit minus spared, with Newcombe's interval (1998, method 10); `None` if a group
/// has no calls. Calls have to be independent: for a rule with a key, see
/// [`error_ratio_difference_by_keys`](super::error_ratio_difference_by_keys).
#[must_use]
pub fn error_ratio_difference(hit: &Group, spared: &Group) -> Option<Difference> {
    let interval = |group: &Group| Some(wilson(group.error_ratio()?, group.calls as f64, Z));
    let (hit, spared) = (interval(hit)?, interval(spared)?);
    Some(Difference::of(hit, spared, Method::Newcombe))
}

/// Returns the difference of a quantile of the latencies in nanoseconds, hit minus spared; `None` if a group has no latencies.
/// Calls have to be independent.
///
/// A latency may be anywhere in its bucket, for all calls alike. So the widths of the buckets are added to the interval as they
/// are, and only what chance adds is put together as Newcombe does.
#[must_use]
pub fn quantile_difference(hit: &Group, spared: &Group, quantile: f64) -> Option<Difference> {
    let (hit, spared) = (hit.quantile(quantile)?, spared.quantile(quantile)?);
    let below = |found: &Quantile| match found.lower {
        Some(lower) => found.at_least as f64 - lower as f64,
        None => f64::INFINITY,
    };
    let above = |found: &Quantile| match found.upper {
        Some(upper) => upper as f64 - found.at_most as f64,
        None => f64::INFINITY,
    };
    let least = hit.at_least as f64 - spared.at_most as f64;
    let most = hit.at_most as f64 - spared.at_least as f64;
    Some(Difference {
        estimate: least.midpoint(most),
        lower: least - below(&hit).hypot(above(&spared)),
        upper: most + above(&hit).hypot(below(&spared)),
        method: Method::OrderStatistics,
    })
}

/// Wilson's score interval of a ratio: the ratio, and the ends.
pub(super) fn wilson(ratio: f64, calls: f64, z: f64) -> (f64, f64, f64) {
    let z2 = z * z;
    let middle = ratio + z2 / (2.0 * calls);
    let half = z * (ratio * (1.0 - ratio) / calls + z2 / (4.0 * calls * calls)).sqrt();
    let whole = 1.0 + z2 / calls;
    // The ends of a ratio of 0 or 1 are itself, but for the last bit.
    let lower = ((middle - half) / whole).clamp(0.0, ratio);
    let upper = ((middle + half) / whole).clamp(ratio, 1.0);
    (ratio, lower, upper)
}

fn or_minus_infinity<'de, D: serde::Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::NEG_INFINITY))
}

fn or_infinity<'de, D: serde::Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::INFINITY))
}
