//! What is done when the answer is there: waits, headers, its body, its mark.

use std::{pin::Pin, time::Duration};

use bytes::Bytes;
use chaos_core::{ActiveCall, HeaderEdit, RuleId, WaitAfter};
use http::{HeaderValue, Response, header};
use http_body::Body;

use crate::{
    body::{BodyDeed, FaultBody},
    connection::Connection,
    error::BoxError,
    execute::protocol::Protocol,
};

/// What was planned for the answer, in order.
#[derive(Default)]
pub(crate) struct After {
    waits: Vec<Wait>,
    headers: Vec<HeaderEdit>,
    body: Vec<BodyDeed>,
    /// The rules that changed the answer.
    marks: Vec<RuleId>,
    /// Whether this is the last answer of its connection.
    closes: bool,
}

enum Wait {
    For(Duration, ActiveCall),
    /// Runs since it was planned; the hold is kept for as long.
    Until(Pin<Box<dyn Future<Output = ()> + Send>>, ActiveCall),
}

impl After {
    pub(crate) fn wait(&mut self, wait: WaitAfter, active_call: Option<ActiveCall>) {
        self.waits.extend(active_call.map(|active_call| match wait {
            WaitAfter::For(time) => Wait::For(time, active_call),
            WaitAfter::AtLeast(time) => Wait::Until(Box::pin(active_call.wait(time)), active_call),
        }));
    }

    pub(crate) fn headers(&mut self, edit: HeaderEdit, active_call: Option<ActiveCall>) {
        self.marks
            .extend(active_call.map(|active_call| active_call.rule().clone()));
        self.headers.push(edit);
    }

    pub(crate) fn body(
        &mut self,
        active_call: Option<ActiveCall>,
        deed: impl FnOnce(ActiveCall) -> BodyDeed,
    ) {
        if let Some(active_call) = active_call {
            self.marks.push(active_call.rule().clone());
            self.body.push(deed(active_call));
        }
    }

    pub(crate) fn go_away(&mut self, connection: &Connection) {
        self.closes = true;
        connection.go_away();
    }

    /// Whether it does anything but wait.
    pub(crate) fn changes(&self) -> bool {
        !self.headers.is_empty() || !self.body.is_empty() || self.closes
    }

    pub(crate) async fn waited(&mut self) {
        for wait in self.waits.drain(..) {
            match wait {
                Wait::For(time, active_call) => active_call.wait(time).await,
                Wait::Until(wait, _hold) => wait.await,
            }
        }
    }

    pub(crate) fn apply<B>(
        self,
        response: Response<B>,
        protocol: &Protocol,
    ) -> Response<FaultBody<B>>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>>,
    {
        let mut response = response.map(|body| FaultBody::with(body, self.body));
        let headers = response.headers_mut();
        for edit in &self.headers {
            edit.apply(headers);
        }
        for rule in &self.marks {
            protocol.mark(headers, rule);
        }
        if self.closes {
            // HTTP/1 does as it says; HTTP/2 knows no such header, and hyper takes it out.
            let close = HeaderValue::from_static("close");
            headers.insert(header::CONNECTION, close);
        }
        response
    }
}
