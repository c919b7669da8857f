//! Carrying plans out on one request, in the order they come in.

pub(crate) mod outcome;
pub(crate) mod protocol;
pub(crate) mod race;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod upload;

use bytes::Bytes;
use chaos_core::{Decision, WatchedFuture};
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{
    error::BoxError,
    execute::{
        outcome::Ending,
        request::{Now, Work},
    },
    surface::{Bodies, Surface},
};

/// One request that something is to be done to, or that guard rails watch, or both.
pub(crate) fn carry_out<S, M, A, B>(
    inner: S,
    request: Request<A>,
    mut decision: Decision,
) -> impl Future<Output = Result<M::Response, M::Error>>
where
    S: Service<Request<<M as Bodies<A>>::Body>, Response = Response<B>>,
    M: Bodies<A>
        + Bodies<B>
        + Surface<Response<B>, S::Error, Response = Response<<M as Bodies<B>>::Body>>,
    A: Body<Data = Bytes, Error: Into<BoxError>>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let watched_call = decision.watched_call();
    let deeds = deeds::<S, M, A, B>(inner, request, decision);
    WatchedFuture::new(watched_call, deeds, has_failed)
}

/// Whether an answer is a failure, as far as its head says.
fn has_failed<B, E>(result: &Result<Response<B>, E>) -> bool {
    let Ok(response) = result else {
        return true;
    };
    let code = response.headers().get("grpc-status");
    response.status().is_server_error() || code.is_some_and(|code| code != "0")
}

/// One request to which something is to be done: carries out what comes before, calls `inner` if that
/// is what is left, and does to its answer what comes after.
///
/// Thousands of requests may wait in here, so it keeps the request once, and what is rare in boxes.
fn deeds<S, M, A, B>(
    mut inner: S,
    request: Request<A>,
    mut decision: Decision,
) -> impl Future<Output = Result<M::Response, M::Error>>
where
    S: Service<Request<<M as Bodies<A>>::Body>, Response = Response<B>>,
    M: Bodies<A>
        + Bodies<B>
        + Surface<Response<B>, S::Error, Response = Response<<M as Bodies<B>>::Body>>,
    A: Body<Data = Bytes, Error: Into<BoxError>>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let mut work = Work::on(request, decision.marks());
    async move {
        while let Some(plan) = decision.next_plan() {
            let active_call = decision.active_call();
            let wait = match work.take(plan, active_call) {
                Now::Nothing => continue,
                Now::Wait(wait) => wait,
                Now::End(ending) => return ending.end::<M, B, S::Error>(),
            };
            if !wait.is_hang() {
                decision.wait(wait).await;
                continue;
            }
            match Box::pin(work.upload.hang(decision.wait(wait))).await {
                Some(listened) => work.upload = listened,
                // Whatever it is answered, nobody hears it.
                None => return Ending::gone().end::<M, B, S::Error>(),
            }
        }
        let Work {
            protocol,
            head,
            upload,
            mut after,
            answered,
        } = work;
        let call = inner.call(upload.request::<M>(head));
        let result = match answered {
            None => call.await,
            Some(answered) => {
                let (signal, answer) = *answered;
                match Box::pin(race::unless(signal.fired(), call)).await {
                    Some(result) => result,
                    // Nothing was answered yet, so this is the whole answer.
                    None => {
                        let answer = Ending::Answer(protocol.answer(&answer));
                        return answer.end::<M, B, S::Error>();
                    }
                }
            }
        };
        after.waited().await;
        match result {
            Ok(response) if after.changes() => {
                Ok(after.apply(response, &protocol).map(<M as Bodies<B>>::take))
            }
            result => M::pass(result),
        }
    }
}
