//! A probe as it is written.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

use super::{
    probe::{HttpRequest, PromqlQuery, Stage},
    strict::Strict,
};
use crate::{objects, span::Span};

/// Something that is asked, and what has to come of it: exactly one of `http`, `promql` and `site`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Probe")]
pub(crate) struct ProbeDoc {
    /// What the probe is called; no other probe is called so.
    #[schemars(length(min = 1, max = 100))]
    pub(crate) name: String,
    /// An HTTP request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "objects::maybe")]
    pub(crate) http: Option<HttpRequest>,
    /// A query to a Prometheus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "objects::maybe")]
    pub(crate) promql: Option<PromqlQuery>,
    /// The name of a site whose calls are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1000))]
    pub(crate) site: Option<String>,
    /// What has to come of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "objects::maybe")]
    pub(crate) expect: Option<ExpectDoc>,
    /// In place of `expect`, for a site: how the calls that a rule hits have to fare against those that it spares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "objects::maybe")]
    pub(crate) compare: Option<CompareDoc>,
    /// When the probe is asked. Without it: before, during and after, or during only for a site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 3))]
    pub(crate) ask: Option<Vec<Stage>>,
    /// How often the probe is asked: 100ms to 1h. Once a second if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) every: Option<Span>,
}

/// What has to come of a probe.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Expect")]
pub(crate) struct ExpectDoc {
    /// The status of the HTTP response; without it, 200 to 399.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 599))]
    pub(crate) status: Option<u16>,
    /// A regular expression that is found in the body of the HTTP response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1000))]
    pub(crate) body: Option<String>,
    /// A part of the body of the HTTP response, which is JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "objects::maybe")]
    pub(crate) json: Option<JsonDoc>,
    /// The greatest latency: `at_most` for an HTTP request, quantiles for a site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "objects::maybe")]
    pub(crate) latency: Option<LatencyDoc>,
    /// The greatest number that the query may give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at_most: Option<f64>,
    /// The least number that the query may give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at_least: Option<f64>,
    /// The greatest part of a site's calls that may fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "objects::maybe")]
    pub(crate) error_ratio: Option<RatioDoc>,
}

/// What a part of a JSON document has to be: with a path alone, it has to be there.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "JsonExpect")]
pub(crate) struct JsonDoc {
    /// A JSONPath (RFC 9535), such as `$.items[0].price`.
    #[schemars(length(min = 1, max = 1000))]
    pub(crate) path: String,
    /// The value that it has to equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) equals: Option<Strict>,
    /// The greatest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at_most: Option<f64>,
    /// The least number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at_least: Option<f64>,
}

/// How much worse the calls of a site may fare that a rule hits than those that it spares.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Compare")]
pub(crate) struct CompareDoc {
    /// The id of the rule.
    #[schemars(length(min = 1))]
    pub(crate) rule: String,
    /// The greatest difference of the error ratios, hit minus spared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "objects::maybe")]
    pub(crate) error_ratio: Option<RatioDoc>,
    /// The greatest differences of the latencies at quantiles, hit minus spared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "objects::maybe")]
    pub(crate) latency: Option<LatencyDoc>,
}

/// The greatest part of the calls.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RatioBound")]
pub(crate) struct RatioDoc {
    /// The greatest part: 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) at_most: f64,
}

/// The greatest latencies.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LatencyBounds")]
pub(crate) struct LatencyDoc {
    /// The greatest latency of an HTTP request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at_most: Option<Span>,
    /// The greatest median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "objects::maybe")]
    pub(crate) p50: Option<SpanDoc>,
    /// The greatest quantile 0.9.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "objects::maybe")]
    pub(crate) p90: Option<SpanDoc>,
    /// The greatest quantile 0.95.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "objects::maybe")]
    pub(crate) p95: Option<SpanDoc>,
    /// The greatest quantile 0.99.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "objects::maybe")]
    pub(crate) p99: Option<SpanDoc>,
    /// The greatest quantile 0.999.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "objects::maybe")]
    pub(crate) p999: Option<SpanDoc>,
}

/// The greatest length of time.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SpanBound")]
pub(crate) struct SpanDoc {
    /// The greatest length of time.
    pub(crate) at_most: Span,
}

/// Bounds of a number, as an argument of the reader.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NumberDoc {
    pub(crate) at_most: Option<f64>,
    pub(crate) at_least: Option<f64>,
}

impl Serialize for Strict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl JsonSchema for Strict {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "AnyValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!(true)
    }
}
