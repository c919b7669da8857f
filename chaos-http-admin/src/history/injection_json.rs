//! The JSON of an injection, which the event streams and the audit file share.

use axum::http::Method;
use chaos_core::Injection;
use serde_json::{Map, Value, json};

/// Returns what was injected, and on which call. What is not known of the call is left out.
pub(crate) fn fields(injection: &Injection) -> Value {
    let mut json = json!({
        "site": injection.site,
        "rule": injection.rule.as_str(),
        "fault": &*injection.fault,
        "delay_ms": injection.delay.as_micros() as f64 / 1e3,
    });
    let call = &injection.call;
    let texts = [
        ("method", call.method.as_ref().map(Method::as_str)),
        ("path", call.path.as_deref()),
        ("route", call.route.as_deref()),
        ("trace_id", call.trace_id.as_deref()),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            json[name] = json!(text);
        }
    }
    if !call.labels.is_empty() {
        let labels = call.labels.iter();
        let labels = labels.map(|(name, value)| ((*name).to_owned(), json!(value)));
        json["labels"] = Value::Object(labels.collect::<Map<_, _>>());
    }
    json
}
