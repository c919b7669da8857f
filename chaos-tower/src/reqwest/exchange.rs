//! `Exchange`: one call of a client, converted to the types of `http`, on which plans are executed.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Extensions, Uri};
use http_body::Body as _;
use reqwest::{Body, Request, Response, ResponseBuilderExt, Url};
use tower_service::Service;

use super::deadline::bound_body;
use crate::execute::{deadline::Deadline, upload::CompleteBody};

/// The inner service for one call, with the request and response types of `http`.
///
/// It holds the request without its headers and its body. reqwest's own conversion loses what `http` has no
/// place for: the fragment of the URL, and whether there is a body.
pub(super) struct Exchange<S> {
    inner: S,
    request: Option<Request>,
    has_body: bool,
    deadline: Option<Deadline>,
}

impl<S> Exchange<S> {
    /// Returns the exchange, and the request with the headers and the body.
    pub(super) fn new(
        inner: S,
        mut request: Request,
        uri: Uri,
        deadline: Option<Deadline>,
    ) -> (Self, http::Request<Body>) {
        let body = request.body_mut().take();
        let has_body = body.is_some();
        let is_complete = body.as_ref().is_none_or(|body| body.as_bytes().is_some());
        let mut asked = http::Request::new(body.unwrap_or_default());
        *asked.method_mut() = request.method().clone();
        *asked.uri_mut() = uri;
        *asked.version_mut() = request.version();
        std::mem::swap(asked.headers_mut(), request.headers_mut());
        if is_complete {
            asked.extensions_mut().insert(CompleteBody);
        }
        let exchange = Self {
            inner,
            request: Some(request),
            has_body,
            deadline,
        };
        (exchange, asked)
    }
}

impl<S> Service<http::Request<Body>> for Exchange<S>
where
    S: Service<Request, Response = Response>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = InnerError<S::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(InnerError)
    }

    fn call(&mut self, asked: http::Request<Body>) -> Self::Future {
        let mut request = self.request.take().expect("an exchange is called once");
        let (head, body) = asked.into_parts();
        *request.headers_mut() = head.headers;
        if let Some(deadline) = self.deadline {
            *request.timeout_mut() = Some(deadline.left());
        }
        *request.body_mut() = Some(body).filter(|body| self.has_body || !body.is_end_stream());
        let answer = self.inner.call(request);
        Box::pin(async { answer.await.map(from_response).map_err(InnerError) })
    }
}

/// An error of the inner service, which distinguishes it from an injected one. It does not leave this module.
pub(super) struct InnerError<E>(pub(super) E);

impl<E> Error for InnerError<E> {}

impl<E> fmt::Debug for InnerError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InnerError").finish_non_exhaustive()
    }
}

impl<E> fmt::Display for InnerError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client failed")
    }
}

fn from_response(response: Response) -> http::Response<Body> {
    // The conversion would drop the URL, which is the one after redirects.
    let url = response.url().clone();
    let mut response = http::Response::from(response);
    response.extensions_mut().extend(with_url(url));
    response
}

/// Returns the response with the URL that it had, or with `asked` if a rule made it.
pub(super) fn into_response(
    answer: http::Response<Body>,
    asked: Url,
    deadline: Option<Deadline>,
) -> Response {
    let (mut head, body) = answer.into_parts();
    let body = match deadline {
        Some(deadline) => bound_body(deadline, body),
        None => body,
    };
    let mut extensions = with_url(asked);
    extensions.extend(head.extensions);
    head.extensions = extensions;
    http::Response::from_parts(head, body).into()
}

/// Returns the extension from which reqwest reads the URL of a response. Its type is private, so that only a
/// response builder can make it.
fn with_url(url: Url) -> Extensions {
    let mut carrier = http::Response::builder().url(url);
    carrier
        .extensions_mut()
        .map(std::mem::take)
        .unwrap_or_default()
}
