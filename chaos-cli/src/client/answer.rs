//! The answer of a port, or why there is none of use.

use reqwest::{Response, StatusCode, header};
use serde_json::Value;

use crate::{
    client::{causes, no_answer},
    failure::{Exit, Failure},
};

/// The longest answer that is read. A port's own are at most 8 MiB.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// An answer that is no error.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The generation of the rules, as an entity tag.
    pub(crate) etag: Option<String>,
    /// `null` if the answer has no body.
    pub(crate) body: Value,
}

impl Answer {
    /// Returns the answer if it has this field, as each answer of an admin port to the request has.
    pub(crate) fn with(self, field: &str) -> Result<Self, Failure> {
        match self.body[field].is_null() {
            true => Err(unlike_a_port(&format!("no `{field}`"))),
            false => Ok(self),
        }
    }

    /// Returns the answer if it has no body, as that of an admin port to the request has none.
    pub(crate) fn without_body(self) -> Result<Self, Failure> {
        match self.body.is_null() {
            true => Ok(self),
            false => Err(unlike_a_port("a body")),
        }
    }

    /// Reads an answer to a request to `route`.
    pub(super) async fn read(mut response: Response, route: &str) -> Result<Self, Failure> {
        let status = response.status();
        let headers = response.headers();
        let text = |name| headers.get(name)?.to_str().ok().map(str::to_owned);
        let etag = text(header::ETAG);
        let kind = text(header::CONTENT_TYPE).unwrap_or_default();
        let mut bytes = Vec::new();
        while let Some(part) = next_part(&mut response).await? {
            if bytes.len() + part.len() > MAX_BYTES {
                let detail = "the answer has more than 64 MiB";
                return Err(Failure::new(Exit::Refused, detail));
            }
            bytes.extend_from_slice(&part);
        }
        let body = serde_json::from_slice(&bytes);
        if !status.is_success() {
            let is_problem = kind.starts_with("application/problem+json");
            let problem = body.ok().filter(|_| is_problem);
            return Err(failure(status, problem.as_ref(), route));
        }
        match body {
            Ok(body) => Ok(Self { etag, body }),
            Err(_) if bytes.is_empty() => Ok(Self {
                etag,
                body: Value::Null,
            }),
            Err(_) => Err(no_port(status)),
        }
    }
}

/// Returns the next bytes of an answer; `None` at its end.
pub(crate) async fn next_part(response: &mut Response) -> Result<Option<Vec<u8>>, Failure> {
    match response.chunk().await {
        Ok(part) => Ok(part.map(|bytes| bytes.to_vec())),
        Err(error) => Err(no_answer(&causes(&error))),
    }
}

/// Returns the failure for an answer that no admin port gives to the request.
pub(super) fn unlike_a_port(has: &str) -> Failure {
    let detail = format!("what answers there is no admin port: its answer has {has}");
    Failure::new(Exit::Refused, detail)
}

/// Returns the failure for an answer that no admin port gives.
fn no_port(status: StatusCode) -> Failure {
    let detail =
        format!("what answers there is no admin port: it answered {status}, not as one does");
    Failure {
        status: Some(status.as_u16()),
        ..Failure::new(Exit::Refused, detail)
    }
}

fn failure(status: StatusCode, problem: Option<&Value>, route: &str) -> Failure {
    let Some(problem) = problem else {
        let exit = exit(status);
        return match exit {
            // A proxy in front of the port, for example.
            Exit::NoAnswer => no_answer(&format!("a server on the way answered {status}")),
            _ => no_port(status),
        };
    };
    let text = |field: &str| problem[field].as_str();
    let (field, rule) = (text("field"), text("rule"));
    let is_missing_route = match status {
        StatusCode::NOT_FOUND => rule.is_none() && field == Some("path"),
        status => status == StatusCode::METHOD_NOT_ALLOWED,
    };
    let failure = match is_missing_route {
        true => Failure::new(
            Exit::Refused,
            format!("the service is older: its port has no {route}"),
        ),
        false => Failure {
            field: field.map(Into::into),
            allowed: text("allowed").map(Into::into),
            rule: rule.map(Into::into),
            ..Failure::new(
                exit(status),
                text("detail").map_or_else(|| status.to_string(), str::to_owned),
            )
        },
    };
    Failure {
        status: Some(status.as_u16()),
        ..failure
    }
}

fn exit(status: StatusCode) -> Exit {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Exit::MayNot,
        StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => Exit::Changed,
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Exit::NoAnswer,
        _ => Exit::Refused,
    }
}

/// Returns the text of a field, or an empty one.
pub(crate) fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_default()
}

/// Returns the number of a field, or 0.
pub(crate) fn number(value: &Value, field: &str) -> u64 {
    value[field].as_u64().unwrap_or_default()
}
