//! Ends a call whose only plan is an answer or an error: what most rules do that end a call, in a future that holds no
//! more than that needs.

use chaos_core::{Decision, Plan};
use http::Request;
use tower_service::Service;

use crate::{
    body::FaultBody,
    execute::{cut_means::CutMeans, outcome::Ending, protocol::Protocol},
    surface::{Bodies, HttpBody, HttpSurface, RequestBody},
};

/// Executes the plan of a decision that [ends the call at once](Decision::ends_at_once). Calls `inner` if its rule is
/// over by now.
pub(crate) async fn end_at_once<S, M, A, B>(
    mut inner: S,
    request: Request<A>,
    mut decision: Decision,
) -> Result<M::Response, M::Error>
where
    S: Service<Request<RequestBody<M, A>>, Response = http::Response<B>>,
    M: HttpSurface<A, B, S::Error>,
    A: HttpBody,
    B: HttpBody,
{
    let ending = match (decision.next_plan(), decision.mark()) {
        (Some(Plan::Answer(answer)), _) => Ending::Answer(answer),
        (Some(Plan::Fail(injected)), Some(mark)) => Ending::Fail(injected, mark.clone()),
        _ => {
            let call = inner.call(<M::Requests as Bodies<A>>::pass_request(request));
            // Boxed, because few calls come here.
            return M::pass(Box::pin(call).await);
        }
    };
    let protocol = Protocol::of(&request, decision.marks());
    let (head, body) = request.into_parts();
    // A service releases what it has reserved for the call.
    drop((inner, body));
    if let Ending::Answer(answer) = &ending {
        let answer = protocol.answer(answer, head.headers);
        return Ok(answer.map(|body| <M as Bodies<B>>::take(FaultBody::full(body))));
    }
    let cut_means = CutMeans::of::<M, A, B>(M::HOLDS_ERRORS);
    let outcome = ending.outcome(&protocol, cut_means, M::HOLDS_ERRORS, head);
    let result = outcome.into_result::<M, B, S::Error>();
    result.map(|response| response.map(<M as Bodies<B>>::take))
}
