//! Executes the plans for one request, in order.

pub(crate) mod outcome;
pub(crate) mod protocol;
pub(crate) mod race;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod response_wait;
pub(crate) mod upload;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use chaos_core::{
    Decision,
    decision::{WatchedBody, WatchedCall, WatchedFuture},
};
use http::{Request, Response};
use http_body::Body as _;
use tower_service::Service;

use crate::{
    body::{FaultBody, is_grpc_failure, most_bytes},
    connection::{Connection, peer_watch::INTERVAL},
    execute::{
        outcome::{CutMeans, Outcome},
        protocol::Protocol,
        request::{NextAction, PlannedRequest},
    },
    surface::{Bodies, HttpBody, HttpSurface, Surface},
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
    let watch = Watch::of(&mut decision);
    let result = execute_plans::<S, M, A, B>(inner, request, decision, watch.report());
    watch.over(result)
}

/// What guard rails measure of one call, if one measures it.
pub(crate) struct Watch {
    call: Option<Box<WatchedCall>>,
    /// Whether the client has left. Only a call that is measured needs to know.
    left: Option<Arc<AtomicBool>>,
}

/// What the execution of a call that is measured tells.
pub(crate) struct Report {
    /// Set when the client leaves.
    left: Arc<AtomicBool>,
    body: WatchedBody,
}

impl Report {
    /// Measures the body of a response, unless its head is a failure already, or there is none.
    fn watch<B: HttpBody>(
        self,
        response: Response<FaultBody<B>>,
        protocol: &Protocol,
    ) -> Response<FaultBody<B>> {
        let has_body = protocol.has_body(response.status()) && !response.body().is_end_stream();
        if is_failure(&response) || !has_body {
            return response;
        }
        let length = most_bytes(false, &response.body().size_hint(), response.headers());
        response.map(|body| body.watched(self.body, length))
    }
}

impl Watch {
    pub(crate) fn of(decision: &mut Decision) -> Self {
        let call = decision.watched_call();
        let left = (call.is_some()).then(|| Arc::new(AtomicBool::new(false)));
        Self { call, left }
    }

    /// Returns what the execution of the call is to tell.
    pub(crate) fn report(&self) -> Option<Box<Report>> {
        let (call, left) = (self.call.as_ref()?, self.left.clone()?);
        let body = call.body();
        Some(Box::new(Report { left, body }))
    }

    /// Measures the call by its result.
    pub(crate) fn over<B, E>(
        self,
        result: impl Future<Output = Result<Response<B>, E>>,
    ) -> impl Future<Output = Result<Response<B>, E>> {
        WatchedFuture::new(self.call, result, move |result| {
            let has_left = self.left.as_ref().is_some_and(|left| left.load(Relaxed));
            (!has_left).then(|| has_failed(result))
        })
    }
}

/// Whether a result is a failure: an error, or a response whose head says so.
fn has_failed<B, E>(result: &Result<Response<B>, E>) -> bool {
    result.as_ref().map_or(true, is_failure)
}

fn is_failure<B>(response: &Response<B>) -> bool {
    response.status().is_server_error() || is_grpc_failure(response.headers())
}

/// Returns the result for a client that has gone, which receives nothing, whatever it is. Reports that.
fn disconnected<M, B, E>(report: Option<Box<Report>>) -> Result<M::Response, M::Error>
where
    M: Bodies<B> + Surface<Response<B>, E, Response = Response<<M as Bodies<B>>::Body>>,
    B: HttpBody,
{
    if let Some(report) = report {
        report.left.store(true, Relaxed);
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
    S: Service<Request<<M as Bodies<A>>::Body>, Response = Response<B>>,
    M: HttpSurface<A, B, S::Error>,
    A: HttpBody,
    B: HttpBody,
{
    let cut_means = CutMeans::of::<M, A, B>(M::HOLDS_ERRORS);
    let mut planned = PlannedRequest::new(request, decision.marks(), cut_means);
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
            // Nobody can have gone for long when a short one is over.
            let looks = wait.time() > INTERVAL && planned.upload.hides_client(&planned.head);
            if !looks {
                decision.wait(wait).await;
                continue;
            }
            let (time, wait) = (wait.time(), decision.wait(wait));
            let upload = (planned.upload).wait(Box::pin(wait), time, &planned.head);
            match Box::pin(upload).await {
                Some(upload) => planned.upload = upload,
                None => return disconnected::<M, B, S::Error>(report),
            }
        }
        let PlannedRequest {
            protocol,
            head,
            mut upload,
            response: mut response_plan,
            answer_on_signal,
            cuts_on_signal,
            ..
        } = planned;
        upload.begin(outcome.is_none(), &head.headers);
        response_plan.drop_dead_signals();
        let answer_on_signal = answer_on_signal.filter(|answer| answer.0.may_fire());
        let mut connection = response_plan.to_look_at(|| Connection::to_look_at(&head));
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
        let mut cuts = cuts_on_signal.into_iter();
        let result = match cuts.find(|(signal, _)| signal.has_fired()) {
            Some((_, cut)) => Err(Box::new(cut)),
            None => result,
        };
        if response_plan.waits() && !Box::pin(response_plan.wait_all(&mut connection)).await {
            return disconnected::<M, B, S::Error>(report);
        }
        let result = match result {
            Ok(Ok(response)) if response_plan.begin(&response, &protocol) => Ok(response_plan
                .apply(
                    response.map(FaultBody::pass),
                    &protocol,
                    M::HOLDS_ERRORS,
                    connection,
                )),
            Ok(Ok(response)) if report.is_some() && !response.body().is_end_stream() => {
                Ok(response.map(FaultBody::pass))
            }
            Ok(result) => return M::pass(result),
            Err(outcome) => {
                let is_response = outcome.is_response();
                let made = outcome.into_result::<M, B, S::Error>();
                made.map(|response| {
                    let changes = is_response && response_plan.begin(&response, &protocol);
                    match changes {
                        true => {
                            response_plan.apply(response, &protocol, M::HOLDS_ERRORS, connection)
                        }
                        false => response,
                    }
                })
            }
        };
        result.map(|response| {
            let response = match report {
                Some(report) => report.watch(response, &protocol),
                None => response,
            };
            response.map(<M as Bodies<B>>::take)
        })
    }
}
