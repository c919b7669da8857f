//! The plans for one request, sorted by what they change: the request, its response, or the outcome.

use bytes::Bytes;
use chaos_core::{
    Direction, Plan,
    decision::ActiveCall,
    fault::{AfterBytes, AfterMessages},
    plan::{Answer, BytesPlan, Cut, CutKind, Wait},
};
use http::{Request, request::Parts};
use http_body::Body;

use crate::{
    body::{BodyCut, BodyFault, EndSignal, count_messages, end_signal},
    connection::Connection,
    error::BoxError,
    execute::{
        cut_means::CutMeans,
        deadline::Deadline,
        outcome::{Outcome, cut_error, truncation},
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
    cut_means: CutMeans,
    /// The answer to give when the signal fires. Boxed, because few calls have one.
    pub(crate) answer_on_signal: Option<Box<(EndSignal, Answer)>>,
    /// What the call ends with if a signal has fired by the time of its response.
    pub(crate) cuts_on_signal: Vec<(EndSignal, Outcome)>,
    /// The deadline of a gRPC call of a client, once a wait is planned: it bounds all waits. Boxed, because few calls
    /// have one.
    pub(crate) deadline: Option<Box<Deadline>>,
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
    pub(crate) fn new(request: Request<A>, marks: bool, cut_means: CutMeans) -> Self {
        let protocol = Protocol::of(&request, marks);
        let (head, body) = request.into_parts();
        Self {
            protocol,
            head,
            upload: Upload::new(body, cut_means.is_client()),
            response: ResponsePlan::default(),
            cut_means,
            answer_on_signal: None,
            cuts_on_signal: Vec::new(),
            deadline: None,
        }
    }

    /// Whether a plan is executed as soon as it is added. Any other begins when there is something for it to
    /// act on: a body, or a response.
    pub(crate) fn begins(&self, plan: &Plan) -> bool {
        match plan {
            Plan::Bytes(..) => false,
            Plan::Answer(answer) => self.messages_before(answer).is_none(),
            Plan::Cut(cut) => match (cut.kind(), cut.after_bytes()) {
                (CutKind::GoAway, _) => true,
                (_, Some(_)) => false,
                (kind, None) => self.cut_means.can_cut(kind, &self.head),
            },
            plan => !plan.acts_on_response(),
        }
    }

    /// Adds the next plan.
    pub(crate) fn add(&mut self, plan: Plan, active_call: ActiveCall) -> NextAction {
        match plan {
            Plan::Wait(wait) => {
                self.begin_deadline();
                return NextAction::Wait(wait);
            }
            Plan::WaitAfter(wait) => {
                self.begin_deadline();
                self.response.wait(wait, active_call);
            }
            Plan::Headers(edit, Direction::Request) => edit.apply(&mut self.head.headers),
            Plan::Headers(edit, Direction::Response) => self.response.headers(edit, active_call),
            Plan::Bytes(plan, direction) => {
                let fault = match plan {
                    BytesPlan::TruncateAfter(bytes) => {
                        let error = truncation(&active_call, &self.protocol);
                        BodyFault::Truncate(bytes, Some(error), active_call)
                    }
                    plan => BodyFault::Bytes(plan, active_call),
                };
                match direction {
                    Direction::Request => self.upload.push(fault),
                    Direction::Response => self.response.body(fault),
                }
            }
            Plan::Answer(answer) => return self.answer(answer, active_call),
            Plan::Fail(injected) => {
                return NextAction::Finish(Box::new(Outcome::fail(injected, &self.protocol)));
            }
            Plan::Cut(cut) => return self.cut(cut, active_call),
        }
        NextAction::Continue
    }

    /// Begins the deadline of a gRPC call, before its first wait. A client measures its timeout from when it is called,
    /// which is after the wait; a server has been called by then.
    fn begin_deadline(&mut self) {
        if self.cut_means.is_client() && self.protocol.is_grpc() && self.deadline.is_none() {
            self.deadline = Deadline::of_grpc(&self.head.headers).map(Box::new);
        }
    }

    /// Returns how many messages of a gRPC stream pass before an answer. A call of HTTP is answered at once.
    fn messages_before(&self, answer: &Answer) -> Option<AfterMessages> {
        answer.after_messages().filter(|_| self.protocol.is_grpc())
    }

    /// Answers at once, or after a number of messages of a gRPC stream. Messages of gRPC-Web are not counted,
    /// so that call goes on.
    fn answer(&mut self, answer: Answer, active_call: ActiveCall) -> NextAction {
        let Some(messages) = self.messages_before(&answer) else {
            let outcome = Outcome::Answer(self.protocol.answer(&answer));
            return NextAction::Finish(Box::new(outcome));
        };
        if self.protocol.is_grpc_web() {
            return NextAction::Continue;
        }
        let trailers = self.protocol.trailers(&answer.grpc(), answer.rule());
        match messages.direction {
            Direction::Response => {
                self.response.body(BodyFault::StatusAfter {
                    messages,
                    trailers,
                    active_call,
                });
            }
            Direction::Request => {
                let (counter, signal) = count_messages(messages.count);
                let count = BodyFault::CountMessages(counter, active_call.clone());
                self.upload.push(count);
                self.answer_on_signal = Some(Box::new((signal.clone(), answer)));
                self.response.body(BodyFault::StatusOnSignal {
                    signal,
                    trailers,
                    active_call,
                });
            }
        }
        NextAction::Continue
    }

    /// Cuts at once, or after a number of bytes of the request or the response. A call that cannot be cut goes on.
    fn cut(&mut self, cut: Cut, active_call: ActiveCall) -> NextAction {
        let connection = self.cut_means.connection(&self.head.extensions);
        match (cut.kind(), cut.after_bytes()) {
            (CutKind::GoAway, _) => self.response.go_away(&connection),
            (kind, Some(after)) => {
                let reset = (kind == CutKind::Reset).then_some(connection);
                self.cut_after(after, cut, reset, active_call);
            }
            (kind, None) if self.cut_means.can_cut(kind, &self.head) => {
                let outcome = Outcome::cut(cut, &self.protocol, self.cut_means, &self.head);
                return NextAction::Finish(Box::new(outcome));
            }
            (_, None) => {}
        }
        NextAction::Continue
    }

    /// Cuts the call after a number of bytes. One that is cut amid its upload has no response: the service
    /// behind reads an error, and what it returns is lost, as with a client that has gone.
    fn cut_after(
        &mut self,
        after: AfterBytes,
        cut: Cut,
        reset: Option<Connection>,
        active_call: ActiveCall,
    ) {
        let error = cut_error(cut.clone(), &self.protocol);
        let body_cut = |trigger| BodyCut {
            error,
            reset,
            trigger,
        };
        match after.direction {
            Direction::Response => {
                let fault = BodyFault::CutAfter(after.count, body_cut(None), active_call);
                self.response.body(fault);
            }
            Direction::Request => {
                let (trigger, signal) = end_signal();
                let body_cut = body_cut(Some(trigger));
                let fault = BodyFault::CutAfter(after.count, body_cut, active_call.clone());
                self.upload.push(fault);
                self.response.body(BodyFault::CutOnSignal {
                    signal: signal.clone(),
                    error: cut_error(cut.clone(), &self.protocol),
                    active_call,
                });
                let outcome = Outcome::cut(cut, &self.protocol, self.cut_means, &self.head);
                self.cuts_on_signal.push((signal, outcome));
            }
        }
    }
}
