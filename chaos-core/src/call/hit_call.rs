//! `HitCall`: what an injection keeps of the call that was hit.

use std::sync::{Arc, LazyLock};

use http::Method;

use crate::call::{Call, cut};

/// The call that an [`Injection`](crate::Injection) happened on, as far as its site knows it. Each text is cut after
/// 256 bytes, and at most 16 labels are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HitCall {
    /// The method of the request; `None` in plain code.
    pub method: Option<Method>,
    /// The path of the request, percent-encoded and without its query.
    pub path: Option<Box<str>>,
    /// The route that the service has matched, such as `/orders/{id}`. axum provides it to layers of a
    /// router.
    pub route: Option<Box<str>>,
    /// The trace id of a valid `traceparent` header: 32 hexadecimal digits.
    pub trace_id: Option<Box<str>>,
    /// The labels of the call, with their names.
    pub labels: Vec<(&'static str, Box<str>)>,
}

impl HitCall {
    const MOST_LABELS: usize = 16;

    /// Returns a call of which nothing is known.
    pub(crate) fn unknown() -> Arc<Self> {
        static UNKNOWN: LazyLock<Arc<HitCall>> = LazyLock::new(Arc::default);
        Arc::clone(&UNKNOWN)
    }

    /// Copies the facts of `call`. Cold, because it is asked for only if anyone is to be told.
    #[cold]
    #[inline(never)]
    pub(crate) fn of(call: &Call<'_>) -> Arc<Self> {
        if call.http.is_none() && call.labels.is_empty() {
            return Self::unknown();
        }
        let labels = call.labels.iter().take(Self::MOST_LABELS);
        Arc::new(Self {
            method: call.http.map(|http| http.method.clone()),
            path: call.path().map(short),
            route: call.route().map(short),
            trace_id: call.trace().map(Into::into),
            labels: labels.map(|(name, value)| (*name, short(value))).collect(),
        })
    }

    /// Returns the labels as one text, such as `table=orders shard=7`; `None` if there are none.
    #[must_use]
    pub fn labels_text(&self) -> Option<String> {
        let labels = self.labels.iter();
        let labels: Vec<_> = labels
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        (!labels.is_empty()).then(|| labels.join(" "))
    }
}

fn short(text: &str) -> Box<str> {
    cut(text.into()).into()
}
