//! The protocol of a request, HTTP or gRPC, and the responses that the layer makes in it.

use bytes::Bytes;
use chaos_core::{
    Injected, RuleId,
    fault::{GrpcCode, GrpcStatus, HttpAnswer},
    plan::Answer,
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, header,
};

/// The response header that marks an injected fault: its value is the id of the rule.
pub const FAULT_HEADER: HeaderName = HeaderName::from_static("x-chaos-fault");

/// The protocol of a request, and whether responses that are changed name the rule.
#[derive(Clone, Debug)]
pub(crate) struct Protocol {
    /// The content type of the answer; `None` for HTTP.
    grpc: Option<HeaderValue>,
    bodies: ResponseBodies,
    is_http2: bool,
    marks: bool,
}

/// Which responses to a request have a body.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ResponseBodies {
    /// No response, as to HEAD.
    None,
    /// Those that are no success, as to CONNECT.
    OfFailures,
    Any,
}

impl ResponseBodies {
    /// Reads from a request which responses to it have a body.
    pub(crate) fn of<A>(request: &Request<A>) -> Self {
        match *request.method() {
            Method::HEAD => Self::None,
            Method::CONNECT => Self::OfFailures,
            _ => Self::Any,
        }
    }

    /// Whether no response has a body.
    fn is_none(self) -> bool {
        matches!(self, Self::None)
    }

    /// Whether a response has a body (RFC 9110, 6.4.1). After an upgrade, the bytes that follow belong to the
    /// connection.
    pub(crate) fn have(self, status: StatusCode) -> bool {
        let without = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
        let never = match self {
            Self::None => true,
            Self::OfFailures => status.is_success(),
            Self::Any => false,
        };
        !never && !status.is_informational() && !without.contains(&status)
    }
}

impl Protocol {
    /// Reads the protocol from a request.
    pub(crate) fn of<A>(request: &Request<A>, marks: bool) -> Self {
        let content_type = request.headers().get(header::CONTENT_TYPE);
        let grpc = content_type.filter(|it| it.as_bytes().starts_with(b"application/grpc"));
        Self {
            grpc: grpc.cloned(),
            bodies: ResponseBodies::of(request),
            is_http2: request.version() == Version::HTTP_2,
            marks,
        }
    }

    pub(crate) fn is_grpc(&self) -> bool {
        self.grpc.is_some()
    }

    /// Whether it is gRPC-Web, which has its messages and its trailers in a body of its own format. A status
    /// without messages is the same as in gRPC: in the headers.
    pub(crate) fn is_grpc_web(&self) -> bool {
        let web = |content_type: &HeaderValue| {
            content_type.as_bytes().starts_with(b"application/grpc-web")
        };
        self.grpc.as_ref().is_some_and(web)
    }

    pub(crate) fn is_http2(&self) -> bool {
        self.is_http2
    }

    /// Whether a response to the request has a body.
    pub(crate) fn has_body(&self, status: StatusCode) -> bool {
        self.bodies.have(status)
    }

    /// Returns the response for a rule's answer.
    pub(crate) fn answer(&self, answer: &Answer) -> Response<Option<Bytes>> {
        match &self.grpc {
            None => self.http(answer.http(), answer.rule()),
            Some(content_type) => self.grpc(&answer.grpc(), content_type, answer.rule()),
        }
    }

    /// Returns the response for an error, for a surface that cannot return one.
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

    /// Adds the rule to the headers of a response that it changed.
    pub(crate) fn mark(&self, headers: &mut HeaderMap, rule: &RuleId) {
        if self.marks {
            headers.append(FAULT_HEADER, value(rule));
        }
    }

    /// Returns the headers or trailers of a gRPC status, marked with the rule.
    pub(crate) fn trailers(&self, status: &GrpcStatus, rule: &RuleId) -> HeaderMap {
        let mut headers = status.to_headers();
        self.mark_alone(&mut headers, rule);
        headers
    }

    /// Returns a response of headers and no body, which gRPC calls trailers-only.
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
        // The others get a line of text for a person who reads it.
        let is_bare = !answer.allows_body();
        let (status, headers, body) = answer.into_parts();
        let line = || match self.marks {
            true => format!("{status} by chaos rule {rule}\n").into(),
            false => format!("{status}\n").into(),
        };
        let has_line = body.is_none() && !is_bare;
        let mut body = (!is_bare).then(|| body.unwrap_or_else(line));
        // A server of HTTP/2 would send the body, and not every router drops it.
        let unsent = body.take_if(|_| self.bodies.is_none());

        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        if has_line {
            let plain = HeaderValue::from_static("text/plain; charset=utf-8");
            let headers = response.headers_mut();
            headers.entry(header::CONTENT_TYPE).or_insert(plain);
        }
        if let Some(body) = unsent {
            let length = HeaderValue::from(body.len());
            response
                .headers_mut()
                .insert(header::CONTENT_LENGTH, length);
        }
        self.mark_alone(response.headers_mut(), rule);
        response
    }

    /// Marks a response that the rule made as a whole.
    fn mark_alone(&self, headers: &mut HeaderMap, rule: &RuleId) {
        if self.marks {
            headers.insert(FAULT_HEADER, value(rule));
        }
    }
}

/// The value of [`FAULT_HEADER`].
fn value(rule: &RuleId) -> HeaderValue {
    HeaderValue::from_str(rule.as_str()).expect("a rule id is a valid header value")
}
