//! The protocol of a request, HTTP or gRPC, and the responses that the layer makes in it.

use std::mem;

use bytes::Bytes;
use chaos_core::{
    Injected,
    fault::{GrpcCode, GrpcStatus},
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
    /// No response has a body, as in answer to HEAD.
    None,
    /// Responses that are no success have a body, as in answer to CONNECT.
    OfFailures,
    /// Each response may have a body.
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

    /// Returns the response for a rule's answer. Its headers take the memory of those of the request.
    pub(crate) fn answer(
        &self,
        answer: &Answer,
        headers: &mut HeaderMap,
    ) -> Response<Option<Bytes>> {
        match &self.grpc {
            None => self.http(answer, headers),
            Some(content_type) => {
                self.grpc(answer.grpc_headers().clone(), content_type, answer.mark())
            }
        }
    }

    /// Returns the response for an error, for a surface that cannot return one. `line` returns the text of the error
    /// and a line break. The headers take the memory of those of the request.
    pub(crate) fn failure(
        &self,
        injected: &Injected,
        line: impl FnOnce() -> Bytes,
        mark: &HeaderValue,
        headers: &mut HeaderMap,
    ) -> Response<Option<Bytes>> {
        let Some(content_type) = &self.grpc else {
            let line = match self.marks {
                true => line(),
                false => [injected.message(), "\n"].concat().into(),
            };
            empty(headers);
            headers.insert(header::CONTENT_TYPE, PLAIN);
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            return self.response(status, headers, Some(line), mark);
        };
        let code = GrpcCode::from(injected.kind());
        let status = match self.marks {
            true => GrpcStatus::new(code, &injected.to_string()),
            false => GrpcStatus::new(code, injected.message()),
        };
        self.grpc(status.to_headers(), content_type, mark)
    }

    /// Adds the rule to the headers of a response that it changed.
    pub(crate) fn mark(&self, headers: &mut HeaderMap, mark: &HeaderValue) {
        if self.marks {
            headers.append(FAULT_HEADER, mark.clone());
        }
    }

    /// Returns the trailers of a rule's gRPC status, marked with the rule.
    pub(crate) fn trailers(&self, answer: &Answer) -> HeaderMap {
        let mut headers = answer.grpc_headers().clone();
        self.mark_alone(&mut headers, answer.mark());
        headers
    }

    /// Returns a response of headers and no body, which gRPC calls trailers-only.
    fn grpc(
        &self,
        mut headers: HeaderMap,
        content_type: &HeaderValue,
        mark: &HeaderValue,
    ) -> Response<Option<Bytes>> {
        self.mark_alone(&mut headers, mark);
        headers.insert(header::CONTENT_TYPE, content_type.clone());
        let mut response = Response::new(None);
        *response.headers_mut() = headers;
        response
    }

    fn http(&self, answer: &Answer, headers: &mut HeaderMap) -> Response<Option<Bytes>> {
        let http = answer.http();
        empty(headers);
        if !http.header_map().is_empty() {
            for (name, value) in http.header_map() {
                headers.append(name, value.clone());
            }
        }
        let mut body = http.content().filter(|_| http.allows_body());
        if http.content().is_none() && http.allows_body() {
            // A line of text for a person who reads it.
            body = Some(answer.line(self.marks));
            headers.entry(header::CONTENT_TYPE).or_insert(PLAIN);
        }
        self.response(http.status(), headers, body.cloned(), answer.mark())
    }

    fn response(
        &self,
        status: StatusCode,
        headers: &mut HeaderMap,
        mut body: Option<Bytes>,
        mark: &HeaderValue,
    ) -> Response<Option<Bytes>> {
        // A server of HTTP/2 would send the body, and not every router drops it.
        if let Some(body) = body.take_if(|_| self.bodies.is_none()) {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        self.mark_alone(headers, mark);
        let mut response = Response::new(body);
        *response.status_mut() = status;
        mem::swap(response.headers_mut(), headers);
        response
    }

    /// Marks a response that the rule made as a whole.
    fn mark_alone(&self, headers: &mut HeaderMap, mark: &HeaderValue) {
        if self.marks {
            headers.insert(FAULT_HEADER, mark.clone());
        }
    }
}

const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Empties the headers of a request. A response in its place takes over their memory, unless that is much more than it
/// needs.
fn empty(headers: &mut HeaderMap) {
    const MOST: usize = 64;
    match headers.capacity() > MOST {
        true => *headers = HeaderMap::new(),
        false => headers.clear(),
    }
}
