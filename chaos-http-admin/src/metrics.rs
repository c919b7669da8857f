//! The metrics, for Prometheus and for the exporter that a service already has.

mod expected;
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
use chaos_core::{Injector, Site};
use prometheus::TEXT_FORMAT;

use self::{injections::CountedInjections, table::Snapshot};
use crate::{followers::sources::Sources, history::audit_file::AuditFile, worker::Worker};

/// The metrics of one injector, which `GET /metrics` serves. Clones are handles to the same
/// metrics.
///
#[doc = include_str!("../docs/metrics.md")]
///
/// A service that has an exporter of its own appends [`text`](Self::text) to that exporter's
/// output:
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
/// With the feature `metrics`, `publish` publishes them through the `metrics` facade instead.
#[derive(Clone)]
pub struct Metrics {
    injector: Injector,
    injections: Arc<CountedInjections>,
    tokens: Option<Arc<CountsByOutcome>>,
    documents: Option<Arc<CountsByOutcome>>,
    file: Option<AuditFile>,
    pub(crate) sources: Sources,
    #[cfg(feature = "metrics")]
    published: Arc<facade::Published>,
}

/// Returns the number of each outcome, such as those of rule tokens.
type CountsByOutcome = dyn Fn() -> Vec<(&'static str, u64)> + Send + Sync;

impl Metrics {
    /// Creates the metrics of `injector`. Injections are counted from this call on.
    #[must_use]
    pub fn of(injector: &Injector) -> Self {
        Self {
            injector: injector.clone(),
            injections: Arc::new(CountedInjections::of(injector)),
            tokens: None,
            documents: None,
            file: None,
            sources: Sources::default(),
            #[cfg(feature = "metrics")]
            published: Arc::default(),
        }
    }

    /// Adds the metric `chaos_tokens_total`. `counts` returns the number of requests for each
    /// outcome of their rule token so far, such as the `TokenCounts` of a
    /// `chaos_tower::TokenLayer`. It is called whenever the metrics are read.
    #[must_use]
    pub fn tokens_seen<C>(mut self, counts: impl Fn() -> C + Send + Sync + 'static) -> Self
    where
        C: IntoIterator<Item = (&'static str, u64)>,
    {
        self.tokens = Some(Arc::new(move || counts().into_iter().collect()));
        self
    }

    /// Adds the metric `chaos_fleet_documents`. `counts` returns the number of documents of a fleet
    /// for each outcome that they have here, such as `MemberStatus::document_counts` of chaos-fleet.
    /// It is called whenever the metrics are read.
    #[must_use]
    pub fn fleet_documents<C>(mut self, counts: impl Fn() -> C + Send + Sync + 'static) -> Self
    where
        C: IntoIterator<Item = (&'static str, u64)>,
    {
        self.documents = Some(Arc::new(move || counts().into_iter().collect()));
        self
    }

    /// Adds the metrics of an audit file.
    #[must_use]
    pub fn audit_file(mut self, file: &AuditFile) -> Self {
        self.file = Some(file.clone());
        self
    }

    /// Returns all metrics in Prometheus' text format, version 0.0.4.
    #[must_use]
    pub fn text(&self) -> String {
        text::of(&self.snapshot())
    }

    /// Publishes all metrics to the recorder of the `metrics` facade: a counter is incremented by
    /// its growth since the last call, a gauge is set. Call this before the recorder is read, or
    /// every few seconds.
    ///
    /// Only `chaos_injected_delay_seconds` does not wait for a call: from the first call on, each
    /// delay is recorded when it begins. This method may be called from any thread at any time.
    #[cfg(feature = "metrics")]
    pub fn publish(&self) {
        self.injections.counters.publish_delays();
        self.published.publish(|| self.snapshot());
    }

    fn snapshot(&self) -> Snapshot {
        let (rules, counts) = self.injector.report();
        let sites = self.injector.sites();
        let mut sites: Vec<_> = sites.into_iter().map(Site::name).collect();
        sites.dedup();
        Snapshot {
            injections: self.injections.counters.read(&rules, &sites),
            policy: self.injector.policy(),
            delays: self.injections.counters.delays(),
            rules,
            counts,
            status: self.injector.status(),
            audited: self.injector.audit().last(),
            file: self.file.as_ref().map(AuditFile::status),
            sources: self.sources.check(),
            tokens: self.tokens.as_ref().map(|tokens| tokens()),
            documents: self.documents.as_ref().map(|documents| documents()),
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Serves `GET /metrics`.
pub(crate) async fn serve(
    Extension(metrics): Extension<Metrics>,
    Extension(worker): Extension<Worker>,
) -> ([(HeaderName, &'static str); 1], String) {
    let text = worker.run(move || metrics.text()).await;
    ([(header::CONTENT_TYPE, TEXT_FORMAT)], text)
}
