//! Handing the token of the request under way to the services that it calls.

use std::task::{Context, Poll};

use chaos_core::Overlay;
use http::{HeaderMap, HeaderValue, Request};
use tower_layer::Layer;
use tower_service::Service;

use super::TOKEN_HEADER;

/// A [`Layer`] for clients: adds the token of the overlay around the call to requests that go out, so
/// that its rules hold in the next service, too. It changes no type.
///
/// Give it to clients of services that you trust with it, and to no others: whoever has a token can use
/// it until it expires. A client that follows redirects to other hosts may take it there.
///
/// It goes above a `Buffer`, which makes its calls in a task of its own. A plain `reqwest::Client`, which
/// takes no layer of this kind, can be handed the header by hand: [`Overlay::current_token`].
#[derive(Clone, Copy, Debug, Default)]
pub struct PassTokenLayer(());

impl PassTokenLayer {
    /// The layer.
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

/// A [`Service`] that adds the token under way to its requests.
///
/// [`PassTokenLayer`] makes it.
#[derive(Clone, Copy, Debug)]
pub struct PassToken<S> {
    inner: S,
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

/// Unless one is there: then the caller knows better.
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
