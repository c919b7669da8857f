//! `PassTokenLayer`: passes the token of the current request on to the services it calls.

use std::task::{Context, Poll};

use chaos_core::Overlay;
use http::{HeaderMap, HeaderValue, Request};
use tower_layer::Layer;
use tower_service::Service;

use super::TOKEN_HEADER;

/// A [`Layer`] for clients, which adds the token of the current overlay to outgoing requests, so that its rules
/// apply in the next service, too. It changes no type.
///
/// Add it only to clients of services that you trust: a token can be used by everyone who has it until it
/// expires. A client that follows redirects to other hosts may send it there.
///
/// Put it above a `Buffer`, which makes its calls in a task of its own. The client of the module `reqwest` adds the
/// token if `pass_tokens()` was called. For a client without layers, set the header with
/// [`Overlay::current_token`].
#[derive(Clone, Copy, Debug, Default)]
pub struct PassTokenLayer(());

impl PassTokenLayer {
    /// Creates the layer.
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }
}

impl<S> Layer<S> for PassTokenLayer {
    type Service = PassToken<S>;

    fn layer(&self, inner: S) -> PassToken<S> {
        PassToken { inner }
    }
}

/// A [`Service`] that adds the token of the current overlay to its requests.
///
/// [`PassTokenLayer`] makes it.
#[derive(Clone, Copy, Debug)]
pub struct PassToken<S> {
    inner: S,
}

#[cfg(feature = "reqwest")]
impl<S> PassToken<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S, A> Service<Request<A>> for PassToken<S>
where
    S: Service<Request<A>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, mut request: Request<A>) -> S::Future {
        add_token(request.headers_mut());
        self.inner.call(request)
    }
}

#[cfg(feature = "reqwest")]
impl<S> Service<reqwest::Request> for PassToken<S>
where
    S: Service<reqwest::Request>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, mut request: reqwest::Request) -> S::Future {
        add_token(request.headers_mut());
        self.inner.call(request)
    }
}

/// Adds the token of the current overlay, unless the request has one already.
fn add_token(headers: &mut HeaderMap) {
    let token = Overlay::current_token();
    let token = token.and_then(|token| HeaderValue::try_from(token).ok());
    if let Some(mut token) = token
        && !headers.contains_key(TOKEN_HEADER)
    {
        token.set_sensitive(true);
        headers.insert(TOKEN_HEADER, token);
    }
}
