//! `RequestBuilder`: reqwest's own, and what the request passes when it is sent.

use std::{fmt::Display, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Version};
use reqwest::{Body, Error, Request, Response};
use serde_core::Serialize;

use super::client::Way;

/// A builder of one request of a [`Client`](super::Client), with the methods of [`reqwest::RequestBuilder`].
///
/// [`with`](Self::with) gives access to the other methods of that builder.
#[must_use = "a request is sent by `send`"]
pub struct RequestBuilder {
    inner: reqwest::RequestBuilder,
    way: Way,
}

impl RequestBuilder {
    pub(super) fn new(inner: reqwest::RequestBuilder, way: Way) -> Self {
        Self { inner, way }
    }

    /// Changes the request with reqwest's own builder.
    ///
    /// ```
    /// # let http = chaos_tower::reqwest::Client::new(reqwest::Client::new(), "http.client");
    /// let request = http.get("http://stock.example/").with(|builder| builder.header("x-tenant", "7"));
    /// # drop(request);
    /// ```
    pub fn with(
        self,
        change: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
    ) -> Self {
        let inner = change(self.inner);
        Self { inner, ..self }
    }

    /// Adds a header to those that the request has.
    pub fn header<K, V>(self, key: K, value: V) -> Self
    where
        HeaderName: TryFrom<K, Error: Into<http::Error>>,
        HeaderValue: TryFrom<V, Error: Into<http::Error>>,
    {
        self.with(|inner| inner.header(key, value))
    }

    /// Sets headers, in place of those of the same names.
    pub fn headers(self, headers: HeaderMap) -> Self {
        self.with(|inner| inner.headers(headers))
    }

    /// Sets the header `authorization` to a user name and a password.
    pub fn basic_auth<U: Display, P: Display>(self, username: U, password: Option<P>) -> Self {
        self.with(|inner| inner.basic_auth(username, password))
    }

    /// Sets the header `authorization` to a bearer token.
    pub fn bearer_auth<T: Display>(self, token: T) -> Self {
        self.with(|inner| inner.bearer_auth(token))
    }

    /// Sets the body.
    pub fn body<T: Into<Body>>(self, body: T) -> Self {
        self.with(|inner| inner.body(body))
    }

    /// Sets the timeout of this request, which includes the delays of faults and the body of the response.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|inner| inner.timeout(timeout))
    }

    /// Sets the HTTP version.
    pub fn version(self, version: Version) -> Self {
        self.with(|inner| inner.version(version))
    }

    /// Sets the body to a value in JSON. Needs reqwest's feature `json`.
    pub fn json<T: Serialize + ?Sized>(self, json: &T) -> Self {
        self.with(|inner| inner.json(json))
    }

    /// Sets the body to the fields of a value, in the format of HTML forms. Needs reqwest's feature `form`.
    pub fn form<T: Serialize + ?Sized>(self, form: &T) -> Self {
        self.with(|inner| inner.form(form))
    }

    /// Adds the fields of a value to the query of the URL. Needs reqwest's feature `query`.
    pub fn query<T: Serialize + ?Sized>(self, query: &T) -> Self {
        self.with(|inner| inner.query(query))
    }

    /// Returns the request, for [`Client::execute`](super::Client::execute).
    ///
    /// # Errors
    ///
    /// Returns the first error of a method of this builder.
    pub fn build(self) -> Result<Request, Error> {
        self.inner.build()
    }

    /// Returns a copy, unless the body is a stream.
    #[must_use]
    pub fn try_clone(&self) -> Option<Self> {
        let inner = self.inner.try_clone()?;
        Some(Self { inner, ..*self })
    }

    /// Sends the request. Rules decide now, and act when the future is polled.
    ///
    /// # Errors
    ///
    /// The future returns what the plain client does, or the error that a fault makes. A request that could not be
    /// built passes no site.
    pub fn send(self) -> impl Future<Output = Result<Response, Error>> + Send + 'static {
        let (plain, request) = self.inner.build_split();
        let call = request.map(|request| self.way.call(plain, request));
        async { call?.await }
    }
}

impl std::fmt::Debug for RequestBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.inner, f)
    }
}

/// Methods of reqwest's builder that its features turn on. One that the builder has itself goes before these,
/// so whether these are called says which features reqwest has; this crate cannot ask for that. What is asserted is
/// never so, and names `T`: an optimised build would otherwise find it false where nobody calls it.
#[allow(dead_code, reason = "used as long as the feature is off")]
trait WithoutFeature: Sized {
    fn json<T: ?Sized>(self, _: &T) -> Self {
        const {
            assert!(
                size_of::<&T>() == 0,
                "`json` needs the feature `json` of reqwest"
            );
        }
        self
    }

    fn form<T: ?Sized>(self, _: &T) -> Self {
        const {
            assert!(
                size_of::<&T>() == 0,
                "`form` needs the feature `form` of reqwest"
            );
        }
        self
    }

    fn query<T: ?Sized>(self, _: &T) -> Self {
        const {
            assert!(
                size_of::<&T>() == 0,
                "`query` needs the feature `query` of reqwest"
            );
        }
        self
    }
}

impl WithoutFeature for reqwest::RequestBuilder {}
