//! What the counts of a site say of a probe.

use std::time::Duration;

use crate::{
    experiment::{Compare, QuantileBound, SiteExpect},
    span::Span,
    statistics::{
        Difference, Finding, Group, KeyGroup, error_ratio_difference,
        error_ratio_difference_by_keys, quantile_difference,
    },
    verdict::ProbeOutcome,
};

/// Returns what the calls of a site say of what is expected of them. Without calls, the site could not be asked. It is undecided
/// if a latency is in one bucket with its bound, which is at most 6.25 % or 64 nanoseconds wide.
#[must_use]
pub fn judge_site(expect: &SiteExpect, calls: &Group) -> ProbeOutcome {
    let Some(ratio) = calls.error_ratio() else {
        return ProbeOutcome::Unanswered("no call was counted".into());
    };
    let (mut unmet, mut undecided) = (Vec::new(), Vec::new());
    if let Some(most) = expect.error_ratio
        && ratio > most
    {
        let (failed, all) = (calls.failed, calls.calls);
        unmet.push(format!(
            "{failed} of {all} calls failed, more than {}",
            percent(most)
        ));
    }
    for bound in &expect.latency {
        let Some(found) = calls.quantile(bound.quantile) else {
            return ProbeOutcome::Unanswered("no latency was counted".into());
        };
        let [least, most] = [found.at_least, found.at_most].map(Duration::from_nanos);
        let (name, at_most) = (bound.name(), bound.at_most);
        if least > at_most {
            let found = format!("at least {}", millis(found.at_least as f64));
            unmet.push(format!("{name} is {found}, more than {}", Span(at_most)));
        } else if most > at_most {
            let [least, most] = [found.at_least, found.at_most].map(|it| millis(it as f64));
            undecided.push(format!(
                "{name} is from {least} to {most}, which is not told apart from {}",
                Span(at_most)
            ));
        }
    }
    if unmet.is_empty() && undecided.is_empty() {
        return ProbeOutcome::Held;
    }
    if unmet.is_empty() {
        return ProbeOutcome::Undecided(undecided.join("; "));
    }
    ProbeOutcome::NotHeld(unmet.join("; "))
}

/// Returns what the calls say that a rule hit and spared. It holds if the whole 95 % interval of each difference is within
/// its bound, and does not if one is wholly beyond. `keys` has the same calls by groups of keys if the rule has a key: latencies
/// are undecided then.
#[must_use]
pub fn judge_comparison(
    compare: &Compare,
    hit: &Group,
    spared: &Group,
    keys: Option<&[KeyGroup]>,
) -> ProbeOutcome {
    if hit.calls == 0 || spared.calls == 0 {
        let (hit, spared) = (hit.calls, spared.calls);
        let problem = format!("{hit} calls were hit and {spared} were spared");
        return ProbeOutcome::Unanswered(problem);
    }
    let (mut beyond, mut undecided) = (Vec::new(), Vec::new());
    let mut take =
        |what: &str, found: Option<Difference>, bound: f64, text: &dyn Fn(f64) -> String| {
            let Some(found) = found else {
                undecided.push(format!("{what} is not known"));
                return;
            };
            let (from, to) = (text(found.lower), text(found.upper));
            let says = format!(
                "{what} differs by {from} to {to}, where {} is allowed",
                text(bound)
            );
            match found.against(bound) {
                Finding::Holds => {}
                Finding::DoesNotHold => beyond.push(says),
                Finding::Undecided => undecided.push(says),
            }
        };
    if let Some(bound) = compare.error_ratio {
        let found = match keys {
            Some(groups) => error_ratio_difference_by_keys(groups),
            None => error_ratio_difference(hit, spared),
        };
        take("the error ratio", found, bound, &percent);
    }
    for QuantileBound { quantile, at_most } in &compare.latency {
        let name = QuantileBound {
            quantile: *quantile,
            at_most: *at_most,
        }
        .name();
        // The calls of a key depend on each other, and order statistics take each call for itself.
        let found = match keys {
            Some(_) => None,
            None => quantile_difference(hit, spared, *quantile),
        };
        take(&name, found, at_most.as_nanos() as f64, &millis);
    }
    if !beyond.is_empty() {
        return ProbeOutcome::NotHeld(beyond.join("; "));
    }
    if !undecided.is_empty() {
        return ProbeOutcome::Undecided(undecided.join("; "));
    }
    ProbeOutcome::Held
}

fn percent(ratio: f64) -> String {
    format!("{:.2} %", ratio * 100.0)
}

fn millis(nanos: f64) -> String {
    if nanos.is_infinite() {
        return if nanos > 0.0 {
            "any time"
        } else {
            "minus any time"
        }
        .into();
    }
    format!("{:.3} ms", nanos / 1e6)
}
