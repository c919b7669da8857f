//! Rule tokens: `TokenLayer` opens the token of a request, and `PassTokenLayer` passes it on to other services.

mod envoy_headers;
pub(crate) mod pass_token;
mod refused_tokens;
mod token_counts;
mod token_overlays;

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use chaos_core::{Injector, Overlay, SiteGlob, overlay::InOverlay, token::TokenKey};
use http::{HeaderMap, HeaderName, Request};
use tower_layer::Layer;
use tower_service::Service;

use self::token_overlays::TokenOverlays;
pub use self::{
    pass_token::{PassToken, PassTokenLayer},
    token_counts::TokenCounts,
};

/// The request header that holds a rule token.
pub const TOKEN_HEADER: HeaderName = HeaderName::from_static(TOKEN_NAME);

const TOKEN_NAME: &str = "x-chaos-token";

/// A [`Layer`] that applies the rules in a signed token to the request that has the token, and to no other
/// request.
///
/// Put it outside of the [`InjectLayer`](crate::InjectLayer)s whose sites the rules name.
///
/// - **A valid token** is in the header `x-chaos-token`, signed with the [`TokenKey`], and allowed by the
///   policy of the injector. Its rules form an [`Overlay`] until the token expires. All requests with the
///   same token share the overlay, so that a `limit` holds over all attempts of one client, and is not
///   given back before the token expires. The layer keeps the overlays of 1024 tokens; while that many are
///   valid, the token of another is ignored, and counted as `crowded`.
/// - **A fault that touches more than its request** (`block`, `burn`, and the aborts `reset`, `goaway` and
///   `exit`) makes a token refused, unless the
///   [policy](chaos_core::Policy::allow_process_faults_of_tokens) allows it.
/// - **The policy's `active`, `total` and `budget`** are shared by all rules. The rules of all tokens together, and
///   Envoy's headers, may have half of each, so that the other rules still fire.
/// - **A token that the policy refuses** is counted as `refused`, and read again when the policy changes.
/// - **An invalid token** (forged, expired, larger than 8 KiB, or one of two) is ignored and
///   [counted](Self::counts), and the request is served as if it had none. Its rules are not evaluated.
/// - **The overlay** covers the call and its future. It covers neither sites that the response's body passes
///   after the head was sent, nor tasks that are not [carried](Overlay::carry) in it.
/// - **A request without a token** costs one look-up of a header, and eight bytes of the future.
/// - **Dropping the future** ends the call. The overlay stays until the token expires.
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use axum::{Router, routing::get};
/// use chaos_core::token::TokenKey;
/// use chaos_tower::{InjectLayer, TokenLayer};
///
/// let key = TokenKey::new(b"not this one, but 32 bytes of your own")?;
/// let app = Router::<()>::new()
///     .route("/", get(async || "hello"))
///     .layer(InjectLayer::new("http.server"))
///     .layer(TokenLayer::new(key));
/// # drop(app);
/// # }
/// # Ok::<(), chaos_core::token::TokenKeyError>(())
/// ```
#[derive(Clone)]
pub struct TokenLayer {
    tokens: Arc<TokenOverlays>,
    envoy: Option<SiteGlob>,
}

impl TokenLayer {
    /// Creates a layer on the [global](chaos_core::global) injector.
    #[must_use]
    pub fn new(key: TokenKey) -> Self {
        Self::with_injector(key, chaos_core::global())
    }

    /// Creates a layer on the given injector, which the layer keeps alive.
    #[must_use]
    pub fn with_injector(key: TokenKey, injector: &Injector) -> Self {
        Self {
            tokens: Arc::new(TokenOverlays::new(key, injector)),
            envoy: None,
        }
    }

    /// Also applies Envoy's `x-envoy-fault-*` headers of requests with a valid token: `abort-request`,
    /// `abort-grpc-request`, `delay-request` (milliseconds) and `throughput-response` (KiB/s), each with
    /// its `-percentage`.
    ///
    /// They hit this one request at `site`, within the policy of the injector. As in Envoy, each fault is
    /// decided independently, and an invalid value is ignored.
    ///
    /// A token may ask for 32 different sets of values. The headers of its further requests are ignored, and
    /// counted as `headers_crowded`.
    ///
    /// A token holds at least one rule. To let a caller use these headers and nothing else, sign a token with
    /// a rule in mode `shadow`.
    #[must_use]
    pub fn envoy_headers(mut self, site: SiteGlob) -> Self {
        self.envoy = Some(site);
        self
    }

    /// Returns how many tokens were accepted, and how many were ignored for each reason.
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

/// A [`Service`] that calls the inner service in the overlay of a request's token.
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
        if !chaos_core::COMPILED_OUT && has_token(request.headers()) {
            call_with_token(request, self)
        } else {
            InOverlay::nowhere(self.inner.call(request))
        }
    }
}

/// Returns whether a request has the header of a token.
fn has_token(headers: &HeaderMap) -> bool {
    /// So many names are compared in the time in which `HeaderMap` hashes the name and looks it up.
    const FEW: usize = 12;
    // A `const` would be made, and dropped, on each call.
    static NAME: HeaderName = TOKEN_HEADER;
    if headers.keys_len() > FEW {
        return headers.contains_key(&NAME);
    }
    headers.keys().any(|name| name.as_str() == TOKEN_NAME)
}

/// Serves a request with a token. Cold, and it only moves the request, for the reasons that the same function of
/// [`Inject`](crate::Inject) gives.
#[cold]
#[inline(never)]
fn call_with_token<S, A>(request: Request<A>, service: &mut OpenOverlay<S>) -> InOverlay<S::Future>
where
    S: Service<Request<A>>,
{
    service.call_in_overlay((request,))
}

impl<S> OpenOverlay<S> {
    #[inline(never)]
    fn call_in_overlay<A>(&mut self, (request,): (Request<A>,)) -> InOverlay<S::Future>
    where
        S: Service<Request<A>>,
    {
        let tokens = &self.layer.tokens;
        let Some(token) = tokens.open(request.headers()) else {
            return InOverlay::nowhere(self.inner.call(request));
        };
        let site = self.layer.envoy.as_ref();
        let asked = site.and_then(|site| tokens.asked(request.headers(), site, &token));
        // Layers decide in `call`, and faults happen in the future: the overlay covers both.
        token.overlay.run_sync(|| match asked {
            Some(asked) => asked.run_sync(|| Overlay::carry(self.inner.call(request))),
            None => Overlay::carry(self.inner.call(request)),
        })
    }
}
