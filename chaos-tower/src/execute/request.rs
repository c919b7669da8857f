//! The plans for one request, sorted by what they change: the request, its response, or the outcome.

use bytes::Bytes;
use chaos_core::{
    Direction, Plan,
    decision::ActiveCall,
    plan::{Answer, Cut, CutKind, Wait},
};
use http::{Request, request::Parts};
use http_body::Body;

use crate::{
    body::{BodyFault, StatusSignal, count_messages},
    connection::Connection,
    error::BoxError,
    execute::{
        outcome::{Outcome, cut_error},
        protocol::Protocol,
        response::ResponsePlan,
        upload::Upload,
    },
};

/// A request, and the changes planned for it so far.
pub(crate) struct PlannedRequest<A> {
    pub(crate) protocol: Protocol,
    pub(crate) head: Parts,
    pub(crate) upload: Upload<A>,
    pub(crate) response: ResponsePlan,
    /// The answer to give when the signal fires. Boxed, because few calls have one.
    pub(crate) answer_on_signal: Option<Box<(StatusSignal, Answer)>>,
}

/// What has to happen before the next plan is taken.
pub(crate) enum NextAction {
    Continue,
    Wait(Wait),
    /// The inner service is not called.
    Finish(Box<Outcome>),
}

impl<A: Body<Data = Bytes, Error: Into<BoxError>>> PlannedRequest<A> {
    /// `marks`: whether a response that is changed names the rule.
    pub(crate) fn new(request: Request<A>, marks: bool) -> Self {
        let protocol = Protocol::of(request.method(), request.headers(), marks);
        let (head, body) = request.into_parts();
        Self {
            protocol,
            head,
            upload: Upload::new(body),
            response: ResponsePlan::default(),
            answer_on_signal: None,
        }
    }

    /// Adds the next plan.
    pub(crate) fn add(&mut self, plan: Plan, active_call: Option<ActiveCall>) -> NextAction {
        match plan {
            Plan::Wait(wait) => return NextAction::Wait(wait),
            Plan::WaitAfter(wait) => self.response.wait(wait, active_call),
            Plan::Headers(edit, Direction::Request) => edit.apply(&mut self.head.headers),
            Plan::Headers(edit, Direction::Response) => self.response.headers(edit, active_call),
            Plan::Bytes(fault, Direction::Request) => {
                self.upload.push(active_call, |active_call| {
                    BodyFault::Bytes(fault, active_call)
                });
            }
            Plan::Bytes(fault, Direction::Response) => {
                self.response.body(active_call, |active_call| {
                    BodyFault::Bytes(fault, active_call)
                });
            }
            Plan::Answer(answer) => return self.answer(answer, active_call),
            Plan::Fail(injected) => {
                return NextAction::Finish(Box::new(Outcome::fail(injected, &self.protocol)));
            }
            Plan::Cut(cut) => return self.cut(cut, active_call),
        }
        NextAction::Continue
    }

    /// Answers at once, or after a number of messages of a gRPC stream.
    fn answer(&mut self, answer: Answer, active_call: Option<ActiveCall>) -> NextAction {
        let messages = answer.after_messages();
        let Some(messages) = messages.filter(|_| self.protocol.is_grpc()) else {
            let outcome = Outcome::Answer(self.protocol.answer(&answer));
            return NextAction::Finish(Box::new(outcome));
        };
        let trailers = self.protocol.trailers(&answer.grpc(), answer.rule());
        match messages.direction {
            Direction::Response => {
                self.response
                    .body(active_call, |active_call| BodyFault::StatusAfter {
                        messages,
                        trailers,
                        active_call,
                    });
            }
            Direction::Request => {
                let (counter, signal) = count_messages(messages.count);
                let count = |active_call| BodyFault::CountMessages(counter, active_call);
                self.upload.push(active_call.clone(), count);
                self.answer_on_signal = Some(Box::new((signal.clone(), answer)));
                self.response
                    .body(active_call, |active_call| BodyFault::StatusOnSignal {
                        signal,
                        trailers,
                        active_call,
                    });
            }
        }
        NextAction::Continue
    }

    /// Cuts at once, or after a number of bytes of the response.
    fn cut(&mut self, cut: Cut, active_call: Option<ActiveCall>) -> NextAction {
        let connection = Connection::of(&self.head.extensions);
        match (cut.kind(), cut.after_bytes()) {
            (CutKind::GoAway, _) => self.response.go_away(&connection),
            (kind, Some(bytes)) => {
                let error = cut_error(cut, &self.protocol);
                self.response.body(active_call, |active_call| match kind {
                    CutKind::Reset => BodyFault::ResetAfter(bytes, error, connection, active_call),
                    _ => BodyFault::CutAfter(bytes, error, active_call),
                });
            }
            (_, None) => {
                let outcome = Outcome::cut(cut, &self.protocol, &self.head);
                return NextAction::Finish(Box::new(outcome));
            }
        }
        NextAction::Continue
    }
}
