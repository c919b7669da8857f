//! What an HTTP response has to be, and what of it does not hold.

use std::time::Duration;

use regex_lite::Regex;
use serde_json::Value;
use serde_json_path::JsonPath;

use super::{
    limits,
    probe::NumberBounds,
    probe_document::{JsonDoc, NumberDoc},
    strict::Strict,
};
use crate::{error::ExperimentError, span::Span};

/// What an HTTP response has to be. Without anything, it has to be a response with a status from 200 to 399.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct HttpExpect {
    /// The status.
    pub status: Option<u16>,
    /// An expression that is found in the body.
    pub body: Option<Pattern>,
    /// A part of the body, which is JSON.
    pub json: Option<JsonExpect>,
    /// The longest time from the request to the end of the body.
    pub latency: Option<Duration>,
}

/// What a part of a JSON document has to be.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JsonExpect {
    /// Where the part is.
    pub path: JsonPath,
    /// The value that each part which is found has to equal.
    pub equals: Option<Value>,
    /// The bounds of the number that each part which is found has to be.
    pub bounds: NumberBounds,
}

/// A regular expression, with its text.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

/// What came of a request.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct HttpAnswer<'a> {
    /// The status.
    pub status: u16,
    /// The body, as UTF-8.
    pub body: &'a str,
    /// The time from the request to the end of the body.
    pub latency: Duration,
}

impl<'a> HttpAnswer<'a> {
    /// Creates an answer with a status, a body and the time that both took.
    #[must_use]
    pub fn new(status: u16, body: &'a str, latency: Duration) -> Self {
        Self {
            status,
            body,
            latency,
        }
    }
}

impl Pattern {
    pub(super) fn read(field: &str, text: &str) -> Result<Self, ExperimentError> {
        limits::text(field, text, limits::LINE)?;
        Regex::new(text).map(Self).map_err(|error| {
            let problem = format!("the expression cannot be read: {error}");
            ExperimentError::new(field, problem, "a regular expression")
        })
    }

    /// Returns the text of the expression.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Returns whether the expression is found in `text`.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl HttpExpect {
    /// Returns what does not hold of an answer, in words; empty if all does.
    #[must_use]
    pub fn unmet(&self, answer: &HttpAnswer<'_>) -> Vec<String> {
        let mut unmet = Vec::new();
        match self.status {
            Some(status) if status != answer.status => {
                unmet.push(format!("the status is {}, not {status}", answer.status));
            }
            None if !(200..400).contains(&answer.status) => {
                unmet.push(format!("the status is {}", answer.status));
            }
            _ => {}
        }
        if let Some(pattern) = &self.body
            && !pattern.is_match(answer.body)
        {
            let pattern = pattern.as_str();
            unmet.push(format!("the body does not match {pattern:?}"));
        }
        if let Some(json) = &self.json {
            unmet.extend(json.unmet(answer.body));
        }
        if let Some(longest) = self.latency
            && answer.latency > longest
        {
            let (took, longest) = (Span(answer.latency), Span(longest));
            unmet.push(format!("the answer took {took}, more than {longest}"));
        }
        unmet
    }
}

impl JsonExpect {
    pub(super) fn read(field: &str, doc: JsonDoc) -> Result<Self, ExperimentError> {
        let path_field = format!("{field}.path");
        limits::text(&path_field, &doc.path, limits::LINE)?;
        let path = JsonPath::parse(&doc.path).map_err(|error| {
            let problem = format!("the path cannot be read: {error}");
            ExperimentError::new(path_field, problem, "a JSONPath such as `$.items[0].price`")
        })?;
        let bounds = NumberDoc {
            at_most: doc.at_most,
            at_least: doc.at_least,
        };
        Ok(Self {
            path,
            equals: doc.equals.map(|Strict(value)| value),
            bounds: bounds.read_any(field)?,
        })
    }

    pub(super) fn document(&self) -> JsonDoc {
        JsonDoc {
            path: self.path.to_string(),
            equals: self.equals.clone().map(Strict),
            at_most: self.bounds.at_most,
            at_least: self.bounds.at_least,
        }
    }

    /// Returns what does not hold of a JSON text, in words; `None` if all does.
    #[must_use]
    pub fn unmet(&self, text: &str) -> Option<String> {
        let path = &self.path;
        let Ok(json) = serde_json::from_str::<Value>(text) else {
            return Some("the body is not JSON".into());
        };
        let found = path.query(&json);
        if found.is_empty() {
            return Some(format!("nothing is found at {path}"));
        }
        found.iter().find_map(|part| self.unmet_by(part))
    }

    fn unmet_by(&self, part: &Value) -> Option<String> {
        let path = &self.path;
        if let Some(equals) = &self.equals
            && !is_equal(equals, part)
        {
            return Some(format!("{path} is {part}, not {equals}"));
        }
        if self.bounds == NumberBounds::default() {
            return None;
        }
        let Some(number) = part.as_f64() else {
            return Some(format!("{path} is {part}, which is not a number"));
        };
        let unmet = self.bounds.unmet(number)?;
        Some(format!("{path}: {unmet}"))
    }
}

/// 1 and 1.0 are equal: which of them stands in the file depends on its format.
fn is_equal(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Number(expected), Value::Number(found)) => {
            let has_fraction = expected.is_f64() || found.is_f64();
            expected == found || has_fraction && expected.as_f64() == found.as_f64()
        }
        _ => expected == found,
    }
}
