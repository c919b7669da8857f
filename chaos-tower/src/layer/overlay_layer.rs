//! A layer that runs every call of a service in one overlay.

use std::task::{Context, Poll};

use chaos_core::{Overlay, overlay::InOverlay};
use tower_layer::Layer;
use tower_service::Service;

/// A [`Layer`] that runs every call of the inner service in one [`Overlay`].
///
/// Use it in a test that starts a server. The server cannot run in an overlay, because each connection
/// is a task of its own. With this layer outside of the [`InjectLayer`](crate::InjectLayer)s, the
/// requests of that server are in the overlay, and nothing else is.
///
/// The overlay covers the call and its future, and overlays around the call stay open. It covers
/// neither sites that the response's body passes after the head was sent, nor tasks that are not
/// [carried](Overlay::carry) in it.
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use axum::{Router, routing::get};
/// use chaos_core::{Fault, Overlay, Rule, global};
/// use chaos_tower::{InjectLayer, OverlayLayer};
///
/// let overlay = Overlay::new(global());
/// let down = overlay.arm(Rule::new("down".parse()?, "http.server".parse()?, Fault::status(503)?));
/// let app = Router::<()>::new()
///     .route("/", get(async || "hello"))
///     .layer(InjectLayer::new("http.server"))
///     .layer(OverlayLayer::new(&overlay)); // in the test alone
/// # drop((app, down));
/// # }
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Debug)]
pub struct OverlayLayer {
    overlay: Overlay,
}

impl OverlayLayer {
    /// Creates a layer that runs calls in `overlay`, and keeps it open.
    #[must_use]
    pub fn new(overlay: &Overlay) -> Self {
        let overlay = overlay.clone();
        Self { overlay }
    }
}

impl<S> Layer<S> for OverlayLayer {
    type Service = RunInOverlay<S>;

    fn layer(&self, inner: S) -> RunInOverlay<S> {
        let overlay = self.overlay.clone();
        RunInOverlay { inner, overlay }
    }
}

/// A [`Service`] that runs each call of the inner service in an overlay.
///
/// [`OverlayLayer`] makes it.
#[derive(Clone, Debug)]
pub struct RunInOverlay<S> {
    inner: S,
    overlay: Overlay,
}

impl<S, R> Service<R> for RunInOverlay<S>
where
    S: Service<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = InOverlay<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.overlay.run_sync(|| self.inner.poll_ready(cx))
    }

    fn call(&mut self, request: R) -> InOverlay<S::Future> {
        // Layers decide in `call`, and faults happen in the future: the overlay covers both.
        self.overlay
            .run_sync(|| Overlay::carry(self.inner.call(request)))
    }
}
