//! What guard rails measure of one call: its result, its body, and whether its client left.

use std::{
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use chaos_core::decision::{WatchedBody, WatchedCall, WatchedFuture};
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;

use crate::{
    body::{FaultBody, is_grpc_failure, most_bytes},
    error::BoxError,
    execute::protocol::{Protocol, ResponseBodies},
    surface::{Bodies, HttpBody, Surface},
};

/// What the execution of a call that is measured tells.
pub(crate) struct Report {
    body: WatchedBody,
    needs_body: bool,
}

impl Report {
    /// Records that the client has left.
    pub(super) fn left(&self) {
        self.body.left();
    }

    /// Returns whether it matters how the body ends.
    pub(super) fn needs_body(&self) -> bool {
        self.needs_body
    }

    /// Measures the body of a response, unless its head is a failure already, or there is none.
    pub(super) fn watch<B: HttpBody>(
        self,
        response: Response<FaultBody<B>>,
        protocol: &Protocol,
    ) -> Response<FaultBody<B>> {
        let has_body = protocol.has_body(response.status()) && !response.body().is_end_stream();
        if !self.needs_body || is_failure(&response) || !has_body {
            return response;
        }
        watch(response, self.body)
    }
}

/// Returns what the execution of a call is to tell, if it is measured.
pub(crate) fn report(call: Option<&WatchedCall>) -> Option<Box<Report>> {
    let call = call?;
    Some(Box::new(Report {
        body: call.body()?,
        needs_body: call.needs_body(),
    }))
}

/// Measures a call by its result, if it is measured.
pub(crate) fn over<B, E>(
    call: Option<WatchedCall>,
    result: impl Future<Output = Result<Response<B>, E>>,
) -> impl Future<Output = Result<Response<B>, E>> {
    WatchedFuture::new(call, result, has_failed)
}

/// A call that is measured, and that no rule hits.
pub(crate) struct MeasuredCall {
    call: WatchedCall,
    bodies: ResponseBodies,
}

impl MeasuredCall {
    pub(crate) fn new<A>(call: WatchedCall, request: &Request<A>) -> Self {
        let bodies = ResponseBodies::of(request);
        Self { call, bodies }
    }

    /// Returns whether the call is counted for an observed rule.
    #[inline]
    pub(crate) fn is_observed(&self) -> bool {
        self.call.is_observed()
    }

    /// Serves the call until the result is dropped: an inner service decides on faults of its own when it is called.
    pub(crate) fn begin_to_serve(&self) -> Option<impl Sized + use<>> {
        self.call.begin_to_serve()
    }

    /// Measures the call by its result, which is converted for the surface `M`.
    pub(crate) fn over<F, M>(self, inner: F) -> MeasuredFuture<F, M> {
        MeasuredFuture {
            call: self,
            inner,
            surface: PhantomData,
        }
    }

    fn pass<M, B, E>(&mut self, result: Result<Response<B>, E>) -> Result<M::Response, M::Error>
    where
        M: Bodies<B> + Surface<Response<B>, E, Response = Response<<M as Bodies<B>>::Body>>,
        B: Body<Data = Bytes, Error: Into<BoxError>>,
    {
        let has_failed = has_failed(&result);
        let body = match &result {
            Ok(response) if !has_failed && self.needs_body(response) => self.call.body(),
            _ => None,
        };
        let result = match (result, body) {
            (Ok(response), Some(body)) => {
                let response = watch(response.map(FaultBody::pass), body);
                Ok(response.map(<M as Bodies<B>>::take))
            }
            (result, _) => M::pass(result),
        };
        self.call.end(has_failed);
        result
    }

    fn needs_body<B: Body>(&self, response: &Response<B>) -> bool {
        !response.body().is_end_stream()
            && self.bodies.have(response.status())
            && self.call.needs_body()
    }
}

pin_project! {
    /// The future of the inner service for a call that is measured, and that no rule hits.
    pub(crate) struct MeasuredFuture<F, M> {
        // Before the future: if this is dropped early, the call has ended before the future is dropped.
        call: MeasuredCall,
        #[pin]
        inner: F,
        surface: PhantomData<fn() -> M>,
    }
}

impl<F, M, B, E> Future for MeasuredFuture<F, M>
where
    F: Future<Output = Result<Response<B>, E>>,
    M: Bodies<B> + Surface<Response<B>, E, Response = Response<<M as Bodies<B>>::Body>>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Output = Result<M::Response, M::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let inner = this.inner;
        let result = ready!(this.call.call.poll(cx, |cx| inner.poll(cx)));
        Poll::Ready(this.call.pass::<M, B, E>(result))
    }
}

/// Measures the body of a response.
fn watch<B>(response: Response<FaultBody<B>>, body: WatchedBody) -> Response<FaultBody<B>>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let length = most_bytes(false, &response.body().size_hint(), response.headers());
    response.map(|inner| inner.watched(body, length))
}

/// Whether a result is a failure: an error, or a response whose head says so.
fn has_failed<B, E>(result: &Result<Response<B>, E>) -> bool {
    result.as_ref().map_or(true, is_failure)
}

fn is_failure<B>(response: &Response<B>) -> bool {
    response.status().is_server_error() || is_grpc_failure(response.headers())
}
