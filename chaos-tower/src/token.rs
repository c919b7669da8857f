//! Tokens on their way: opened where a request comes in, and passed on where one goes out.

mod envoy_headers;
mod pass_token;
mod token_counts;
mod token_overlays;

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use chaos_core::{InOverlay, Injector, Overlay, SiteGlob, TokenKey};
use http::{HeaderName, Request};
use tower_layer::Layer;
use tower_service::Service;

use self::token_overlays::TokenOverlays;
pub use self::{
    pass_token::{PassToken, PassTokenLayer},
    token_counts::TokenCounts,
};

/// The header that a token comes in.
pub const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-chaos-token");

/// A [`Layer`] that lets a request with a signed token bring rules of its own: they hit what is called
/// for this request, and nothing else.
///
/// It stands outside of the [`InjectLayer`](crate::InjectLayer)s whose sites the rules aim at.
///
/// - **A token** is in the header `x-chaos-token`, signed by the [`TokenKey`], and within the policy of
///   the injector. Its rules are an [`Overlay`] until it expires, shared by all requests that bring the
///   same token: so a `limit` holds over all tries of one client. A thousand tokens are remembered;
///   where there are more, the one that was used longest ago starts anew when it comes again.
/// - **Any other** (forged, expired, larger than 8 KiB, sent twice) is ignored and [counted](Self::counts),
///   and the request goes on as if it had none. Nothing of it is evaluated.
/// - **The overlay** is around the call and its future. What a body does after the answer's head is out
///   is outside of it, and so are tasks that are not [carried](Overlay::carry).
/// - **Without a token**, a request costs the look for one header.
/// - Dropping the future ends the call as ever; the overlay stays until the token expires.
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use axum::{Router, routing::get};
/// use chaos_core::TokenKey;
/// use chaos_tower::{InjectLayer, TokenLayer};
///
/// let key = TokenKey::new(b"not this one, but 32 bytes of your own")?;
/// let app = Router::<()>::new()
///     .route("/", get(async || "hello"))
///     .layer(InjectLayer::new("http.server"))
///     .layer(TokenLayer::new(key));
/// # drop(app);
/// # }
/// # Ok::<(), chaos_core::TokenKeyError>(())
/// ```
#[derive(Clone)]
pub struct TokenLayer {
    tokens: Arc<TokenOverlays>,
    envoy: Option<SiteGlob>,
}

impl TokenLayer {
    /// On the process's own injector.
    #[must_use]
    pub fn new(key: TokenKey) -> Self {
        Self::with_injector(key, chaos_core::global())
    }

    /// On an injector of your own.
    #[must_use]
    pub fn with_injector(key: TokenKey, injector: &Injector) -> Self {
        Self {
            tokens: Arc::new(TokenOverlays::new(key, injector)),
            envoy: None,
        }
    }

    /// Understands Envoy's `x-envoy-fault-*` headers, too, of requests with a valid token, and of no
    /// others: `abort-request`, `abort-grpc-request`, `delay-request` (milliseconds) and
    /// `throughput-response` (KiB/s), each with its `-percentage`. They hit this one request at `site`,
    /// within the policy. As in Envoy, each draws for itself, and a value that is none is ignored.
    ///
    /// A token must hold a rule. To let a caller use these headers and do nothing else, give it one in
    /// mode `shadow`.
    #[must_use]
    pub fn envoy_headers(mut self, site: SiteGlob) -> Self {
        self.envoy = Some(site);
        self
    }

    /// How many tokens were accepted, and how many ignored, and why.
    #[must_use]
    pub fn counts(&self) -> TokenCounts {
        self.tokens.counts()
    }
}

impl fmt::Debug for TokenLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenLayer")
            .field("counts", &self.counts())
            .field("envoy", &self.envoy)
            .finish()
    }
}

impl<S> Layer<S> for TokenLayer {
    type Service = OpenOverlay<S>;

    fn layer(&self, inner: S) -> OpenOverlay<S> {
        let layer = self.clone();
        OpenOverlay { inner, layer }
    }
}

/// A [`Service`] that calls another in the overlay that a request's token opens.
///
/// [`TokenLayer`] makes it.
#[derive(Clone, Debug)]
pub struct OpenOverlay<S> {
    inner: S,
    layer: TokenLayer,
}

impl<S, A> Service<Request<A>> for OpenOverlay<S>
where
    S: Service<Request<A>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = InOverlay<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Request<A>) -> InOverlay<S::Future> {
        if chaos_core::COMPILED_OUT || !request.headers().contains_key(TOKEN_HEADER) {
            return Overlay::carry(self.inner.call(request));
        }
        self.call_with_token(request)
    }
}

impl<S> OpenOverlay<S> {
    #[cold]
    fn call_with_token<A>(&mut self, request: Request<A>) -> InOverlay<S::Future>
    where
        S: Service<Request<A>>,
    {
        let tokens = &self.layer.tokens;
        let Some(token) = tokens.open(request.headers()) else {
            return Overlay::carry(self.inner.call(request));
        };
        let site = self.layer.envoy.as_ref();
        let asked = site.and_then(|site| tokens.asked(request.headers(), site, &token));
        // The decision falls in `call`, and what was decided happens in the future.
        token.overlay.run_sync(|| match asked {
            Some(asked) => asked.run_sync(|| Overlay::carry(self.inner.call(request))),
            None => Overlay::carry(self.inner.call(request)),
        })
    }
}
