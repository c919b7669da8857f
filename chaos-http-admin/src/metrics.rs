//! What there is to count and to watch, for Prometheus and for the service's own exporter.

#[cfg(feature = "metrics")]
mod facade;
mod injections;
mod table;
mod text;

use std::{fmt, sync::Arc};

use axum::{
    Extension,
    http::{HeaderName, header},
};
use chaos_core::Injector;
use prometheus::TEXT_FORMAT;

use self::{injections::InjectionCounters, table::Snapshot};
use crate::{followers::sources::Sources, history::audit_file::AuditFile};

/// The metrics of one injector: what `GET /metrics` serves. Clones are the same.
///
/// | metric | type | |
/// |---|---|---|
/// | `chaos_injections_total{site,rule,fault}` | counter | Calls that were hit, those in overlays included. |
/// | `chaos_matched_total{site,rule}` | counter | Calls that a rule's site and matcher fitted; site as the rule has it, which may be a pattern. |
/// | `chaos_shadowed_total{site,rule}` | counter | Calls that a rule in mode shadow would have hit; site as the rule has it. |
/// | `chaos_overflow_total{rule,limit}` | counter | Calls that a limit has spared; of limits that have spared any. |
/// | `chaos_active{rule}` | gauge | Calls that a rule decided to hit and is not done with. |
/// | `chaos_injected_delay_seconds` | histogram | Delays as they were planned, of injections that delay; a halt lets calls go earlier. |
/// | `chaos_rules` | gauge | Rules, live or not. |
/// | `chaos_rules_without_series` | gauge | Rules behind the first 1000, which have no series of their own. |
/// | `chaos_state` | gauge | 0 idle, 1 armed, 2 halted. |
/// | `chaos_breaches` | gauge | Breaches of guard rails that nobody has acknowledged yet. |
/// | `chaos_generation` | gauge | The generation of the rules. |
/// | `chaos_overlays` | gauge | Overlays that are open. |
/// | `chaos_audit_entries_total` | counter | Entries of the audit, those that it has forgotten included. |
/// | `chaos_audit_file_written_total` | counter | Entries in the file of the audit; if there is one. |
/// | `chaos_audit_file_lost_total` | counter | Entries that the audit forgot before they were in its file. |
/// | `chaos_audit_file_failing` | gauge | 1 while the file of the audit cannot be written, else 0. |
/// | `chaos_source_failing{source}` | gauge | 1 while rules of a source are refused, else 0; if the application names any. |
/// | `chaos_tokens_total{outcome}` | counter | Requests with a token, by what became of it; if the application says. |
/// | `chaos_build_info{version,compiled_out}` | gauge | Always 1. |
///
/// - **An injection** is counted once, when it begins, by the site, the rule and the faults it consists
///   of, joined by `+`. It is counted since these metrics were made, and goes on when a rule is changed.
/// - **What a rule counts**, of `matched` and `shadowed`, starts anew with the rule's own counts: when
///   it is changed. To Prometheus that is a reset, as after a restart. They are of rules as they stand
///   on the port, not of overlays, and `site` is what the rule says, a pattern perhaps: core does not
///   count matched calls by site. To compare the two, `sum by (rule)`.
/// - **How many series** there can be is bounded. A series of injections goes on for as long as its
///   rule is there. Of rules that are gone, and of those in overlays, the 200 that counted last are
///   kept. There are never more than 1000: what finds no room is counted as `(other)`, which no rule
///   can be called. Of rules, the first 1000 have series of their own.
/// - **What it costs**: injections are counted by an [observer](Injector::observe), without a lock, on
///   the thread of the call that is hit; a call that is not hit pays nothing. All else is read when
///   someone asks.
///
/// A service that has an exporter already adds [`text`](Self::text) to what that one says:
///
/// ```
/// use chaos_http_admin::Metrics;
///
/// let metrics = Metrics::of(chaos_core::global());
/// let own = "# HELP orders_total Orders taken.\n# TYPE orders_total counter\norders_total 3\n";
/// let answer = own.to_owned() + &metrics.text();
/// assert!(answer.contains("\nchaos_state 0\n"));
/// ```
///
/// The feature `metrics` has `publish`, which hands them to the `metrics` facade instead.
#[derive(Clone)]
pub struct Metrics {
    injector: Injector,
    injections: Arc<InjectionCounters>,
    tokens: Option<Arc<RuleTokenCounts>>,
    file: Option<AuditFile>,
    pub(crate) sources: Sources,
    #[cfg(feature = "metrics")]
    published: Arc<facade::Published>,
}

/// Says what became of tokens so far.
type RuleTokenCounts = dyn Fn() -> Vec<(&'static str, u64)> + Send + Sync;

impl Metrics {
    /// Of this injector; injections are counted from now on.
    #[must_use]
    pub fn of(injector: &Injector) -> Self {
        let injections = Arc::new(InjectionCounters::new());
        // An observer stays as long as the injector, so what it counts in must not.
        let counting = Arc::downgrade(&injections);
        injector.observe(move |injection| {
            if let Some(injections) = counting.upgrade() {
                injections.count(injection);
            }
        });
        Self {
            injector: injector.clone(),
            injections,
            tokens: None,
            file: None,
            sources: Sources::default(),
            #[cfg(feature = "metrics")]
            published: Arc::default(),
        }
    }

    /// Counts tokens as well: `counts` says what became of them so far, such as the `TokenCounts` of a
    /// `chaos_tower::TokenLayer`.
    #[must_use]
    pub fn tokens_seen<C>(mut self, counts: impl Fn() -> C + Send + Sync + 'static) -> Self
    where
        C: IntoIterator<Item = (&'static str, u64)>,
    {
        self.tokens = Some(Arc::new(move || counts().into_iter().collect()));
        self
    }

    /// Says how this file of the audit fares.
    #[must_use]
    pub fn audit_file(mut self, file: &AuditFile) -> Self {
        self.file = Some(file.clone());
        self
    }

    /// All of them in Prometheus' text format, version 0.0.4.
    #[must_use]
    pub fn text(&self) -> String {
        text::of(&self.snapshot())
    }

    /// Hands them to the recorder of the `metrics` facade: counters by what they have grown since the
    /// last time, gauges as they are. Call it before that recorder is asked, or every few seconds.
    ///
    /// Only `chaos_injected_delay_seconds` does not wait for it: from the first call on, delays are handed
    /// on as they begin. Any thread may call it, at any time.
    #[cfg(feature = "metrics")]
    pub fn publish(&self) {
        self.injections.publish_delays();
        self.published.publish(|| self.snapshot());
    }

    fn snapshot(&self) -> Snapshot {
        let (rules, counts) = self.injector.report();
        Snapshot {
            injections: self.injections.read(&rules),
            delays: self.injections.delays(),
            rules,
            counts,
            status: self.injector.status(),
            audited: self.injector.audit().last(),
            file: self.file.as_ref().map(AuditFile::status),
            sources: self.sources.check(),
            tokens: self.tokens.as_ref().map(|tokens| tokens()),
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// All metrics, as Prometheus asks for them.
pub(crate) async fn serve(
    Extension(metrics): Extension<Metrics>,
) -> ([(HeaderName, &'static str); 1], String) {
    ([(header::CONTENT_TYPE, TEXT_FORMAT)], metrics.text())
}
