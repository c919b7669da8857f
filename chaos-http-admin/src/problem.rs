//! Error answers as RFC 9457 defines them: what is wrong, in which field, and what is allowed
//! there.

use std::sync::Arc;

use axum::{
    Extension, Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chaos_core::{RuleError, rule::ChangeError};
use serde::{Serialize, Serializer};

/// The body of every error answer. It has no `type`, which RFC 9457 reads as `about:blank`: the
/// status alone says what kind of problem it is.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    title: &'static str,
    #[serde(serialize_with = "as_number")]
    status: StatusCode,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed: Option<String>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            title: status.canonical_reason().unwrap_or_default(),
            status,
            detail: detail.into(),
            rule: None,
            field: None,
            allowed: None,
        }
    }

    /// Names the field of the request that is wrong, and what it may hold.
    pub(crate) fn at(mut self, field: impl Into<String>, allowed: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self.allowed = Some(allowed.into());
        self
    }

    /// Sets another status.
    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self {
            title: status.canonical_reason().unwrap_or_default(),
            status,
            ..self
        }
    }

    /// Names the rule that the problem is about.
    pub(crate) fn in_rule(mut self, rule: impl Into<String>) -> Self {
        self.rule = Some(rule.into());
        self
    }

    /// Returns the 404 for a rule that does not exist.
    pub(crate) fn unknown_rule(id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no rule `{id}`")).in_rule(id)
    }

    /// Returns the 412 for an `If-Match` that does not name the `current` generation.
    pub(crate) fn stale(current: u64) -> Self {
        let detail = "the rules have changed since they were read";
        let allowed = format!("\"{current}\", the current generation, or * for any");
        Self::new(StatusCode::PRECONDITION_FAILED, detail).at("If-Match", allowed)
    }
}

impl From<RuleError> for Problem {
    fn from(error: RuleError) -> Self {
        // An error without a field concerns the body as a whole.
        let field = match error.field() {
            "" => "body",
            field => field,
        };
        Self {
            rule: error.rule().map(str::to_owned),
            ..Self::new(StatusCode::BAD_REQUEST, error.problem()).at(field, error.allowed())
        }
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Stale { current, .. } => Self::stale(current),
            ChangeError::Unknown(id) => Self::unknown_rule(id.as_str()),
            ChangeError::Rule(error) => error.into(),
            ChangeError::Locked { reason, .. } => {
                let problem = Self::new(
                    StatusCode::CONFLICT,
                    format!("a guard rail has stopped the rule: {reason}"),
                );
                problem.at("enabled", "false, until POST /v1/acknowledge")
            }
            // Later versions of the core may refuse a change for other reasons, which lie in the
            // current rules.
            other => Self::new(StatusCode::CONFLICT, other.to_string()),
        }
    }
}

/// The `detail` of an error answer, as an extension of the response: the audit records it.
#[derive(Clone, Debug)]
pub(crate) struct Refused(pub(crate) Arc<str>);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let content_type = HeaderValue::from_static("application/problem+json");
        let headers = [(header::CONTENT_TYPE, content_type)];
        let refused = Extension(Refused(self.detail.as_str().into()));
        // Whatever is not available now may be in a moment.
        let is_passing = self.status == StatusCode::SERVICE_UNAVAILABLE;
        let retry = is_passing.then_some([(header::RETRY_AFTER, HeaderValue::from_static("1"))]);
        (self.status, headers, retry, refused, Json(self)).into_response()
    }
}

fn as_number<S: Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}
