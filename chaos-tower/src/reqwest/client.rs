//! `Client`: a reqwest client whose requests pass a site, with reqwest's own methods.

use chaos_core::{Injector, Site};
use reqwest::{Error, IntoUrl, Method, Request, Response};
use tower_service::Service;

use super::request_builder::RequestBuilder;
#[cfg(feature = "token")]
use crate::token::pass_token::PassToken;
use crate::{service::Inject, site_ref::SiteRef, surface::SameTypes};

/// A [`reqwest::Client`] whose requests pass a site. It has the methods of the plain client, so that calls stay
/// as they are.
///
/// ```no_run
/// # async fn ask() -> Result<(), reqwest::Error> {
/// use std::time::Duration;
/// use chaos_tower::reqwest::Client;
///
/// let http = Client::new(reqwest::Client::new(), "http.client");
/// let price = http
///     .get("http://prices.example/teapot")
///     .timeout(Duration::from_secs(1))
///     .send()
///     .await?
///     .text()
///     .await?;
/// # drop(price);
/// # Ok(())
/// # }
/// ```
///
/// Rules decide when [`send`](RequestBuilder::send) or [`execute`](Self::execute) is called. Cloning the client is
/// cheap, and the clones share the connections. The page of the [module](super) says what the caller sees of each
/// fault.
#[derive(Clone)]
pub struct Client {
    plain: reqwest::Client,
    way: Way,
}

/// What a request passes before the plain client gets it.
#[derive(Clone, Copy)]
pub(super) struct Way {
    site: &'static Site,
    /// Whether it takes the token of the current overlay along.
    #[cfg(feature = "token")]
    passes_tokens: bool,
}

impl Way {
    pub(super) fn call(
        self,
        plain: reqwest::Client,
        request: Request,
    ) -> impl Future<Output = Result<Response, Error>> + Send + 'static {
        let mut service = Inject::<_, SameTypes>::new(plain, SiteRef::new(self.site));
        #[cfg(feature = "token")]
        if self.passes_tokens {
            return PassToken::new(service).call(request);
        }
        service.call(request)
    }
}

impl Client {
    /// Makes the requests of `plain` pass a site of the [global](chaos_core::global) injector.
    ///
    /// # Panics
    ///
    /// Panics if `site` is not a site name: parts of `A-Z a-z 0-9 _ -`, separated by dots.
    #[track_caller]
    #[must_use]
    pub fn new(plain: reqwest::Client, site: &str) -> Self {
        Self::with_injector(plain, site, chaos_core::global())
    }

    /// Makes the requests of `plain` pass a site of the given injector, which the client does not keep alive.
    ///
    /// # Panics
    ///
    /// Panics if `site` is not a site name: parts of `A-Z a-z 0-9 _ -`, separated by dots.
    #[track_caller]
    #[must_use]
    pub fn with_injector(plain: reqwest::Client, site: &str, injector: &Injector) -> Self {
        let way = Way {
            site: injector.site(site),
            #[cfg(feature = "token")]
            passes_tokens: false,
        };
        Self { plain, way }
    }

    /// Adds the token of the current [`Overlay`](chaos_core::Overlay) to each request, as
    /// [`PassTokenLayer`](crate::PassTokenLayer) does. Use it only for services that you trust.
    #[cfg(feature = "token")]
    #[must_use]
    pub fn pass_tokens(mut self) -> Self {
        self.way.passes_tokens = true;
        self
    }

    /// Starts a `GET` request.
    pub fn get<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// Starts a `POST` request.
    pub fn post<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// Starts a `PUT` request.
    pub fn put<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::PUT, url)
    }

    /// Starts a `PATCH` request.
    pub fn patch<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::PATCH, url)
    }

    /// Starts a `DELETE` request.
    pub fn delete<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::DELETE, url)
    }

    /// Starts a `HEAD` request.
    pub fn head<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::HEAD, url)
    }

    /// Starts a request with this method. If `url` is not a URL, [`send`](RequestBuilder::send) returns
    /// the error.
    pub fn request<U: IntoUrl>(&self, method: Method, url: U) -> RequestBuilder {
        RequestBuilder::new(self.plain.request(method, url), self.way)
    }

    /// Sends a request. Rules decide now, and act when the future is polled.
    ///
    /// # Errors
    ///
    /// The future returns what the plain client does, or the error that a fault makes.
    pub fn execute(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Response, Error>> + Send + use<> {
        self.way.call(self.plain.clone(), request)
    }

    /// Returns the plain client. Its requests do not pass the site.
    #[must_use]
    pub fn get_ref(&self) -> &reqwest::Client {
        &self.plain
    }

    /// Returns the site that requests pass.
    #[must_use]
    pub fn site(&self) -> &'static Site {
        self.way.site
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("plain", &self.plain)
            .field("site", &self.way.site.name())
            .finish()
    }
}
