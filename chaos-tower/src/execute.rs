//! Executes the plans for one request, in order.

pub(crate) mod outcome;
pub(crate) mod protocol;
pub(crate) mod race;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod response_wait;
pub(crate) mod upload;

use chaos_core::{Decision, decision::WatchedFuture};
use http::{Request, Response};
use tower_service::Service;

use crate::{
    body::FaultBody,
    execute::{
        outcome::Outcome,
        request::{NextAction, PlannedRequest},
    },
    surface::{Bodies, HttpBody, HttpSurface},
};

/// Serves one request that a rule hits, or whose result guard rails watch, or both.
pub(crate) fn execute<S, M, A, B>(
    inner: S,
    request: Request<A>,
    mut decision: Decision,
) -> impl Future<Output = Result<M::Response, M::Error>>
where
    S: Service<Request<<M as Bodies<A>>::Body>, Response = Response<B>>,
    M: HttpSurface<A, B, S::Error>,
    A: HttpBody,
    B: HttpBody,
{
    let watched_call = decision.watched_call();
    let result = execute_plans::<S, M, A, B>(inner, request, decision);
    WatchedFuture::new(watched_call, result, has_failed)
}

/// Whether a result is a failure: an error, or a response whose head says so.
fn has_failed<B, E>(result: &Result<Response<B>, E>) -> bool {
    let Ok(response) = result else {
        return true;
    };
    let code = response.headers().get("grpc-status");
    response.status().is_server_error() || code.is_some_and(|code| code != "0")
}

/// Executes the plans that come before the inner call, calls `inner` unless a plan replaces the call,
/// and executes the plans for the response, whoever has made it.
///
/// Thousands of requests may wait in this future, so it holds the request once, and boxes what few
/// calls need.
fn execute_plans<S, M, A, B>(
    mut inner: S,
    request: Request<A>,
    mut decision: Decision,
) -> impl Future<Output = Result<M::Response, M::Error>>
where
    S: Service<Request<<M as Bodies<A>>::Body>, Response = Response<B>>,
    M: HttpSurface<A, B, S::Error>,
    A: HttpBody,
    B: HttpBody,
{
    let mut planned = PlannedRequest::new(request, decision.marks(), M::HOLDS_ERRORS);
    async move {
        let mut outcome = None;
        while let Some(plan) = decision.next_plan_if(|plan| planned.begins(plan)) {
            let Some(active_call) = decision.active_call() else {
                continue;
            };
            let wait = match planned.add(plan, active_call) {
                NextAction::Continue => continue,
                NextAction::Wait(wait) => wait,
                NextAction::Finish(finished) => {
                    outcome = Some(finished);
                    continue;
                }
            };
            if !wait.is_hang() {
                decision.wait(wait).await;
                continue;
            }
            match Box::pin(planned.upload.hang(decision.wait(wait))).await {
                Some(upload) => planned.upload = upload,
                // The client receives no answer any more, whatever it is.
                None => {
                    let result = Outcome::Disconnected.into_result::<M, B, S::Error>();
                    return result.map(|response| response.map(<M as Bodies<B>>::take));
                }
            }
        }
        let PlannedRequest {
            protocol,
            head,
            upload,
            response: mut response_plan,
            answer_on_signal,
            ..
        } = planned;
        let result = match (outcome, answer_on_signal) {
            (Some(outcome), _) => {
                // A service releases what it has reserved for the call.
                drop((inner, upload, head));
                Err(outcome)
            }
            (None, None) => Ok(inner.call(upload.request::<M>(head)).await),
            (None, Some(answer_on_signal)) => {
                let (signal, answer) = *answer_on_signal;
                let call = inner.call(upload.request::<M>(head));
                let result = Box::pin(race::unless(signal.fired(), call)).await;
                // The inner service has not responded yet, so this is the whole response.
                result.ok_or_else(|| Box::new(Outcome::Answer(protocol.answer(&answer))))
            }
        };
        response_plan.wait_all().await;
        let result = match result {
            Ok(Ok(response)) if response_plan.begin(&response, &protocol) => {
                Ok(response_plan.apply(response.map(FaultBody::pass), &protocol))
            }
            Ok(result) => return M::pass(result),
            Err(outcome) => {
                let is_response = outcome.is_response();
                let made = outcome.into_result::<M, B, S::Error>();
                made.map(|response| {
                    let changes = is_response && response_plan.begin(&response, &protocol);
                    match changes {
                        true => response_plan.apply(response, &protocol),
                        false => response,
                    }
                })
            }
        };
        result.map(|response| response.map(<M as Bodies<B>>::take))
    }
}
