//! What a probe shows that is judged by the service's own counts.

use chaos_gameday::{Compare, Group, ProbeOutcome, SiteExpect, judge_comparison, judge_site};
use serde_json::{Value, json};

use crate::commands::run::{ask::ProbeAnswer, groups::SiteOutcome};

/// Judges all calls of a site since the beginning of the stage.
pub(super) fn judge(calls: Option<&Group>, expect: &SiteExpect) -> ProbeAnswer {
    let none = Group::default();
    let calls = calls.unwrap_or(&none);
    ProbeAnswer {
        output: shown(calls),
        drawn: calls.error_ratio(),
        outcome: judge_site(expect, calls),
    }
}

/// Judges the calls of a site that a rule hit against those that it spared.
pub(super) fn compare(outcome: Option<&SiteOutcome>, compare: &Compare) -> ProbeAnswer {
    let none = SiteOutcome::default();
    let SiteOutcome {
        hit, spared, keys, ..
    } = outcome.unwrap_or(&none);
    let keys = (!keys.is_empty()).then_some(&keys[..]);
    let outcome: ProbeOutcome = judge_comparison(compare, hit, spared, keys);
    let ratios = hit.error_ratio().zip(spared.error_ratio());
    ProbeAnswer {
        output: json!({ "hit": shown(hit), "spared": shown(spared) }),
        drawn: ratios.map(|(hit, spared)| hit - spared),
        outcome,
    }
}

fn shown(calls: &Group) -> Value {
    let seconds = |quantile| calls.quantile(quantile).map(|it| it.at_most as f64 / 1e9);
    json!({
        "calls": calls.calls,
        "failed": calls.failed,
        "p50": seconds(0.5),
        "p99": seconds(0.99),
    })
}
