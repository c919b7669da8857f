//! `RuleOutcomes`: what was counted for an observed rule.

use std::time::{Duration, SystemTime};

use super::site_watch::{CallFigures, CallLatency};
use crate::{
    call::meter::CallStats,
    hub::observations::{
        key_counts::KeyOutcomes,
        observed_site::{ObservedSite, OutcomeReading},
    },
    name::RuleId,
};

/// What was counted for a rule since it is [observed](crate::Injector::observe_outcomes).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RuleOutcomes {
    /// The id of the rule.
    pub rule: RuleId,
    /// The time of day at which the observation began.
    pub since: SystemTime,
    /// Whether the rule is not armed any more: disabled, deleted or expired, or its leash is over. A halt leaves it armed.
    pub is_over: bool,
    /// The observed sites, in the order in which they were named.
    pub sites: Vec<SiteOutcomes>,
}

/// What was counted at one site for an observed rule.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SiteOutcomes {
    /// The name of the site. Several sites of one name are counted together.
    pub site: String,
    /// The calls into which the rule has injected, or into a call below them.
    pub hit: OutcomeGroup,
    /// The calls in which the rule matched at least one call, at this site or below, and injected into none.
    pub spared: OutcomeGroup,
    /// All other calls; `None` at a site in code, where they are not counted.
    pub unmatched: Option<OutcomeGroup>,
    /// The calls by 64 groups of keys; `None` if the rule had no key when the observation began. Calls of one key are in one
    /// group, so differences between groups show by how much the outcomes of keys differ.
    pub keys: Option<Vec<KeyOutcomes>>,
}

/// The calls of one group: unmatched, spared or hit.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct OutcomeGroup {
    /// How many calls there were.
    pub calls: u64,
    /// How many of them have failed: by an error, a status of 500 or more, or a status of gRPC that is no success and comes
    /// with the head, or because the caller left before the head. It is 0 at a site in code.
    pub failed: u64,
    /// How long the calls took; `None` without calls, and at a site in code.
    pub latency: Option<CallLatency>,
    /// How many calls took how long: the time that no call of a bucket reaches, and the number of calls, for each bucket with
    /// calls, the shortest first. A bucket is at most 6.25 percent wide, or 64 nanoseconds. The last possible one, which
    /// begins after a day, also has all calls that took longer.
    pub histogram: Vec<(Duration, u64)>,
}

impl SiteOutcomes {
    pub(super) fn of(site: &ObservedSite) -> Self {
        let OutcomeReading {
            unmatched,
            spared,
            hit,
            keys,
        } = site.read();
        Self {
            site: site.name.to_string(),
            hit: OutcomeGroup::of(&hit),
            spared: OutcomeGroup::of(&spared),
            unmatched: (!site.is_in_code).then(|| OutcomeGroup::of(&unmatched)),
            keys,
        }
    }
}

impl OutcomeGroup {
    fn of(stats: &CallStats) -> Self {
        let CallFigures {
            calls,
            failed,
            latency,
        } = CallFigures::of(stats);
        let histogram = stats.histogram();
        Self {
            calls,
            failed,
            latency,
            histogram: histogram
                .map(|(nanos, calls)| (Duration::from_nanos(nanos), calls))
                .collect(),
        }
    }
}
