//! An answer in place of the real one, as HTTP and as gRPC say it.

use std::{io, num::NonZeroU32, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::{
    call::direction::Direction,
    error::RuleError,
    name::RuleId,
    plan::{
        grpc::{GrpcCode, GrpcStatus},
        injected::Injected,
    },
};

/// An answer in place of the real one.
///
/// It is written as one protocol says it; a call of the other gets what that maps to.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(crate) rule: RuleId,
    pub(crate) site: &'static str,
    pub(crate) written: Written,
}

#[derive(Clone, Debug)]
pub(crate) enum Written {
    Http(Arc<HttpAnswer>),
    Grpc(GrpcStatus, Option<AfterMessages>),
}

/// So many gRPC messages pass before the answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AfterMessages {
    /// How many.
    pub count: NonZeroU32,
    /// Of those sent to the server, or of those it answers.
    pub side: Direction,
}

impl Answer {
    /// The rule that answers: the value of `x-chaos-fault`.
    #[must_use]
    pub fn rule(&self) -> &RuleId {
        &self.rule
    }

    /// The site where it answers.
    #[must_use]
    pub fn site(&self) -> &'static str {
        self.site
    }

    /// What to answer over HTTP.
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

    /// What to answer over gRPC.
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

    /// The messages of a gRPC stream that pass before it is answered; `None`: at once.
    #[must_use]
    pub fn after_messages(&self) -> Option<AfterMessages> {
        match &self.written {
            Written::Http(_) => None,
            Written::Grpc(_, after) => *after,
        }
    }

    /// The same as an error, for code that gives no answers: kind `Other`, with the status in it.
    #[must_use]
    pub fn into_injected(self) -> Injected {
        let (status, message) = match &self.written {
            Written::Http(answer) => {
                let message = format!("status {}", answer.status.as_u16());
                (answer.status, message)
            }
            Written::Grpc(status, _) => {
                let message = format!("gRPC status {}: {}", status.code(), status.message());
                (status.code().to_http(), message)
            }
        };
        Injected::new(self.rule, self.site, io::ErrorKind::Other, message.into())
            .with_status(status)
    }
}

/// What a `status` fault answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
}

impl HttpAnswer {
    /// An answer with this status, and a line of text that says what it is.
    ///
    /// # Errors
    /// Outside 200 to 599, which is what an answer can have (Envoy draws the same line).
    pub fn new(code: u16) -> Result<Self, RuleError> {
        let status = StatusCode::from_u16(code).ok();
        let Some(status) = status.filter(|_| (200..600).contains(&code)) else {
            let problem = format!("{code} is no status of an answer");
            return Err(RuleError::new("status", problem, "200 to 599"));
        };
        Ok(Self {
            status,
            headers: HeaderMap::new(),
            body: None,
        })
    }

    /// With this body, in place of the line of text, and its content type.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>, content_type: HeaderValue) -> Self {
        self.body = Some(body.into());
        self.headers.insert(header::CONTENT_TYPE, content_type);
        self
    }

    /// With these headers besides.
    #[must_use]
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        self.headers.extend(headers);
        self
    }

    /// The status, from 200 to 599.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The status, the headers, and the body if one was given.
    #[must_use]
    pub fn into_parts(self) -> (StatusCode, HeaderMap, Option<Bytes>) {
        (self.status, self.headers, self.body)
    }
}
