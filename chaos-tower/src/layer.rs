//! `InjectLayer`: makes services whose calls pass a site.

pub(crate) mod overlay_layer;

use std::marker::PhantomData;

use chaos_core::{Injector, Site};
use tower_layer::Layer;

use crate::{
    service::Inject,
    site_ref::SiteRef,
    surface::{BoxErrors, SameTypes, WrapBodies, WrapResponses, sealed::Sealed},
};

/// A [`Layer`] that makes every call of a service pass a site.
///
/// The layer finds or creates the site when it is made. Cloning the layer, applying it (axum may do that
/// for each request) and cloning the services that it makes each copy one reference.
///
/// `M` is the [`Surface`](crate::Surface): it selects how the stack gets injected responses, bodies and
/// errors. The crate's page has a table of which to use.
///
/// The site, which all layers of its name share, has two settings: which requests are exempt from faults,
/// and whether responses name the rule that changed them:
///
/// ```
/// use chaos_core::{Injector, Text, matcher::Exemptions};
/// use chaos_tower::InjectLayer;
///
/// let injector = Injector::new();
/// let layer = InjectLayer::with_injector("http.server", &injector);
/// layer.site().exempt(Exemptions::new().path(Text::prefix("/internal/")));
/// layer.site().mark(false);
/// ```
///
/// The abort `reset` and the key `peer` need the address of a request's peer. tonic's server provides it; axum
/// does if the router is served as `into_make_service_with_connect_info::<SocketAddr>()`. The first request
/// shows whether the address is known; if it is not, [`Injector::warnings`] reports the rules that need it.
pub struct InjectLayer<M = SameTypes> {
    site: &'static Site,
    surface: PhantomData<fn() -> M>,
}

impl InjectLayer {
    /// Creates a layer that changes no types, for axum and other servers, on the
    /// [global](chaos_core::global) injector.
    ///
    /// # Panics
    ///
    /// Panics if `site` is not a site name: parts of `A-Z a-z 0-9 _ -`, separated by dots.
    #[track_caller]
    #[must_use]
    pub fn new(site: &str) -> Self {
        Self::with_injector(site, chaos_core::global())
    }

    /// Creates a layer that changes no types, on the given injector.
    ///
    /// The layer does not keep the injector alive: when its last clone is dropped, the layer stays idle.
    ///
    /// # Panics
    ///
    /// Panics if `site` is not a site name: parts of `A-Z a-z 0-9 _ -`, separated by dots.
    #[track_caller]
    #[must_use]
    pub fn with_injector(site: &str, injector: &Injector) -> Self {
        Self {
            site: injector.site(site),
            surface: PhantomData,
        }
    }
}

impl InjectLayer {
    /// Makes the error type [`BoxError`](crate::BoxError), for clients such as tonic's `Channel`.
    ///
    /// An `error` or an `abort` fault is then an error of the kind that the client returns for the real
    /// failure, and [`Injected::find`](chaos_core::Injected::find) recognises it.
    #[must_use]
    pub fn boxed_errors(self) -> InjectLayer<BoxErrors> {
        self.with_surface()
    }
}

impl<M> InjectLayer<M> {
    /// Makes every body a [`FaultBody`](crate::FaultBody), for stacks whose body types cannot hold another
    /// body, such as hyper's `Incoming`, or those of a layer such as compression.
    ///
    /// The inner service must take a request with such a body. axum's `from_fn` does not: for a stack with it, use
    /// [`wrapped_responses`](Self::wrapped_responses).
    #[must_use]
    pub fn wrapped_bodies(self) -> InjectLayer<WrapBodies<M>> {
        self.with_surface()
    }

    /// Makes the body of every response a [`FaultBody`](crate::FaultBody), and leaves the requests as they are: for
    /// a stack of axum with layers inside that change the body of the response, such as compression.
    ///
    /// ```
    /// # #[cfg(feature = "axum")] {
    /// use std::time::Duration;
    /// use axum::{Router, extract::Request, http::StatusCode, middleware, routing::get};
    /// use chaos_tower::InjectLayer;
    /// use tower::ServiceBuilder;
    /// use tower_http::{compression::CompressionLayer, timeout::TimeoutLayer, trace::TraceLayer};
    ///
    /// async fn check(request: Request, next: middleware::Next) -> axum::response::Response {
    ///     next.run(request).await
    /// }
    ///
    /// let timeout = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_secs(5));
    /// let app: Router = Router::new().route("/", get(async || "hello")).layer(
    ///     ServiceBuilder::new()
    ///         .layer(InjectLayer::new("http.server").wrapped_responses())
    ///         .layer(CompressionLayer::new())
    ///         .layer(TraceLayer::new_for_http())
    ///         .layer(timeout)
    ///         .layer(middleware::from_fn(check)),
    /// );
    /// # drop(app);
    /// # }
    /// ```
    #[must_use]
    pub fn wrapped_responses(self) -> InjectLayer<WrapResponses<M>> {
        self.with_surface()
    }

    fn with_surface<N>(self) -> InjectLayer<N> {
        InjectLayer {
            site: self.site,
            surface: PhantomData,
        }
    }

    /// Returns the site that calls pass.
    ///
    /// [`Site::exempt`] and [`Site::mark`] change its settings, for every layer of the site.
    #[must_use]
    pub fn site(&self) -> &'static Site {
        self.site
    }
}

/// A client of hyper-util with a body that can hold any other, such as axum's:
/// `InjectLayer::new("http.client").boxed_errors().wrapped_responses()` makes it.
///
/// ```
/// # #[cfg(all(feature = "axum", feature = "client"))] {
/// use axum::body::Body;
/// use chaos_tower::{InjectClient, InjectLayer};
/// use hyper_util::{
///     client::legacy::{Client, connect::HttpConnector},
///     rt::TokioExecutor,
/// };
/// use tower::Layer;
///
/// struct Proxy {
///     client: InjectClient<Client<HttpConnector, Body>>,
/// }
///
/// let layer = InjectLayer::new("http.client").boxed_errors().wrapped_responses();
/// let client = layer.layer(Client::builder(TokioExecutor::new()).build_http());
/// let proxy = Proxy { client };
/// # drop(proxy.client);
/// # }
/// ```
pub type InjectClient<S> = Inject<S, WrapResponses<BoxErrors>>;

/// A service or a client of hyper, with any body:
/// `InjectLayer::new("http.server").boxed_errors().wrapped_bodies()` makes it.
pub type InjectHyper<S> = Inject<S, WrapBodies<BoxErrors>>;

/// tonic's `Channel`: `InjectLayer::new("http.client").boxed_errors()` makes it.
pub type InjectChannel<S> = Inject<S, BoxErrors>;

impl<S, M: Sealed> Layer<S> for InjectLayer<M> {
    type Service = Inject<S, M>;

    fn layer(&self, inner: S) -> Self::Service {
        // A client needs no peer: it fails with the error of a reset.
        if !M::BOXES_ERRORS {
            self.site.ask_for_peer();
        }
        Inject::new(inner, SiteRef::new(self.site))
    }
}

// Derives would require the traits of `M`, of which no value exists.

impl<M> Clone for InjectLayer<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for InjectLayer<M> {}

impl<M> std::fmt::Debug for InjectLayer<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InjectLayer")
            .field("site", &self.site.name())
            .finish()
    }
}
