//! Ends a call whose only plan is an answer or an error: what most rules do that end a call, in a future that holds no
//! more than that needs.

use std::{
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use chaos_core::{Decision, Plan};
use http::{Request, Response};
use tower_service::Service;

use crate::{
    body::FaultBody,
    boxed_future::{BoxedFuture, pooled_future},
    execute::{outcome::Outcome, protocol::Protocol},
    surface::{Bodies, HttpBody, HttpSurface, RequestBody},
};

/// Executes the plan of a decision that [ends the call at once](Decision::ends_at_once). Calls `inner` if its rule is
/// over by then.
pub(crate) fn end_at_once<S, M, A, B>(
    inner: S,
    request: Request<A>,
    decision: Decision,
) -> BoxedFuture<Result<M::Response, M::Error>>
where
    S: Service<Request<RequestBody<M, A>>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    M: HttpSurface<A, B, S::Error>,
    A: HttpBody,
    B: HttpBody,
{
    pooled_future(EndAtOnce::<S, S::Future, M, A, B> {
        inner: Some(inner),
        request: Some(request),
        decision: Some(decision),
        served: None,
        surface: PhantomData,
    })
}

/// The future of a call that ends at once. It is written by hand, so that the request stays where it is.
struct EndAtOnce<S, F, M, A, B> {
    inner: Option<S>,
    request: Option<Request<A>>,
    decision: Option<Decision>,
    /// The call of the inner service, if the rule is over. Boxed, because few calls have one.
    served: Option<Pin<Box<F>>>,
    surface: PhantomData<fn() -> (M, B)>,
}

impl<S, F, M, A, B> Unpin for EndAtOnce<S, F, M, A, B> {}

impl<S, M, A, B> Future for EndAtOnce<S, S::Future, M, A, B>
where
    S: Service<Request<RequestBody<M, A>>, Response = Response<B>>,
    M: HttpSurface<A, B, S::Error>,
    A: HttpBody,
    B: HttpBody,
{
    type Output = Result<M::Response, M::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let (Some(decision), Some(request)) = (&mut this.decision, &mut this.request) {
            let marks = decision.marks();
            let failure = match M::HOLDS_ERRORS {
                true => None,
                false => decision.next_failure(),
            };
            if let Some(failure) = failure {
                // A service releases what it has reserved for the call.
                this.inner = None;
                let protocol = Protocol::of(request, marks);
                let error = (failure.kind(), failure.message());
                let headers = request.headers_mut();
                let line = || failure.line();
                let response = protocol.failure(error, line, failure.mark(), headers);
                return Poll::Ready(Ok(full::<M, B>(response)));
            }
            match (decision.next_plan(), decision.mark()) {
                (Some(Plan::Answer(answer)), _) => {
                    this.inner = None;
                    let protocol = Protocol::of(request, marks);
                    let response = protocol.answer(&answer, request.headers_mut());
                    return Poll::Ready(Ok(full::<M, B>(response)));
                }
                (Some(Plan::Fail(injected)), Some(mark)) => {
                    this.inner = None;
                    let protocol = Protocol::of(request, marks);
                    if M::HOLDS_ERRORS {
                        let outcome = Outcome::fail(injected, &protocol);
                        let result = outcome.into_result::<M, B, S::Error>();
                        return Poll::Ready(result.map(|it| it.map(<M as Bodies<B>>::take)));
                    }
                    let error = (injected.kind(), injected.message());
                    let line = || injected.to_line().into();
                    let headers = request.headers_mut();
                    let response = protocol.failure(error, line, mark, headers);
                    return Poll::Ready(Ok(full::<M, B>(response)));
                }
                _ => {}
            }
        }
        this.decision = None;
        if let (Some(inner), Some(request)) = (&mut this.inner, this.request.take()) {
            let call = inner.call(<M::Requests as Bodies<A>>::pass_request(request));
            this.served = Some(Box::pin(call));
        }
        match &mut this.served {
            Some(served) => served.as_mut().poll(cx).map(M::pass),
            None => unreachable!("a future that was ready is not polled"),
        }
    }
}

fn full<M: Bodies<B>, B: HttpBody>(response: Response<Option<Bytes>>) -> Response<M::Body> {
    response.map(|body| M::take(FaultBody::full(body)))
}
