//! The table of metrics. What is served is generated from it, and a test compares the documentation
//! with it.

use std::sync::Arc;

use chaos_core::{COMPILED_OUT, Counts, Policy, Rule, State, Status, rule::RuleSet};
use prometheus::proto;

use crate::history::audit_file::AuditFileStatus;

/// The number of rules that have series of their own, which bounds the size of an answer.
const MAX_RULES: usize = 1000;

/// The name of the histogram.
pub(super) const DELAYS: &str = "chaos_injected_delay_seconds";

/// The values that the metrics are computed from, read together.
pub(super) struct Snapshot {
    pub(super) rules: Arc<RuleSet>,
    pub(super) counts: Vec<Counts>,
    pub(super) status: Status,
    pub(super) policy: Policy,
    /// The labels site, rule and fault, and the value of each series.
    pub(super) injections: Vec<([String; 3], u64)>,
    pub(super) delays: Vec<proto::Metric>,
    pub(super) audited: u64,
    pub(super) file: Option<AuditFileStatus>,
    pub(super) sources: Vec<(Arc<str>, Option<String>)>,
    pub(super) tokens: Option<Vec<(&'static str, u64)>>,
    pub(super) documents: Option<Vec<(&'static str, u64)>>,
}

impl Snapshot {
    /// Returns the rules that have series of their own.
    fn rules(&self) -> impl Iterator<Item = (&Rule, &Counts)> {
        let rules = self.rules.rules().iter().map(|rule| &**rule);
        rules.zip(&self.counts).take(MAX_RULES)
    }
}

/// One row of the table.
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) labels: &'static [&'static str],
    /// One sentence, which is also in the documentation of `Metrics`.
    pub(super) help: &'static str,
    pub(super) values: Values,
}

/// The values of the labels, and the value of the series.
pub(super) type Sample = (Vec<String>, f64);

/// The type of a metric, and the function that reads it.
pub(super) enum Values {
    /// A value that increases, or is reset.
    Counter(fn(&Snapshot) -> Vec<Sample>),
    Gauge(fn(&Snapshot) -> Vec<Sample>),
    /// The delays of a [`Snapshot`].
    Histogram,
}

impl Values {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Counter(_) => "counter",
            Self::Gauge(_) => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

// One metric per line, whatever its width, so that it reads as a table.
#[rustfmt::skip]
pub(super) const TABLE: &[Metric] = &[
    counter("chaos_injections_total", &["site", "rule", "fault"], "Calls into which faults were injected, including those in overlays.", injections),
    counter("chaos_matched_total", &["site", "rule"], "Calls that matched the site and the matcher of a rule; the label site is that of the rule, which may be a pattern.", |snapshot| by_site(snapshot, |counts| counts.matched)),
    counter("chaos_shadowed_total", &["site", "rule"], "Calls that a rule in shadow mode would have hit; the label site is that of the rule, which may be a pattern.", |snapshot| by_site(snapshot, |counts| counts.shadowed)),
    counter("chaos_overflow_total", &["rule", "limit"], "Calls that a limit has kept from being hit; only for limits that the rule or the policy has.", overflow),
    gauge("chaos_active", &["rule"], "Calls that a rule has hit and that are still under its effect.", active),
    Metric { name: DELAYS, labels: &[], help: "Injected delays as planned; a halt ends them earlier.", values: Values::Histogram },
    gauge("chaos_rules", &[], "Rules, in force or not.", |snapshot| one(snapshot.status.rules as f64)),
    gauge("chaos_rules_without_series", &[], "Rules after the first 1000, which have no series of their own.", |snapshot| one(snapshot.rules.rules().len().saturating_sub(MAX_RULES) as f64)),
    gauge("chaos_state", &[], "0 idle, 1 armed, 2 halted.", state),
    gauge("chaos_breaches", &[], "Breaches of guard rails that are not acknowledged yet.", |snapshot| one(snapshot.status.breaches.len() as f64)),
    gauge("chaos_generation", &[], "The generation of the rules.", |snapshot| one(snapshot.status.generation as f64)),
    gauge("chaos_overlays", &[], "Open overlays.", |snapshot| one(snapshot.status.overlays as f64)),
    counter("chaos_audit_entries_total", &[], "Audit entries, including those that the audit has dropped.", |snapshot| one(snapshot.audited as f64)),
    counter("chaos_audit_file_written_total", &[], "Audit entries written to the audit file; only if there is one.", |snapshot| of_file(snapshot, |file| file.written as f64)),
    counter("chaos_audit_file_lost_total", &[], "Audit entries dropped before they were written to the audit file; only if there is one.", |snapshot| of_file(snapshot, |file| file.lost as f64)),
    gauge("chaos_audit_file_failing", &[], "1 while the audit file cannot be written, else 0; only if there is one.", |snapshot| of_file(snapshot, |file| f64::from(u8::from(file.error.is_some())))),
    gauge("chaos_source_failing", &["source"], "1 while the file of rules, access tokens or certificates is refused, else 0; only for files that are followed and sources that the application has added.", sources),
    counter("chaos_tokens_total", &["outcome"], "Requests with a rule token, by its outcome; only if the application provides the counts.", |snapshot| by_outcome(snapshot.tokens.as_deref())),
    gauge("chaos_fleet_documents", &["outcome"], "Documents of the fleet, by what this replica has done with them; only if the application provides the counts.", |snapshot| by_outcome(snapshot.documents.as_deref())),
    gauge("chaos_build_info", &["version", "compiled_out"], "Always 1.", build),
];

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    read: fn(&Snapshot) -> Vec<Sample>,
) -> Metric {
    let values = Values::Counter(read);
    Metric {
        name,
        labels,
        help,
        values,
    }
}

const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    read: fn(&Snapshot) -> Vec<Sample>,
) -> Metric {
    let values = Values::Gauge(read);
    Metric {
        name,
        labels,
        help,
        values,
    }
}

fn one(number: f64) -> Vec<Sample> {
    vec![(Vec::new(), number)]
}

fn sources(snapshot: &Snapshot) -> Vec<Sample> {
    let sources = snapshot.sources.iter();
    sources
        .map(|(name, error)| {
            let failing = f64::from(u8::from(error.is_some()));
            (vec![name.to_string()], failing)
        })
        .collect()
}

fn injections(snapshot: &Snapshot) -> Vec<Sample> {
    let injections = snapshot.injections.iter();
    injections
        .map(|(labels, count)| (labels.to_vec(), *count as f64))
        .collect()
}

fn by_site(snapshot: &Snapshot, count: fn(&Counts) -> u64) -> Vec<Sample> {
    let rules = snapshot.rules();
    rules
        .map(|(rule, counts)| {
            let labels = vec![rule.site().to_string(), rule.id().to_string()];
            (labels, count(counts) as f64)
        })
        .collect()
}

fn active(snapshot: &Snapshot) -> Vec<Sample> {
    let rules = snapshot.rules();
    rules
        .map(|(rule, counts)| (vec![rule.id().to_string()], counts.active as f64))
        .collect()
}

/// Reads the limits that apply to a rule or have spared a call. Most rules have none, and there are
/// many limits.
fn overflow(snapshot: &Snapshot) -> Vec<Sample> {
    let of_rule = |(rule, counts): (&Rule, &Counts)| {
        let id = rule.id().to_string();
        let (overflow, policy) = (counts.overflow.iter(), &snapshot.policy);
        let spared = overflow.filter(|(limit, count)| *count > 0 || limit.applies(rule, policy));
        let labelled = spared.map(|(limit, count)| {
            let labels = vec![id.clone(), limit.as_str().to_owned()];
            (labels, count as f64)
        });
        labelled.collect::<Vec<Sample>>()
    };
    snapshot.rules().flat_map(of_rule).collect()
}

fn state(snapshot: &Snapshot) -> Vec<Sample> {
    one(match snapshot.status.state {
        State::Armed => 1.0,
        State::Halted { .. } => 2.0,
        _ => 0.0,
    })
}

fn of_file(snapshot: &Snapshot, number: fn(&AuditFileStatus) -> f64) -> Vec<Sample> {
    snapshot
        .file
        .iter()
        .flat_map(|file| one(number(file)))
        .collect()
}

fn by_outcome(counts: Option<&[(&'static str, u64)]>) -> Vec<Sample> {
    let counts = counts.unwrap_or_default().iter();
    counts
        .map(|(outcome, count)| (vec![(*outcome).to_owned()], *count as f64))
        .collect()
}

fn build(_: &Snapshot) -> Vec<Sample> {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    vec![(vec![version, COMPILED_OUT.to_string()], 1.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_metrics_are_the_table() {
        let documented: Vec<_> = include_str!("../../docs/metrics.md")
            .lines()
            .filter_map(|line| line.strip_prefix("| `chaos_"))
            .map(|line| format!("chaos_{line}"))
            .collect();
        let served: Vec<_> = TABLE
            .iter()
            .map(|metric| {
                let labels = match metric.labels {
                    [] => String::new(),
                    labels => format!("{{{}}}", labels.join(",")),
                };
                let (name, kind) = (metric.name, metric.values.kind());
                format!("{name}{labels}` | {kind} | {} |", metric.help)
            })
            .collect();
        assert_eq!(documented, served);
    }
}
