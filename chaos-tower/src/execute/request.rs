//! What is to be done to one request, as it is planned: to the request, to its answer, or instead.

use bytes::Bytes;
use chaos_core::{ActiveCall, Answer, Cut, CutKind, Direction, Plan, Wait};
use http::{Request, request::Parts};
use http_body::Body;

use crate::{
    body::{BodyDeed, StatusSignal, on_request},
    connection::Connection,
    error::BoxError,
    execute::{
        outcome::{Ending, cut_error},
        protocol::Protocol,
        response::After,
        upload::Upload,
    },
};

/// A request, and what was planned for it so far.
pub(crate) struct Work<A> {
    pub(crate) protocol: Protocol,
    pub(crate) head: Parts,
    pub(crate) upload: Upload<A>,
    pub(crate) after: After,
    /// The answer to give when its signal comes. In a box: there hardly ever is one.
    pub(crate) answered: Option<Box<(StatusSignal, Answer)>>,
}

/// What has to be done at once.
pub(crate) enum Now {
    Nothing,
    Wait(Wait),
    End(Box<Ending>),
}

impl<A: Body<Data = Bytes, Error: Into<BoxError>>> Work<A> {
    /// `marks`: whether an answer that is changed says so.
    pub(crate) fn on(request: Request<A>, marks: bool) -> Self {
        let protocol = Protocol::of(request.headers(), marks);
        let (head, body) = request.into_parts();
        Self {
            protocol,
            head,
            upload: Upload::new(body),
            after: After::default(),
            answered: None,
        }
    }

    /// Takes in the next plan.
    pub(crate) fn take(&mut self, plan: Plan, active_call: Option<ActiveCall>) -> Now {
        match plan {
            Plan::Wait(wait) => return Now::Wait(wait),
            Plan::WaitAfter(wait) => self.after.wait(wait, active_call),
            Plan::Headers(edit, Direction::Request) => edit.apply(&mut self.head.headers),
            Plan::Headers(edit, Direction::Response) => self.after.headers(edit, active_call),
            Plan::Bytes(deed, Direction::Request) => {
                self.upload.push(active_call, |active_call| {
                    BodyDeed::Bytes(deed, active_call)
                });
            }
            Plan::Bytes(deed, Direction::Response) => {
                self.after.body(active_call, |active_call| {
                    BodyDeed::Bytes(deed, active_call)
                });
            }
            Plan::Answer(answer) => return self.answer(answer, active_call),
            Plan::Fail(injected) => {
                return Now::End(Box::new(Ending::fail(injected, &self.protocol)));
            }
            Plan::Cut(cut) => return self.cut(cut, active_call),
        }
        Now::Nothing
    }

    /// At once, or when so many messages of a gRPC stream have passed.
    fn answer(&mut self, answer: Answer, active_call: Option<ActiveCall>) -> Now {
        let messages = answer.after_messages();
        let Some(messages) = messages.filter(|_| self.protocol.is_grpc()) else {
            return Now::End(Box::new(Ending::Answer(self.protocol.answer(&answer))));
        };
        let trailers = self.protocol.trailers(&answer.grpc(), answer.rule());
        match messages.side {
            Direction::Response => {
                self.after
                    .body(active_call, |active_call| BodyDeed::StatusAfter {
                        messages,
                        trailers,
                        active_call,
                    })
            }
            Direction::Request => {
                let (counter, signal) = on_request(messages.count);
                let count = |active_call| BodyDeed::CountMessages(counter, active_call);
                self.upload.push(active_call.clone(), count);
                self.answered = Some(Box::new((signal.clone(), answer)));
                self.after
                    .body(active_call, |active_call| BodyDeed::StatusWhen {
                        signal,
                        trailers,
                        active_call,
                    });
            }
        }
        Now::Nothing
    }

    /// At once, or when so many bytes of the answer have passed.
    fn cut(&mut self, cut: Cut, active_call: Option<ActiveCall>) -> Now {
        let connection = Connection::of(&self.head.extensions);
        match (cut.kind(), cut.after_bytes()) {
            (CutKind::GoAway, _) => self.after.go_away(&connection),
            (kind, Some(bytes)) => {
                let error = cut_error(cut, &self.protocol);
                self.after.body(active_call, |active_call| match kind {
                    CutKind::Reset => BodyDeed::ResetAfter(bytes, error, connection, active_call),
                    _ => BodyDeed::CutAfter(bytes, error, active_call),
                });
            }
            (_, None) => {
                let ending = Ending::cut(cut, &self.protocol, &self.head.extensions);
                return Now::End(Box::new(ending));
            }
        }
        Now::Nothing
    }
}
