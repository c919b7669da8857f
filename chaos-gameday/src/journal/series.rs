//! What is drawn: samples over time, as many as a journal can hold.

use std::mem::Discriminant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{experiment::Stage, statistics::Group, verdict::ProbeOutcome};

/// The most samples of a series. With more, each two neighbours become one: an hour has one each second, two hours have one
/// each two seconds.
const MOST: usize = 3600;

/// The most samples of all sites and rules together. The journal is written whole each second.
const MOST_OF_SITES: usize = 4 * MOST;

/// What came of a probe over time.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ProbeSeries {
    /// The name of the probe.
    pub probe: String,
    /// The samples, in order of time.
    pub samples: Vec<ProbeSample>,
    /// How many answers go into a sample.
    pub merged: u64,
    #[serde(skip)]
    filled: u64,
    #[serde(skip)]
    pub(super) last: Option<(Stage, Discriminant<ProbeOutcome>)>,
}

/// What came of a probe at a time.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct ProbeSample {
    /// The seconds since the start of the run.
    pub at: f64,
    /// How often the probe was asked.
    pub asked: u64,
    /// How often it held.
    pub held: u64,
    /// How often it could not be asked.
    #[serde(default)]
    pub unanswered: u64,
    /// How often it could not be decided.
    #[serde(default)]
    pub undecided: u64,
    /// What is drawn of it: the seconds that an HTTP request took, or a number; the greatest of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

/// How the calls of a site fared over time, as a rule sees them.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SiteSeries {
    /// The name of the site.
    pub site: String,
    /// The id of the rule.
    pub rule: String,
    /// The samples, in order of time.
    pub samples: Vec<SiteSample>,
    /// How many samples have become one.
    pub merged: u64,
    #[serde(skip)]
    filled: u64,
}

/// How the calls of a site fared at a time. Each call is counted once.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct SiteSample {
    /// The seconds since the start of the run.
    pub at: f64,
    /// The calls that the rule hit.
    pub hit: SampleCounts,
    /// The other calls: those that it spared, and those that it did not match. While it is not armed, they are all calls.
    pub others: SampleCounts,
}

/// How some calls fared.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct SampleCounts {
    /// The number of calls.
    pub calls: u64,
    /// The number of those that failed.
    pub failed: u64,
    /// The median of their latencies in nanoseconds; the greatest of several samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50: Option<u64>,
    /// The quantile 0.99 of their latencies in nanoseconds; the greatest of several samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99: Option<u64>,
}

impl SampleCounts {
    /// Returns what is kept of a group of calls.
    #[must_use]
    pub fn of(group: &Group) -> Self {
        let nanos = |quantile| group.quantile(quantile).map(|it| it.at_most);
        Self {
            calls: group.calls,
            failed: group.failed,
            p50: nanos(0.5),
            p99: nanos(0.99),
        }
    }

    /// Puts two of them together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            calls: self.calls + other.calls,
            failed: self.failed + other.failed,
            p50: self.p50.max(other.p50),
            p99: self.p99.max(other.p99),
        }
    }
}

impl ProbeSample {
    pub(super) fn of(outcome: &ProbeOutcome, at: f64, value: Option<f64>) -> Self {
        let times = |is_so| u64::from(is_so);
        Self {
            at,
            asked: 1,
            held: times(matches!(outcome, ProbeOutcome::Held)),
            unanswered: times(matches!(outcome, ProbeOutcome::Unanswered(_))),
            undecided: times(matches!(outcome, ProbeOutcome::Undecided(_))),
            value,
        }
    }

    /// Returns how often the probe was answered otherwise than it should be.
    pub(crate) fn deviated(&self) -> u64 {
        let others = self.held + self.unanswered + self.undecided;
        self.asked.saturating_sub(others)
    }

    pub(crate) fn and(self, other: Self) -> Self {
        let greater = |a: f64, b: f64| a.max(b);
        Self {
            at: self.at,
            asked: self.asked + other.asked,
            held: self.held + other.held,
            unanswered: self.unanswered + other.unanswered,
            undecided: self.undecided + other.undecided,
            value: match (self.value, other.value) {
                (Some(one), Some(other)) => Some(greater(one, other)),
                (one, other) => one.or(other),
            },
        }
    }
}

impl SiteSample {
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            at: self.at,
            hit: self.hit.and(other.hit),
            others: self.others.and(other.others),
        }
    }
}

impl ProbeSeries {
    pub(super) fn new(probe: &str) -> Self {
        Self {
            probe: probe.into(),
            samples: Vec::new(),
            merged: 1,
            filled: 0,
            last: None,
        }
    }

    pub(super) fn add(&mut self, sample: ProbeSample) {
        let Self {
            samples,
            merged,
            filled,
            ..
        } = self;
        add(samples, merged, filled, MOST, sample, ProbeSample::and);
    }
}

impl SiteSeries {
    pub(super) fn new(site: &str, rule: &str) -> Self {
        Self {
            site: site.into(),
            rule: rule.into(),
            samples: Vec::new(),
            merged: 1,
            filled: 0,
        }
    }

    /// Adds a sample; `all` is the number of series that share the room.
    pub(super) fn add(&mut self, sample: SiteSample, all: usize) {
        let Self {
            samples,
            merged,
            filled,
            ..
        } = self;
        let most = MOST.min(MOST_OF_SITES / all);
        add(samples, merged, filled, most, sample, SiteSample::and);
    }
}

/// Adds a sample. `merged` is how many go into one, `filled` how many the last one has, and `most` how many are kept.
fn add<S: Copy>(
    samples: &mut Vec<S>,
    merged: &mut u64,
    filled: &mut u64,
    most: usize,
    sample: S,
    and: fn(S, S) -> S,
) {
    match samples.last_mut() {
        Some(last) if *filled < *merged => {
            *last = and(*last, sample);
            *filled += 1;
        }
        _ => {
            samples.push(sample);
            *filled = 1;
        }
    }
    while samples.len() > most {
        // The last one may have no neighbour.
        if samples.len().is_multiple_of(2) {
            *filled += *merged;
        }
        let pairs = samples
            .chunks(2)
            .filter_map(|pair| pair.iter().copied().reduce(and));
        *samples = pairs.collect();
        *merged *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_series_share_their_room() {
        let mut site = SiteSeries::new("a", "b");
        let hit = SampleCounts {
            calls: 1,
            ..SampleCounts::default()
        };
        let others = SampleCounts::default();
        for at in 0..5_000_u32 {
            // The others come later.
            let all = if at < 3_000 { 1 } else { 64 };
            let at = f64::from(at);
            site.add(SiteSample { at, hit, others }, all);
            assert!(site.samples.len() * all <= MOST_OF_SITES);
            let (last, full) = site.samples.split_last().unwrap();
            let is_full = |it: &SiteSample| it.hit.calls == site.merged;
            assert!(full.iter().all(is_full), "at {at}");
            assert_eq!(last.hit.calls, site.filled);
        }
        let calls: u64 = site.samples.iter().map(|it| it.hit.calls).sum();
        assert_eq!(calls, 5_000);
    }

    #[test]
    fn a_series_is_bounded_and_loses_no_count() {
        let (mut probe, mut site) = (ProbeSeries::new("a"), SiteSeries::new("b", "c"));
        for at in 0..20_000_u32 {
            let at = f64::from(at);
            let outcome = match at != 77.0 {
                true => ProbeOutcome::Held,
                false => ProbeOutcome::Unanswered("away".into()),
            };
            probe.add(ProbeSample::of(&outcome, at, Some(at)));
            let hit = SampleCounts {
                calls: 2,
                failed: 1,
                p50: Some(at as u64),
                p99: None,
            };
            let others = SampleCounts::default();
            site.add(SiteSample { at, hit, others }, 1);
            assert!(probe.samples.len() <= MOST && site.samples.len() <= MOST);
        }
        assert_eq!((probe.merged, site.merged), (8, 8));
        let asked: u64 = probe.samples.iter().map(|it| it.asked).sum();
        let held: u64 = probe.samples.iter().map(|it| it.held).sum();
        let unanswered: u64 = probe.samples.iter().map(|it| it.unanswered).sum();
        assert_eq!(unanswered, 1);
        let hit: u64 = site.samples.iter().map(|it| it.hit.calls).sum();
        assert_eq!((asked, held, hit), (20_000, 19_999, 40_000));
        let gaps = probe.samples.windows(2).map(|pair| pair[1].at - pair[0].at);
        assert!(gaps.into_iter().all(|gap| gap == 8.0));
        assert_eq!(probe.samples.last().unwrap().value, Some(19_999.0));
    }
}
