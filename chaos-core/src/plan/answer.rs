//! A response in place of the service's own, in HTTP and in gRPC.

use std::{
    io,
    num::NonZeroU32,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::{
    call::direction::Direction,
    error::RuleError,
    name::RuleId,
    plan::{
        grpc::{GrpcCode, GrpcStatus},
        headers::may_change,
        injected::Injected,
    },
};

/// A response in place of the service's own.
///
/// A rule writes it for one protocol. A call of the other protocol gets what it maps to: a gRPC
/// status becomes an HTTP status, and the other way round.
#[derive(Clone, Debug)]
pub struct Answer {
    prepared: Arc<PreparedAnswer>,
    site: &'static str,
}

/// What does not depend on the call: made once for a rule, and shared by its answers.
#[derive(Debug)]
pub(crate) struct PreparedAnswer {
    rule: RuleId,
    mark: HeaderValue,
    http: Arc<HttpAnswer>,
    /// The line of text in place of a body: with the rule, and without.
    lines: [Bytes; 2],
    grpc: GrpcStatus,
    grpc_headers: HeaderMap,
    after: Option<AfterMessages>,
    /// The message of the error, for code that returns no responses.
    message: Arc<str>,
}

impl PreparedAnswer {
    /// Prepares a response that is written for HTTP.
    pub(crate) fn http(rule: &RuleId, answer: &Arc<HttpAnswer>) -> Self {
        let code = answer.status.as_u16();
        let grpc = GrpcStatus::new(
            GrpcCode::from_http(answer.status),
            &format!("injected {code}"),
        );
        Self::new(rule, Arc::clone(answer), grpc, format!("status {code}"))
    }

    /// Prepares a status that is written for gRPC.
    pub(crate) fn grpc(rule: &RuleId, status: &GrpcStatus, after: Option<AfterMessages>) -> Self {
        let (code, message) = (status.code(), status.message());
        let http = HttpAnswer {
            status: code.to_http(),
            content: Some(Box::new(Content {
                headers: HeaderMap::new(),
                body: Some(format!("{message}\n").into()),
            })),
        };
        let message = format!("gRPC status {code}: {message}");
        Self {
            after,
            ..Self::new(rule, Arc::new(http), status.clone(), message)
        }
    }

    fn new(rule: &RuleId, http: Arc<HttpAnswer>, grpc: GrpcStatus, message: String) -> Self {
        let status = http.status;
        Self {
            rule: rule.clone(),
            mark: rule.to_header_value(),
            lines: [
                format!("{status} by chaos rule {rule}\n").into(),
                format!("{status}\n").into(),
            ],
            http,
            grpc_headers: grpc.to_headers(),
            grpc,
            after: None,
            message: message.into(),
        }
    }
}

/// How many messages of a gRPC stream pass before the status is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AfterMessages {
    /// The number of messages.
    pub count: NonZeroU32,
    /// Whether messages of the request or of the response are counted.
    pub direction: Direction,
}

impl Answer {
    pub(crate) fn new(prepared: Arc<PreparedAnswer>, site: &'static str) -> Self {
        Self { prepared, site }
    }

    /// Returns the rule whose response it is: the value of the header `x-chaos-fault`.
    #[must_use]
    pub fn rule(&self) -> &RuleId {
        &self.prepared.rule
    }

    /// Returns the id of the rule as the value of a header.
    #[must_use]
    pub fn mark(&self) -> &HeaderValue {
        &self.prepared.mark
    }

    /// Returns the site at which it is injected.
    #[must_use]
    pub fn site(&self) -> &'static str {
        self.site
    }

    /// Returns the response to an HTTP call.
    #[must_use]
    pub fn http(&self) -> &HttpAnswer {
        &self.prepared.http
    }

    /// Returns the line of text for an HTTP response whose body was not set. It names the rule if it is `marked`.
    #[must_use]
    pub fn line(&self, marked: bool) -> &Bytes {
        let [with_rule, without] = &self.prepared.lines;
        if marked { with_rule } else { without }
    }

    /// Returns the status for a gRPC call.
    #[must_use]
    pub fn grpc(&self) -> &GrpcStatus {
        &self.prepared.grpc
    }

    /// Returns the status for a gRPC call and its metadata as headers, as [`GrpcStatus::to_headers`] does.
    #[must_use]
    pub fn grpc_headers(&self) -> &HeaderMap {
        &self.prepared.grpc_headers
    }

    /// Returns how many messages of a gRPC stream pass before the status is sent; `None` if it is
    /// sent at once.
    #[must_use]
    pub fn after_messages(&self) -> Option<AfterMessages> {
        self.prepared.after
    }

    /// Converts it into an error, for code that returns no responses. The error has the kind
    /// `Other` and the HTTP response.
    #[must_use]
    pub fn into_injected(self) -> Injected {
        let PreparedAnswer {
            rule,
            message,
            http,
            ..
        } = &*self.prepared;
        let kind = io::ErrorKind::Other;
        Injected::new(rule.clone(), self.site, kind, Arc::clone(message))
            .with_answer(Arc::clone(http))
    }
}

/// The HTTP response of a `status` fault.
///
/// ```
/// use chaos_core::{Fault, fault::HttpAnswer};
/// use http::HeaderValue;
///
/// let json = HeaderValue::from_static("application/json");
/// let answer = HttpAnswer::new(429)?.body(r#"{"error": "slow down"}"#, json);
/// let fault = Fault::answer(answer);
/// # drop(fault);
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    pub(crate) status: StatusCode,
    /// Most answers have neither headers nor a body of their own.
    content: Option<Box<Content>>,
}

/// What an answer has besides its status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Content {
    headers: HeaderMap,
    body: Option<Bytes>,
}

/// The headers of an answer that has none.
static NO_HEADERS: LazyLock<HeaderMap> = LazyLock::new(HeaderMap::new);

impl HttpAnswer {
    /// Creates a response with this status, and with a line of text for a body that names the rule.
    ///
    /// # Errors
    /// Returns an error if `code` is outside 200 to 599, the range that Envoy allows, too.
    pub fn new(code: u16) -> Result<Self, RuleError> {
        let status = StatusCode::from_u16(code).ok();
        let Some(status) = status.filter(|_| (200..600).contains(&code)) else {
            let problem = format!("{code} is not the status of a response");
            return Err(RuleError::new("status", problem, "200 to 599"));
        };
        Ok(Self {
            status,
            content: None,
        })
    }

    /// Sets the body and its content type, in place of the line of text.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>, content_type: HeaderValue) -> Self {
        let content = self.content.get_or_insert_default();
        content.body = Some(body.into());
        content.headers.insert(header::CONTENT_TYPE, content_type);
        self
    }

    /// Adds headers. A header of the same name is replaced.
    ///
    /// # Errors
    /// Returns an error if one of them frames the message, as those that
    /// [`HeaderEdit`](crate::fault::HeaderEdit) lists do.
    pub fn headers(mut self, headers: HeaderMap) -> Result<Self, RuleError> {
        headers.keys().try_for_each(may_change)?;
        if !headers.is_empty() {
            self.content.get_or_insert_default().headers.extend(headers);
        }
        Ok(self)
    }

    /// Returns the status, from 200 to 599.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns whether a response of this status has a body: all but 204, 205 and 304 have one.
    #[must_use]
    pub fn allows_body(&self) -> bool {
        let without = [
            StatusCode::NO_CONTENT,
            StatusCode::RESET_CONTENT,
            StatusCode::NOT_MODIFIED,
        ];
        !without.contains(&self.status)
    }

    /// Returns the headers, without those that depend on the body that is sent.
    #[must_use]
    pub fn header_map(&self) -> &HeaderMap {
        let content = self.content.as_ref();
        content.map_or(&NO_HEADERS, |content| &content.headers)
    }

    /// Returns the body, if one was set.
    #[must_use]
    pub fn content(&self) -> Option<&Bytes> {
        self.content.as_ref()?.body.as_ref()
    }

    /// Returns the status, the headers, and the body if one was set.
    #[must_use]
    pub fn into_parts(self) -> (StatusCode, HeaderMap, Option<Bytes>) {
        let Content { headers, body } = self.content.map(|content| *content).unwrap_or_default();
        (self.status, headers, body)
    }
}
