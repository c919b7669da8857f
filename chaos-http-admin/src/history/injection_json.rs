//! The JSON of an injection, which the event streams and the audit file share.

use std::{collections::BTreeMap, time::SystemTime};

use axum::http::Method;
use chaos_core::Injection;
use serde::Serialize;

use crate::history::entry;

/// The fields of an injection and of the call that it hit. Facts of the call that are not known are left out.
#[derive(Serialize)]
pub(crate) struct InjectionJson<'i> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) action: Option<&'i str>,
    at: String,
    delay_ms: f64,
    fault: &'i str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<&'i str, &'i str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) left_out: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'i str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) number: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'i str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'i str>,
    rule: &'i str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<&'i str>,
    site: &'i str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'i str>,
}

impl<'i> InjectionJson<'i> {
    /// Returns the fields that the event streams and the audit file have in common.
    pub(crate) fn of(injection: &'i Injection, at: SystemTime) -> Self {
        let call = &injection.call;
        let labels = call.labels.iter();
        Self {
            action: None,
            at: entry::time(at),
            delay_ms: injection.delay.as_micros() as f64 / 1e3,
            fault: &injection.fault,
            labels: labels.map(|(name, value)| (*name, &**value)).collect(),
            left_out: None,
            method: call.method.as_ref().map(Method::as_str),
            number: None,
            path: call.path.as_deref(),
            route: call.route.as_deref(),
            rule: injection.rule.as_str(),
            run: None,
            site: injection.site,
            trace_id: call.trace_id.as_deref(),
        }
    }

    /// Returns the JSON, in one line.
    pub(crate) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are JSON")
    }
}
