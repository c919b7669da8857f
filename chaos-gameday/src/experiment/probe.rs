//! How it is asked whether a belief holds.

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::expectation::HttpExpect;
use crate::span::Span;

/// Something that is asked, and what has to come of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Probe {
    /// What the probe is called; no other probe is called so.
    pub name: String,
    /// What is asked, and what has to come of it.
    pub question: Question,
    /// When it is asked, in order and each at most once.
    pub ask: Vec<Stage>,
    /// How often it is asked: 100ms to 1h.
    pub every: Duration,
}

/// When a probe is asked.
///
/// This enum is closed: a new stage is a breaking change.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Before anything is injected. If it does not hold then, nothing is.
    Before,
    /// While faults are injected.
    During,
    /// After the rules are gone.
    After,
}

/// What is asked, and what has to come of it.
///
/// This enum is closed: a new kind of question makes the compiler list those who ask.
#[derive(Clone, Debug)]
pub enum Question {
    /// An HTTP request.
    Http {
        /// The request.
        request: HttpRequest,
        /// What its response has to be.
        expect: HttpExpect,
    },
    /// A query to a Prometheus, whose result has to be one number.
    Promql {
        /// The query.
        query: PromqlQuery,
        /// What the number has to be.
        expect: NumberBounds,
    },
    /// How the calls of a site fare, by the site's own counts.
    Site {
        /// The name of the site.
        site: String,
        /// How its calls have to fare.
        expect: SiteExpect,
    },
    /// How the calls of a site fare that a rule hits, against those that it spares.
    Compare {
        /// The name of the site.
        site: String,
        /// How much worse those may fare that are hit.
        compare: Compare,
    },
}

/// An HTTP request.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HttpRequest {
    /// The address, `http://…` or `https://…`.
    #[schemars(length(min = 1, max = 2048))]
    pub url: String,
    /// The method; `GET` if it is left out.
    #[serde(default = "get")]
    #[schemars(regex(pattern = r"^[A-Za-z-]+$"))]
    pub method: String,
    /// The headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// How long an answer may take before the probe counts as one that could not be asked: 1ms to 60s. Five seconds if it is
    /// left out.
    #[serde(default = "five_seconds")]
    pub timeout: Span,
}

/// A query to a Prometheus.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PromqlQuery {
    /// The address of the Prometheus.
    #[schemars(length(min = 1, max = 2048))]
    pub url: String,
    /// The query in PromQL. Its result is a scalar, or a vector with one element.
    #[schemars(length(min = 1, max = 4096))]
    pub query: String,
}

/// Bounds of a number: at least one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct NumberBounds {
    /// The greatest number that holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
    /// The least number that holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
}

/// How the calls of a site have to fare: at least one bound.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SiteExpect {
    /// The greatest part of the calls that may fail, 0 to 1.
    pub error_ratio: Option<f64>,
    /// The greatest latencies, each at a quantile.
    pub latency: Vec<QuantileBound>,
}

/// How much worse the calls may fare that a rule hits than those that it spares: at least one bound.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Compare {
    /// The id of the rule.
    pub rule: String,
    /// The greatest difference of the error ratios, hit minus spared, 0 to 1.
    pub error_ratio: Option<f64>,
    /// The greatest differences of the latencies, hit minus spared, each at a quantile.
    pub latency: Vec<QuantileBound>,
}

/// The greatest latency at a quantile.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct QuantileBound {
    /// The quantile, such as 0.99.
    pub quantile: f64,
    /// The greatest latency, or the greatest difference of latencies.
    pub at_most: Duration,
}

impl Question {
    /// Returns the URL that is asked; `None` for what a service counts by itself.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        match self {
            Self::Http { request, .. } => Some(&request.url),
            Self::Promql { query, .. } => Some(&query.url),
            Self::Site { .. } | Self::Compare { .. } => None,
        }
    }

    /// Returns the site whose calls are counted; `None` for what is asked at a URL.
    #[must_use]
    pub fn site(&self) -> Option<&str> {
        match self {
            Self::Site { site, .. } | Self::Compare { site, .. } => Some(site),
            Self::Http { .. } | Self::Promql { .. } => None,
        }
    }

    /// Returns whether the question is judged by what a service counts, so that further calls may tell more.
    #[must_use]
    pub fn is_of_counts(&self) -> bool {
        self.site().is_some()
    }
}

impl NumberBounds {
    /// Returns what does not hold of a number, in words; `None` if all does. Not-a-number never holds.
    #[must_use]
    pub fn unmet(&self, number: f64) -> Option<String> {
        if number.is_nan() {
            return Some("the result is not a number".into());
        }
        match (self.at_least, self.at_most) {
            (Some(least), _) if number < least => Some(format!("{number} is less than {least}")),
            (_, Some(most)) if number > most => Some(format!("{number} is more than {most}")),
            _ => None,
        }
    }
}

impl QuantileBound {
    /// Returns the name of the quantile, such as `p99`.
    #[must_use]
    pub fn name(&self) -> String {
        let digits = format!("{}", self.quantile);
        let digits = digits.trim_start_matches("0.");
        format!("p{digits:0<2}")
    }
}

fn get() -> String {
    "GET".into()
}

fn five_seconds() -> Span {
    Span(Duration::from_secs(5))
}
