//! `Inject`: the service. Its idle path is one load, one branch, and the inner call.

use std::{
    fmt,
    marker::PhantomData,
    mem,
    net::IpAddr,
    task::{Context, Poll},
};

use chaos_core::{Call, Cuts, Decision, FirstLook, LazyFacts, SiteState, decision::WatchedCall};
use http::{Request, Response};
use tower_service::Service;

use crate::{
    boxed_future::{boxed_future, pooled_future},
    connection::peer_address::peer_address,
    execute::{cut_means::CutMeans, end_at_once, execute, measure::MeasuredCall},
    future::ResponseFuture,
    site_ref::SiteRef,
    surface::{Bodies, HttpBody, HttpSurface, InnerService, RequestBody, SameTypes},
};

/// A [`Service`] whose calls pass a site before they reach the inner service.
///
/// [`InjectLayer`](crate::InjectLayer) makes it. It is ready when the inner service is.
pub struct Inject<S, M = SameTypes> {
    pub(crate) inner: S,
    pub(crate) site_ref: SiteRef,
    surface: PhantomData<fn() -> M>,
}

impl<S, M> Inject<S, M> {
    pub(crate) fn new(inner: S, site_ref: SiteRef) -> Self {
        Self {
            inner,
            site_ref,
            surface: PhantomData,
        }
    }

    /// Returns a reference to the inner service.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns a mutable reference to the inner service. Calls made with it do not pass the site.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Returns the inner service.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, M, A, B> Service<Request<A>> for Inject<S, M>
where
    S: InnerService<Request<RequestBody<M, A>>, Response = Response<B>>,
    M: HttpSurface<A, B, S::Error>,
    A: HttpBody,
    B: HttpBody,
{
    type Response = Response<<M as Bodies<B>>::Body>;
    type Error = M::Error;
    type Future = ResponseFuture<S::Future, M>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(M::not_ready)
    }

    #[inline]
    fn call(&mut self, request: Request<A>) -> Self::Future {
        if self.site_ref.is_armed() {
            call_armed(request, self)
        } else {
            ResponseFuture::pass(self.inner.call(M::Requests::pass_request(request)))
        }
    }
}

/// Serves a call of an armed site. Cold, so that the idle path is laid out as the common one.
///
/// The function looks only at what the thread has kept of the rules, and moves the request, so that the
/// compiler sees that it only reads from the place of the request; otherwise the idle path would move the
/// request too, and save registers. The request is the first parameter because that leaves the arguments of
/// the idle path where they are.
#[cold]
#[inline(never)]
fn call_armed<S, M, A, B>(
    request: Request<A>,
    service: &mut Inject<S, M>,
) -> ResponseFuture<S::Future, M>
where
    S: InnerService<Request<RequestBody<M, A>>, Response = Response<B>>,
    M: HttpSurface<A, B, S::Error>,
    A: HttpBody,
    B: HttpBody,
{
    let state = service.site_ref.state();
    if state.is_settled_unread() {
        let look = state.look();
        match look.leaves_alone() {
            true => ResponseFuture::pass(service.inner.call(M::Requests::pass_request(request))),
            false => go_on(request, look, service),
        }
    } else if state.is_settled_by_path() {
        look_closer(request, state, service)
    } else if state.may_spare_each() {
        spare_or_decide(request, service)
    } else {
        decide(request, FirstLook::NOTHING, service)
    }
}

/// Serves a call whose method and path may suffice to leave it alone. Nothing of the request's own memory is lent for
/// that to a function that is not inlined: see [`call_armed`].
#[inline(never)]
fn look_closer<S, M, A, B>(
    request: Request<A>,
    state: SiteState,
    service: &mut Inject<S, M>,
) -> ResponseFuture<S::Future, M>
where
    S: InnerService<Request<RequestBody<M, A>>, Response = Response<B>>,
    M: HttpSurface<A, B, S::Error>,
    A: HttpBody,
    B: HttpBody,
{
    let look = state.look_by(request.method(), request.uri().path());
    match look.leaves_alone() {
        true => ResponseFuture::pass(service.inner.call(M::Requests::pass_request(request))),
        false => go_on(request, look, service),
    }
}

/// Serves a call that a rule hits, and may spare.
#[inline(never)]
fn spare_or_decide<S, M, A, B>(
    request: Request<A>,
    service: &mut Inject<S, M>,
) -> ResponseFuture<S::Future, M>
where
    S: InnerService<Request<RequestBody<M, A>>, Response = Response<B>>,
    M: HttpSurface<A, B, S::Error>,
    A: HttpBody,
    B: HttpBody,
{
    match service.site_ref.spares_each(request.uri().path()) {
        true => ResponseFuture::pass(service.inner.call(M::Requests::pass_request(request))),
        false => decide(request, FirstLook::NOTHING, service),
    }
}

/// Serves a call that a look does not leave alone, or that is measured. Cold, so that the look is laid out for a call that
/// it leaves alone.
#[cold]
#[inline(never)]
fn go_on<S, M, A, B>(
    request: Request<A>,
    look: FirstLook,
    service: &mut Inject<S, M>,
) -> ResponseFuture<S::Future, M>
where
    S: InnerService<Request<RequestBody<M, A>>, Response = Response<B>>,
    M: HttpSurface<A, B, S::Error>,
    A: HttpBody,
    B: HttpBody,
{
    if look.is_to_be_measured()
        && let Some(watched_call) = service.site_ref.measure_by(request.uri().path())
    {
        return serve_measured(request, watched_call, service);
    }
    decide(request, look, service)
}

/// Asks the rules about a call, and serves it.
#[inline(never)]
fn decide<S, M, A, B>(
    request: Request<A>,
    look: FirstLook,
    service: &mut Inject<S, M>,
) -> ResponseFuture<S::Future, M>
where
    S: InnerService<Request<RequestBody<M, A>>, Response = Response<B>>,
    M: HttpSurface<A, B, S::Error>,
    A: HttpBody,
    B: HttpBody,
{
    let request = (request,);
    let facts = RequestFacts {
        request: &request.0,
        cut_means: || CutMeans::of::<M, A, B>(M::HOLDS_ERRORS),
    };
    let (method, uri, headers) = (request.0.method(), request.0.uri(), request.0.headers());
    let call = Call::http(method, uri, headers).lazy_facts(&facts);
    let decision = service.site_ref.decide_after(look, &call);
    let watched_call = service.site_ref.measure(&call, decision.as_ref());
    match decision {
        Some(decision) => serve(service, request.0, decision, watched_call),
        None => match watched_call {
            Some(watched_call) => serve_measured(request.0, watched_call, service),
            None => ResponseFuture::pass(service.inner.call(M::Requests::pass_request(request.0))),
        },
    }
}

/// Serves a call that no rule hits, and that guard rails measure.
#[cold]
#[inline(never)]
fn serve_measured<S, M, A, B>(
    request: Request<A>,
    watched_call: WatchedCall,
    service: &mut Inject<S, M>,
) -> ResponseFuture<S::Future, M>
where
    S: InnerService<Request<RequestBody<M, A>>, Response = Response<B>>,
    M: HttpSurface<A, B, S::Error>,
    A: HttpBody,
    B: HttpBody,
{
    let call = MeasuredCall::new(watched_call, &request);
    if call.is_observed() {
        return serve_observed(request, call, service);
    }
    let inner = service.inner.call(M::Requests::pass_request(request));
    ResponseFuture::boxed(pooled_future(call.over::<_, M>(inner)))
}

/// Serves a call that no rule hits, and that is counted for an observed rule: what is decided while the inner service is
/// called is decided in the call. Out of line, so that other measured calls do not pay for it.
#[cold]
#[inline(never)]
fn serve_observed<S, M, A, B>(
    request: Request<A>,
    call: MeasuredCall,
    service: &mut Inject<S, M>,
) -> ResponseFuture<S::Future, M>
where
    S: InnerService<Request<RequestBody<M, A>>, Response = Response<B>>,
    M: HttpSurface<A, B, S::Error>,
    A: HttpBody,
    B: HttpBody,
{
    let serving = call.begin_to_serve();
    let inner = service.inner.call(M::Requests::pass_request(request));
    drop(serving);
    ResponseFuture::boxed(pooled_future(call.over::<_, M>(inner)))
}

/// What rules may ask about a request. Both facts are in one place, so that a call that asks for neither pays
/// for one reference.
struct RequestFacts<'r, A, C> {
    request: &'r Request<A>,
    cut_means: C,
}

impl<A, C: Fn() -> CutMeans> LazyFacts for RequestFacts<'_, A, C> {
    fn peer(&self) -> Option<IpAddr> {
        peer_address(self.request.extensions())
    }

    #[cfg(feature = "axum")]
    fn route(&self) -> Option<&str> {
        let route = self
            .request
            .extensions()
            .get::<axum::extract::MatchedPath>();
        route.map(axum::extract::MatchedPath::as_str)
    }

    fn cuts(&self) -> Cuts {
        let Self { request, cut_means } = self;
        cut_means().cuts(request.method(), request.version(), request.extensions())
    }
}

/// Serves a call that a rule hits. Out of line, so that a call that none hits has no place for the future.
#[cold]
#[inline(never)]
fn serve<S, M, A, B>(
    service: &mut Inject<S, M>,
    request: Request<A>,
    decision: Decision,
    watched_call: Option<WatchedCall>,
) -> ResponseFuture<S::Future, M>
where
    S: InnerService<Request<RequestBody<M, A>>, Response = Response<B>>,
    M: HttpSurface<A, B, S::Error>,
    A: HttpBody,
    B: HttpBody,
{
    // `inner` was polled ready, so it is the one to call, or to drop if a fault replaces the call: that
    // releases what it reserved.
    let clone = service.inner.clone();
    let ready = mem::replace(&mut service.inner, clone);
    if watched_call.is_none() && decision.ends_at_once() {
        return ResponseFuture::boxed(end_at_once::<S, M, A, B>(ready, request, decision));
    }
    let executed = execute::<S, M, A, B>(ready, request, decision, watched_call);
    ResponseFuture::boxed(boxed_future(executed))
}

// Derives would require the traits of `M`, of which no value exists.

impl<S: Clone, M> Clone for Inject<S, M> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.site_ref)
    }
}

impl<S: fmt::Debug, M> fmt::Debug for Inject<S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inject")
            .field("inner", &self.inner)
            .field("site", &self.site_ref)
            .finish()
    }
}
