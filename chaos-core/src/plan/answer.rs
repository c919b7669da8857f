//! A response in place of the service's own, in HTTP and in gRPC.

use std::{io, num::NonZeroU32, sync::Arc};

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
    pub(crate) rule: RuleId,
    pub(crate) site: &'static str,
    pub(crate) written: Written,
}

/// The response as the rule wrote it.
#[derive(Clone, Debug)]
pub(crate) enum Written {
    Http(Arc<HttpAnswer>),
    Grpc(GrpcStatus, Option<AfterMessages>),
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
    /// Returns the rule whose response it is: the value of the header `x-chaos-fault`.
    #[must_use]
    pub fn rule(&self) -> &RuleId {
        &self.rule
    }

    /// Returns the site at which it is injected.
    #[must_use]
    pub fn site(&self) -> &'static str {
        self.site
    }

    /// Returns the response to an HTTP call.
    #[must_use]
    pub fn http(&self) -> HttpAnswer {
        match &self.written {
            Written::Http(answer) => HttpAnswer::clone(answer),
            Written::Grpc(status, _) => HttpAnswer {
                status: status.code().to_http(),
                headers: HeaderMap::new(),
                body: Some(format!("{}\n", status.message()).into()),
            },
        }
    }

    /// Returns the status for a gRPC call.
    #[must_use]
    pub fn grpc(&self) -> GrpcStatus {
        match &self.written {
            Written::Http(answer) => {
                let code = GrpcCode::from_http(answer.status);
                GrpcStatus::new(code, &format!("injected {}", answer.status.as_u16()))
            }
            Written::Grpc(status, _) => status.clone(),
        }
    }

    /// Returns how many messages of a gRPC stream pass before the status is sent; `None` if it is
    /// sent at once.
    #[must_use]
    pub fn after_messages(&self) -> Option<AfterMessages> {
        match &self.written {
            Written::Http(_) => None,
            Written::Grpc(_, after) => *after,
        }
    }

    /// Converts it into an error, for code that returns no responses. The error has the kind
    /// `Other` and the HTTP response.
    #[must_use]
    pub fn into_injected(self) -> Injected {
        let (answer, message) = match &self.written {
            Written::Http(answer) => {
                let message = format!("status {}", answer.status.as_u16());
                (Arc::clone(answer), message)
            }
            Written::Grpc(status, _) => {
                let message = format!("gRPC status {}: {}", status.code(), status.message());
                (Arc::new(self.http()), message)
            }
        };
        Injected::new(self.rule, self.site, io::ErrorKind::Other, message.into())
            .with_answer(answer)
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
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
}

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
            headers: HeaderMap::new(),
            body: None,
        })
    }

    /// Sets the body and its content type, in place of the line of text.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>, content_type: HeaderValue) -> Self {
        self.body = Some(body.into());
        self.headers.insert(header::CONTENT_TYPE, content_type);
        self
    }

    /// Adds headers. A header of the same name is replaced.
    ///
    /// # Errors
    /// Returns an error if one of them frames the message, as those that
    /// [`HeaderEdit`](crate::fault::HeaderEdit) lists do.
    pub fn headers(mut self, headers: HeaderMap) -> Result<Self, RuleError> {
        headers.keys().try_for_each(may_change)?;
        self.headers.extend(headers);
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

    /// Returns the status, the headers, and the body if one was set.
    #[must_use]
    pub fn into_parts(self) -> (StatusCode, HeaderMap, Option<Bytes>) {
        (self.status, self.headers, self.body)
    }
}
