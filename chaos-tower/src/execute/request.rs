//! What is to be done to one request, as it is planned: to the request, to its answer, or instead.

use bytes::Bytes;
use chaos_core::{Answer, Cut, CutKind, Hold, Plan, Side, Wait};
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
    pub(crate) fn take(&mut self, plan: Plan, hold: Option<Hold>) -> Now {
        match plan {
            Plan::Wait(wait) => return Now::Wait(wait),
            Plan::WaitAfter(wait) => self.after.wait(wait, hold),
            Plan::Headers(edit, Side::Request) => edit.apply(&mut self.head.headers),
            Plan::Headers(edit, Side::Response) => self.after.headers(edit, hold),
            Plan::Bytes(deed, Side::Request) => {
                self.upload.push(hold, |hold| BodyDeed::Bytes(deed, hold));
            }
            Plan::Bytes(deed, Side::Response) => {
                self.after.body(hold, |hold| BodyDeed::Bytes(deed, hold));
            }
            Plan::Answer(answer) => return self.answer(answer, hold),
            Plan::Fail(injected) => {
                return Now::End(Box::new(Ending::fail(injected, &self.protocol)));
            }
            Plan::Cut(cut) => return self.cut(cut, hold),
        }
        Now::Nothing
    }

    /// At once, or when so many messages of a gRPC stream have passed.
    fn answer(&mut self, answer: Answer, hold: Option<Hold>) -> Now {
        let messages = answer.after_messages();
        let Some(messages) = messages.filter(|_| self.protocol.is_grpc()) else {
            return Now::End(Box::new(Ending::Answer(self.protocol.answer(&answer))));
        };
        let trailers = self.protocol.trailers(&answer.grpc(), answer.rule());
        match messages.side {
            Side::Response => self.after.body(hold, |hold| BodyDeed::StatusAfter {
                messages,
                trailers,
                hold,
            }),
            Side::Request => {
                let (counter, signal) = on_request(messages.count);
                let count = |hold| BodyDeed::CountMessages(counter, hold);
                self.upload.push(hold.clone(), count);
                self.answered = Some(Box::new((signal.clone(), answer)));
                self.after.body(hold, |hold| BodyDeed::StatusWhen {
                    signal,
                    trailers,
                    hold,
                });
            }
        }
        Now::Nothing
    }

    /// At once, or when so many bytes of the answer have passed.
    fn cut(&mut self, cut: Cut, hold: Option<Hold>) -> Now {
        let connection = Connection::of(&self.head.extensions);
        match (cut.kind(), cut.after_bytes()) {
            (CutKind::GoAway, _) => self.after.go_away(&connection),
            (kind, Some(bytes)) => {
                let error = cut_error(cut, &self.protocol);
                self.after.body(hold, |hold| match kind {
                    CutKind::Reset => BodyDeed::ResetAfter(bytes, error, connection, hold),
                    _ => BodyDeed::CutAfter(bytes, error, hold),
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
