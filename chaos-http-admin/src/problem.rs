//! A refusal as RFC 9457 writes it: what is wrong, where, and what would have been accepted.

use std::sync::Arc;

use axum::{
    Extension, Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chaos_core::{ChangeError, RuleError};
use serde::{Serialize, Serializer};

/// The body of every answer that is a no. The type is left out, which RFC 9457 reads as
/// `about:blank`: the status says what kind of problem it is.
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

    /// Names the part of the request that is at fault, and what it may be.
    pub(crate) fn at(mut self, field: impl Into<String>, allowed: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self.allowed = Some(allowed.into());
        self
    }

    pub(crate) fn in_rule(mut self, rule: impl Into<String>) -> Self {
        self.rule = Some(rule.into());
        self
    }

    pub(crate) fn unknown_rule(id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no rule `{id}`")).in_rule(id)
    }

    /// The rules are not the ones the caller had seen.
    pub(crate) fn stale(current: u64) -> Self {
        let detail = "the rules have changed since they were read";
        let allowed = format!("\"{current}\", the generation in force, or * for whatever is there");
        Self::new(StatusCode::PRECONDITION_FAILED, detail).at("If-Match", allowed)
    }
}

impl From<RuleError> for Problem {
    fn from(error: RuleError) -> Self {
        // An error that is in no field is in the document itself.
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
                let problem = Self::new(StatusCode::CONFLICT, format!("stopped: {reason}"));
                problem.at("enabled", "POST /v1/acknowledge first")
            }
            // Whatever else a newer core refuses, it refuses because of the rules there are.
            other => Self::new(StatusCode::CONFLICT, other.to_string()),
        }
    }
}

/// What an answer refuses, for those whom it passes on its way out.
#[derive(Clone, Debug)]
pub(crate) struct Refused(pub(crate) Arc<str>);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let content_type = HeaderValue::from_static("application/problem+json");
        let headers = [(header::CONTENT_TYPE, content_type)];
        let refused = Extension(Refused(self.detail.as_str().into()));
        (self.status, headers, refused, Json(self)).into_response()
    }
}

fn as_number<S: Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}
