//! Carrying plans out on one request, in the order they come in.

use bytes::Bytes;
use chaos_core::{CutKind, Decision, Plan, Side};
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{
    after::After,
    body::{BodyDeed, on_request},
    connection::Connection,
    ending::{Ending, cut_error},
    error::BoxError,
    protocol::{Protocol, grpc_headers},
    race,
    surface::{Bodies, Surface},
    upload::Upload,
};

/// One request to which something is to be done: carries out what comes before, calls `inner` if that
/// is what is left, and does to its answer what comes after.
pub(crate) async fn carry_out<S, M, A, B>(
    mut inner: S,
    request: Request<A>,
    mut decision: Decision,
) -> Result<M::Response, M::Error>
where
    S: Service<Request<<M as Bodies<A>>::Body>, Response = Response<B>>,
    M: Bodies<A>
        + Bodies<B>
        + Surface<Response<B>, S::Error, Response = Response<<M as Bodies<B>>::Body>>,
    A: Body<Data = Bytes, Error: Into<BoxError>>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let protocol = Protocol::of(request.headers());
    let (mut head, body) = request.into_parts();
    let mut upload = Upload::new(body);
    let mut after = After::default();
    let mut answered = None;
    while let Some(plan) = decision.next_plan() {
        let hold = decision.hold();
        match plan {
            Plan::Wait(wait) if wait.is_hang() => match upload.hang(decision.wait(wait)).await {
                Some(listened) => upload = listened,
                // Whatever it is answered, nobody hears it.
                None => return Ending::gone().end::<M, B, S::Error>(),
            },
            Plan::Wait(wait) => decision.wait(wait).await,
            Plan::WaitAfter(wait) => after.wait(wait, hold),
            Plan::Headers(edit, Side::Request) => edit.apply(&mut head.headers),
            Plan::Headers(edit, Side::Response) => after.headers(edit, hold),
            Plan::Bytes(deed, Side::Request) => {
                upload.push(hold, |hold| BodyDeed::Bytes(deed, hold));
            }
            Plan::Bytes(deed, Side::Response) => {
                after.body(hold, |hold| BodyDeed::Bytes(deed, hold));
            }
            Plan::Answer(answer) => match (answer.after_messages(), &protocol) {
                (Some(messages), Protocol::Grpc(_)) => {
                    let trailers = grpc_headers(&answer.grpc(), answer.rule());
                    if messages.side == Side::Response {
                        after.body(hold, |hold| BodyDeed::StatusAfter {
                            messages,
                            trailers,
                            hold,
                        });
                        continue;
                    }
                    let (counter, signal) = on_request(messages.count);
                    upload.push(hold.clone(), |hold| BodyDeed::CountMessages(counter, hold));
                    answered = Some((signal.clone(), answer));
                    after.body(hold, |hold| BodyDeed::StatusWhen {
                        signal,
                        trailers,
                        hold,
                    });
                }
                _ => return Ending::Answer(protocol.answer(&answer)).end::<M, B, S::Error>(),
            },
            Plan::Fail(injected) => {
                return Ending::fail(injected, &protocol).end::<M, B, S::Error>();
            }
            Plan::Cut(cut) => match (cut.kind(), cut.after_bytes()) {
                (CutKind::GoAway, _) => after.go_away(&Connection::of(&head.extensions)),
                (_, Some(bytes)) => {
                    let error = cut_error(cut, &protocol);
                    after.body(hold, |hold| BodyDeed::CutAfter(bytes, error, hold));
                }
                (_, None) => {
                    let ending = Ending::cut(cut, &protocol, &head.extensions);
                    return ending.end::<M, B, S::Error>();
                }
            },
        }
    }
    let call = inner.call(upload.request::<M>(head));
    let result = match answered {
        None => call.await,
        Some((signal, answer)) => match race::unless(signal.fired(), call).await {
            Some(result) => result,
            // Nothing was answered yet, so this is the whole answer.
            None => return Ending::Answer(protocol.answer(&answer)).end::<M, B, S::Error>(),
        },
    };
    after.waited().await;
    match result {
        Ok(response) if after.changes() => Ok(after.apply(response).map(<M as Bodies<B>>::take)),
        result => M::pass(result),
    }
}
