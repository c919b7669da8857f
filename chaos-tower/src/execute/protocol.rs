//! The protocol that a request is answered in, HTTP or gRPC, and the answers that are made here.

use bytes::Bytes;
use chaos_core::{Answer, GrpcCode, GrpcStatus, HttpAnswer, Injected, RuleId};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

/// The response header that says what was done here: its value is the id of the rule.
pub const FAULT_HEADER: HeaderName = HeaderName::from_static("x-chaos-fault");

/// How a request is answered: in which protocol, and whether what is changed says so.
#[derive(Clone, Debug)]
pub(crate) struct Protocol {
    /// With the content type to answer with; HTTP has none.
    grpc: Option<HeaderValue>,
    marks: bool,
}

impl Protocol {
    /// What a request says of it.
    pub(crate) fn of(headers: &HeaderMap, marks: bool) -> Self {
        let content_type = headers.get(header::CONTENT_TYPE);
        let grpc = content_type.filter(|it| it.as_bytes().starts_with(b"application/grpc"));
        Self {
            grpc: grpc.cloned(),
            marks,
        }
    }

    pub(crate) fn is_grpc(&self) -> bool {
        self.grpc.is_some()
    }

    /// What a rule answers.
    pub(crate) fn answer(&self, answer: &Answer) -> Response<Option<Bytes>> {
        match &self.grpc {
            None => self.http(answer.http(), answer.rule()),
            Some(content_type) => self.grpc(&answer.grpc(), content_type, answer.rule()),
        }
    }

    /// An error, where the stack has no room for one.
    pub(crate) fn failure(&self, injected: &Injected) -> Response<Option<Bytes>> {
        let message = match self.marks {
            true => injected.to_string(),
            false => injected.message().to_owned(),
        };
        match &self.grpc {
            None => {
                let error = HttpAnswer::new(StatusCode::INTERNAL_SERVER_ERROR.as_u16());
                let error = error.expect("500 is a status of an answer");
                let plain = HeaderValue::from_static("text/plain; charset=utf-8");
                self.http(error.body(format!("{message}\n"), plain), injected.rule())
            }
            Some(content_type) => {
                let code = GrpcCode::from(injected.kind());
                let status = GrpcStatus::new(code, &message);
                self.grpc(&status, content_type, injected.rule())
            }
        }
    }

    /// Adds the rule that changed an answer to its headers.
    pub(crate) fn mark(&self, headers: &mut HeaderMap, rule: &RuleId) {
        if self.marks {
            headers.append(FAULT_HEADER, value(rule));
        }
    }

    /// The headers of a gRPC status, or its trailers, marked.
    pub(crate) fn trailers(&self, status: &GrpcStatus, rule: &RuleId) -> HeaderMap {
        let mut headers = status.to_headers();
        self.mark_alone(&mut headers, rule);
        headers
    }

    /// Headers alone, with the stream ended: what gRPC calls trailers-only.
    fn grpc(
        &self,
        status: &GrpcStatus,
        content_type: &HeaderValue,
        rule: &RuleId,
    ) -> Response<Option<Bytes>> {
        let mut response = Response::new(None);
        *response.headers_mut() = self.trailers(status, rule);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, content_type.clone());
        response
    }

    fn http(&self, answer: HttpAnswer, rule: &RuleId) -> Response<Option<Bytes>> {
        let (status, headers, body) = answer.into_parts();
        // These have no body; for the rest, a person may look at it.
        let bare = [
            StatusCode::NO_CONTENT,
            StatusCode::RESET_CONTENT,
            StatusCode::NOT_MODIFIED,
        ];
        let is_bare = bare.contains(&status);
        let line = || match self.marks {
            true => format!("{status} by chaos rule {rule}\n").into(),
            false => format!("{status}\n").into(),
        };
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
        self.mark_alone(response.headers_mut(), rule);
        response
    }

    /// Marks an answer that is all the rule's own.
    fn mark_alone(&self, headers: &mut HeaderMap, rule: &RuleId) {
        if self.marks {
            headers.insert(FAULT_HEADER, value(rule));
        }
    }
}

/// The value of [`FAULT_HEADER`].
fn value(rule: &RuleId) -> HeaderValue {
    HeaderValue::from_str(rule.as_str()).expect("a rule id holds nothing a header could not")
}
