//! `InjectLayer`: makes services whose calls pass a site.

use std::marker::PhantomData;

use chaos_core::{Injector, Site};
use tower_layer::Layer;

use crate::{
    service::Inject,
    site_ref::SiteRef,
    surface::{BoxErrors, SameTypes, WrapBodies},
};

/// A [`Layer`] that makes every call of a service pass a site.
///
/// The site is made here, once: cloning the layer, applying it (axum may do that per request) and
/// cloning the services it makes copy one reference.
///
/// `M` is the [`Surface`](crate::Surface): how the stack takes injected answers and errors.
pub struct InjectLayer<M = SameTypes> {
    site: &'static Site,
    surface: PhantomData<fn() -> M>,
}

impl InjectLayer {
    /// A layer for axum and other servers that keep their types, on the process's own injector.
    ///
    /// # Panics
    /// If `site` is no site name: parts of `A-Z a-z 0-9 _ -` with dots between them.
    #[track_caller]
    #[must_use]
    pub fn new(site: &str) -> Self {
        Self::with_injector(site, chaos_core::global())
    }

    /// The same, on an injector of your own, which the layer does not keep alive: when its last
    /// clone is dropped, the layer is idle for good.
    ///
    /// # Panics
    /// As [`new`](Self::new).
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
    /// For a stack whose errors may be boxed: a client, such as tonic's `Channel`. An `error` or an
    /// `abort` is then an error of the kind that the client's own would be.
    #[must_use]
    pub fn boxed_errors(self) -> InjectLayer<BoxErrors> {
        self.with_surface()
    }
}

impl<M> InjectLayer<M> {
    /// For a stack whose bodies cannot hold another, such as hyper's own, or those that a layer like
    /// compression makes: every body becomes a [`FaultBody`](crate::FaultBody).
    #[must_use]
    pub fn wrapped_bodies(self) -> InjectLayer<WrapBodies<M>> {
        self.with_surface()
    }

    fn with_surface<N>(self) -> InjectLayer<N> {
        InjectLayer {
            site: self.site,
            surface: PhantomData,
        }
    }

    /// The site its services pass.
    #[must_use]
    pub fn site(&self) -> &'static Site {
        self.site
    }
}

impl<S, M> Layer<S> for InjectLayer<M> {
    type Service = Inject<S, M>;

    fn layer(&self, inner: S) -> Self::Service {
        Inject::new(inner, SiteRef::new(self.site))
    }
}

// Derives would ask the same of `M`, which is never a value.

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
