//! How a stack takes an answer or an error that its own service did not make.
//!
//! There are two questions: does the error type stay, and does the response type stay? axum demands
//! that both do; clients want errors of their own. A [`Surface`] answers both, as one type.

use std::task::Poll;

use bytes::Bytes;
use chaos_core::{Answer, Injected};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use sealed::Sealed;

/// The response header that says an answer was made here: its value is the id of the rule.
pub const FAULT_HEADER: HeaderName = HeaderName::from_static("x-chaos-fault");

/// What a stack is given in place of its own response `T` and error `E`.
///
/// It is a choice made in types, never a value: a service holds nothing of it, and where it changes
/// nothing, it costs nothing.
///
/// Sealed: more are to come, and what they need of this trait with them.
pub trait Surface<T, E>: Sealed {
    /// The response that comes out.
    type Response;
    /// The error that comes out.
    type Error;

    /// Passes on what the inner service answered. Part of the idle path.
    fn pass(result: Result<T, E>) -> Result<Self::Response, Self::Error>;

    /// Passes on a poll of the inner service's future. Part of the idle path; a surface that changes
    /// nothing says so here, and nothing is moved.
    #[inline(always)]
    fn pass_poll(poll: Poll<Result<T, E>>) -> Poll<Result<Self::Response, Self::Error>> {
        poll.map(Self::pass)
    }

    /// Passes on that the inner service will not become ready. Part of the idle path.
    fn not_ready(error: E) -> Self::Error;

    /// Carries out an answer.
    ///
    /// # Errors
    /// Where the stack takes answers as errors.
    fn answer(answer: Answer) -> Result<Self::Response, Self::Error>;

    /// Carries out an error.
    ///
    /// # Errors
    /// Where the stack can be given one.
    fn fail(injected: Injected) -> Result<Self::Response, Self::Error>;
}

/// Keeps the error type and the response type: what axum demands, and any server takes.
///
/// A service that cannot fail (axum's error is `Infallible`) cannot be made to: an `error` fault is
/// answered with a 500. The body must be one that can hold any bytes, as axum's can.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keep;

impl Sealed for Keep {}

mod sealed {
    pub trait Sealed {}
}

impl<B: From<Bytes>, E> Surface<Response<B>, E> for Keep {
    type Response = Response<B>;
    type Error = E;

    #[inline(always)]
    fn pass(result: Result<Response<B>, E>) -> Result<Response<B>, E> {
        result
    }

    #[inline(always)]
    fn pass_poll(poll: Poll<Result<Response<B>, E>>) -> Poll<Result<Response<B>, E>> {
        poll
    }

    #[inline(always)]
    fn not_ready(error: E) -> E {
        error
    }

    fn answer(answer: Answer) -> Result<Response<B>, E> {
        let text = format!("{} by chaos rule {}\n", answer.status(), answer.rule());
        Ok(response(answer.status(), answer.rule().as_str(), text))
    }

    fn fail(injected: Injected) -> Result<Response<B>, E> {
        let (status, rule) = (StatusCode::INTERNAL_SERVER_ERROR, injected.rule());
        Ok(response(status, rule.as_str(), format!("{injected}\n")))
    }
}

fn response<B: From<Bytes>>(status: StatusCode, rule: &str, text: String) -> Response<B> {
    // These have no body; for the rest, a person may look at it.
    let bare = [
        StatusCode::NO_CONTENT,
        StatusCode::RESET_CONTENT,
        StatusCode::NOT_MODIFIED,
    ];
    let body = if bare.contains(&status) {
        None
    } else {
        Some(text)
    };
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    let content_type = body.is_some().then_some((header::CONTENT_TYPE, plain));
    let rule = HeaderValue::from_str(rule).expect("a rule id holds nothing a header could not");

    let mut response = Response::new(B::from(Bytes::from(body.unwrap_or_default())));
    *response.status_mut() = status;
    response.headers_mut().insert(FAULT_HEADER, rule);
    response.headers_mut().extend(content_type);
    response
}
