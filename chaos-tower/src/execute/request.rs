//! The plans for one request, sorted by what they change: the request, its response, or the outcome.

use bytes::Bytes;
use chaos_core::{
    Decision, Direction, Plan,
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
        outcome::{Ending, Outcome, cut_error, truncation},
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
    pub(crate) cut_means: CutMeans,
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
    Finish(Ending),
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

    /// Adds a plan, which `decision` has just returned.
    pub(crate) fn add(&mut self, plan: Plan, decision: &mut Decision) -> NextAction {
        let ending = match plan {
            Plan::Wait(wait) => {
                self.begin_deadline();
                return NextAction::Wait(wait);
            }
            Plan::Headers(edit, Direction::Request) => {
                edit.apply(&mut self.head.headers);
                return NextAction::Continue;
            }
            Plan::Answer(answer) if self.messages_before(&answer).is_none() => {
                Some(Ending::Answer(answer))
            }
            Plan::Cut(cut) if self.cuts_now(&cut) => Some(Ending::Cut(cut)),
            Plan::Fail(injected) => {
                let mark = decision.mark().cloned();
                mark.map(|mark| Ending::Fail(injected, mark))
            }
            plan => {
                if let Some(active_call) = decision.active_call() {
                    self.add_for_later(plan, active_call);
                }
                None
            }
        };
        ending.map_or(NextAction::Continue, NextAction::Finish)
    }

    /// Adds a plan that neither waits nor ends the call now.
    fn add_for_later(&mut self, plan: Plan, active_call: ActiveCall) {
        match plan {
            Plan::WaitAfter(wait) => {
                self.begin_deadline();
                self.response.wait(wait, active_call);
            }
            Plan::Headers(edit, _) => self.response.headers(edit, active_call),
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
            Plan::Answer(answer) => self.answer_later(answer, active_call),
            Plan::Cut(cut) => self.cut_later(cut, active_call),
            Plan::Wait(_) | Plan::Fail(_) => {}
        }
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

    /// Answers after a number of messages of a gRPC stream. Messages of gRPC-Web are not counted, so that call goes
    /// on.
    fn answer_later(&mut self, answer: Answer, active_call: ActiveCall) {
        let Some(messages) = self.messages_before(&answer) else {
            return;
        };
        if self.protocol.is_grpc_web() {
            return;
        }
        let trailers = self.protocol.trailers(&answer);
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
    }

    /// Whether a cut ends the call now.
    fn cuts_now(&self, cut: &Cut) -> bool {
        cut.ends_call() && self.cut_means.can_cut(cut.kind(), &self.head)
    }

    /// Cuts the connection after the call, or the call after a number of bytes. A call that cannot be cut goes on.
    fn cut_later(&mut self, cut: Cut, active_call: ActiveCall) {
        let connection = self.cut_means.connection(&self.head.extensions);
        match (cut.kind(), cut.after_bytes()) {
            (CutKind::GoAway, _) => self.response.go_away(&connection),
            (kind, Some(after)) => {
                let reset = (kind == CutKind::Reset).then_some(connection);
                self.cut_after(after, cut, reset, active_call);
            }
            (_, None) => {}
        }
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
