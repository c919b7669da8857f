//! The protocol that a request is answered in, HTTP or gRPC, and the answers that are made here.

use bytes::Bytes;
use chaos_core::{Answer, GrpcCode, GrpcStatus, HttpAnswer, Injected, RuleId};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

/// The response header that says what was done here: its value is the id of the rule.
pub const FAULT_HEADER: HeaderName = HeaderName::from_static("x-chaos-fault");

/// What a request says of the protocol that it is answered in.
#[derive(Clone, Debug)]
pub(crate) enum Protocol {
    Http,
    /// With the content type to answer with.
    Grpc(HeaderValue),
}

impl Protocol {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        match headers.get(header::CONTENT_TYPE) {
            Some(content_type) if content_type.as_bytes().starts_with(b"application/grpc") => {
                Self::Grpc(content_type.clone())
            }
            _ => Self::Http,
        }
    }

    /// What a rule answers.
    pub(crate) fn answer(&self, answer: &Answer) -> Response<Option<Bytes>> {
        match self {
            Self::Http => http(answer.http(), answer.rule()),
            Self::Grpc(content_type) => grpc(&answer.grpc(), content_type, answer.rule()),
        }
    }

    /// An error, where the stack has no room for one.
    pub(crate) fn failure(&self, injected: &Injected) -> Response<Option<Bytes>> {
        match self {
            Self::Http => {
                let error = HttpAnswer::new(StatusCode::INTERNAL_SERVER_ERROR.as_u16());
                let error = error.expect("500 is a status of an answer");
                let plain = HeaderValue::from_static("text/plain; charset=utf-8");
                http(error.body(format!("{injected}\n"), plain), injected.rule())
            }
            Self::Grpc(content_type) => {
                let code = GrpcCode::from(injected.kind());
                let status = GrpcStatus::new(code, &injected.to_string());
                grpc(&status, content_type, injected.rule())
            }
        }
    }
}

/// The value of [`FAULT_HEADER`].
pub(crate) fn mark(rule: &RuleId) -> HeaderValue {
    HeaderValue::from_str(rule.as_str()).expect("a rule id holds nothing a header could not")
}

/// The headers of a gRPC status, or its trailers, marked.
pub(crate) fn grpc_headers(status: &GrpcStatus, rule: &RuleId) -> HeaderMap {
    let mut headers = status.to_headers();
    headers.insert(FAULT_HEADER, mark(rule));
    headers
}

/// Headers alone, with the stream ended: what gRPC calls trailers-only.
fn grpc(status: &GrpcStatus, content_type: &HeaderValue, rule: &RuleId) -> Response<Option<Bytes>> {
    let mut response = Response::new(None);
    *response.headers_mut() = grpc_headers(status, rule);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type.clone());
    response
}

fn http(answer: HttpAnswer, rule: &RuleId) -> Response<Option<Bytes>> {
    let (status, headers, body) = answer.into_parts();
    // These have no body; for the rest, a person may look at it.
    let bare = [
        StatusCode::NO_CONTENT,
        StatusCode::RESET_CONTENT,
        StatusCode::NOT_MODIFIED,
    ];
    let is_bare = bare.contains(&status);
    let line = || format!("{status} by chaos rule {rule}\n").into();
    let has_line = body.is_none() && !is_bare;
    let body = (!is_bare).then(|| body.unwrap_or_else(line));

    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    if has_line {
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        let headers = response.headers_mut();
        headers.entry(header::CONTENT_TYPE).or_insert(plain);
    }
    response.headers_mut().insert(FAULT_HEADER, mark(rule));
    response
}
