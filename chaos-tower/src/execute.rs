//! Executes the plans for one request, in order.

mod at_once;
pub(crate) mod cut_means;
pub(crate) mod deadline;
pub(crate) mod measure;
pub(crate) mod outcome;
pub(crate) mod protocol;
pub(crate) mod race;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod response_wait;
pub(crate) mod upload;

use chaos_core::{Decision, decision::WatchedCall};
use http::{HeaderMap, Request, Response};
use tower_service::Service;

pub(crate) use self::at_once::end_at_once;
use crate::{
    body::FaultBody,
    connection::{Connection, peer_watch::INTERVAL},
    execute::{
        cut_means::CutMeans,
        deadline::Deadline,
        measure::{Report, over, report},
        outcome::Outcome,
        request::{NextAction, PlannedRequest},
    },
    surface::{Bodies, HttpBody, HttpSurface, RequestBody, Surface},
};

/// Serves one request that a rule hits, and measures its result if guard rails watch.
pub(crate) fn execute<S, M, A, B>(
    inner: S,
    request: Request<A>,
    decision: Decision,
    watched_call: Option<WatchedCall>,
) -> impl Future<Output = Result<M::Response, M::Error>>
where
    S: Service<Request<RequestBody<M, A>>, Response = Response<B>>,
    M: HttpSurface<A, B, S::Error>,
    A: HttpBody,
    B: HttpBody,
{
    let report = report(watched_call.as_ref());
    let result = execute_plans::<S, M, A, B>(inner, request, decision, report);
    over(watched_call, result)
}

/// Returns the result of a call whose deadline has passed.
#[cold]
fn out_of_time<M, B, E>() -> Result<M::Response, M::Error>
where
    M: Bodies<B> + Surface<Response<B>, E, Response = Response<<M as Bodies<B>>::Body>>,
    B: HttpBody,
{
    let result = Outcome::OutOfTime.into_result::<M, B, E>();
    result.map(|response| response.map(<M as Bodies<B>>::take))
}

/// Returns the result for a client that has gone, which receives nothing, whatever it is. Reports that.
fn disconnected<M, B, E>(report: Option<Box<Report>>) -> Result<M::Response, M::Error>
where
    M: Bodies<B> + Surface<Response<B>, E, Response = Response<<M as Bodies<B>>::Body>>,
    B: HttpBody,
{
    if let Some(report) = report {
        report.left();
    }
    let result = Outcome::Disconnected.into_result::<M, B, E>();
    result.map(|response| response.map(<M as Bodies<B>>::take))
}

/// Executes the plans that come before the inner call, calls `inner` unless a plan replaces the call,
/// and executes the plans for the response, whoever has made it.
///
/// Thousands of requests may wait in this future, so it holds the request once, and boxes what few
/// calls need.
pub(crate) fn execute_plans<S, M, A, B>(
    mut inner: S,
    request: Request<A>,
    mut decision: Decision,
    report: Option<Box<Report>>,
) -> impl Future<Output = Result<M::Response, M::Error>>
where
    S: Service<Request<RequestBody<M, A>>, Response = Response<B>>,
    M: HttpSurface<A, B, S::Error>,
    A: HttpBody,
    B: HttpBody,
{
    let cut_means = CutMeans::of::<M, A, B>(M::HOLDS_ERRORS);
    let mut planned = PlannedRequest::new(request, decision.marks(), cut_means);
    async move {
        let mut ending = None;
        while let Some(plan) = decision.next_plan_if(|plan| planned.begins(plan)) {
            let wait = match planned.add(plan, &mut decision) {
                NextAction::Continue => continue,
                NextAction::Wait(wait) => wait,
                NextAction::Finish(ends) => {
                    ending = Some(ends);
                    continue;
                }
            };
            // Nobody can have gone for long when a short one is over.
            let looks = wait.time() > INTERVAL && planned.upload.hides_client(&planned.head);
            if !looks && planned.deadline.is_none() {
                decision.wait(wait).await;
                continue;
            }
            let (time, wait) = (wait.time(), decision.wait(wait));
            let upload = (planned.upload).wait(Box::pin(wait), time, &planned.head);
            match Box::pin(Deadline::bound(planned.deadline.as_deref(), upload)).await {
                Ok(Some(upload)) => planned.upload = upload,
                Ok(None) => return disconnected::<M, B, S::Error>(report),
                Err(_) => return out_of_time::<M, B, S::Error>(),
            }
            if let Some(deadline) = &planned.deadline {
                deadline.write_grpc(&mut planned.head.headers);
            }
        }
        let PlannedRequest {
            protocol,
            head,
            mut upload,
            response: mut response_plan,
            cut_means,
            answer_on_signal,
            cuts_on_signal,
            deadline,
        } = planned;
        upload.begin(ending.is_none(), &head.headers);
        response_plan.drop_dead_signals();
        let answer_on_signal = answer_on_signal.filter(|answer| answer.0.may_fire());
        let mut connection = response_plan.to_look_at(|| Connection::to_look_at(&head));
        let result = match (ending, answer_on_signal) {
            (Some(ending), _) => {
                // A service releases what it has reserved for the call.
                drop((inner, upload));
                let outcome = ending.outcome(&protocol, cut_means, M::HOLDS_ERRORS, head);
                if response_plan.is_empty() && cuts_on_signal.is_empty() && report.is_none() {
                    let result = outcome.into_result::<M, B, S::Error>();
                    return result.map(|response| response.map(<M as Bodies<B>>::take));
                }
                Err(Box::new(outcome))
            }
            (None, None) => Ok(inner.call(upload.request::<M::Requests>(head)).await),
            (None, Some(answer_on_signal)) => {
                let (signal, answer) = *answer_on_signal;
                let call = inner.call(upload.request::<M::Requests>(head));
                let result = Box::pin(race::unless(signal.fired(), call)).await;
                // The inner service has not responded yet, so this is the whole response.
                result.ok_or_else(|| {
                    let answer = protocol.answer(&answer, &mut HeaderMap::new());
                    Box::new(Outcome::Answer(answer))
                })
            }
        };
        let mut cuts = cuts_on_signal.into_iter();
        let result = match cuts.find(|(signal, _)| signal.has_fired()) {
            Some((_, cut)) => Err(Box::new(cut)),
            None => result,
        };
        if response_plan.waits() {
            let waits = response_plan.wait_all(&mut connection);
            match Box::pin(Deadline::bound(deadline.as_deref(), waits)).await {
                Ok(true) => {}
                Ok(false) => return disconnected::<M, B, S::Error>(report),
                Err(_) => return out_of_time::<M, B, S::Error>(),
            }
        }
        let (response, changes) = match result {
            Ok(Ok(response)) => {
                let changes = response_plan.begin(&response, &protocol);
                let is_measured = report.as_ref().is_some_and(|report| report.needs_body())
                    && !response.body().is_end_stream();
                if !changes && !is_measured {
                    return M::pass(Ok(response));
                }
                (response.map(FaultBody::pass), changes)
            }
            Ok(Err(error)) => return M::pass(Err(error)),
            Err(outcome) => {
                let is_response = outcome.is_response();
                let response = outcome.into_result::<M, B, S::Error>()?;
                let changes = is_response && response_plan.begin(&response, &protocol);
                (response, changes)
            }
        };
        let response = match changes {
            true => response_plan.apply(response, &protocol, M::HOLDS_ERRORS, connection),
            false => response,
        };
        let response = match report {
            Some(report) => report.watch(response, &protocol),
            None => response,
        };
        Ok(response.map(<M as Bodies<B>>::take))
    }
}
