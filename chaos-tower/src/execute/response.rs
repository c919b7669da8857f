//! What the rules do to a response that the inner service returned: waits, headers, its body, its mark.

use bytes::Bytes;
use chaos_core::{RuleId, decision::ActiveCall, fault::HeaderEdit, plan::WaitAfter};
use http::{HeaderValue, Response, StatusCode, header};
use http_body::Body;

use crate::{
    body::{BodyFault, FaultBody},
    connection::Connection,
    error::BoxError,
    execute::{protocol::Protocol, response_wait::ResponseWait},
};

/// The changes that are planned for the response, each kind in the order of the rules.
#[derive(Default)]
pub(crate) struct ResponsePlan {
    waits: Vec<ResponseWait>,
    headers: Vec<HeaderEdit>,
    body: Vec<BodyFault>,
    /// The rules that change the response.
    marks: Vec<RuleId>,
    /// Whether this is the last response of its connection.
    closes: bool,
}

impl ResponsePlan {
    pub(crate) fn wait(&mut self, wait: WaitAfter, active_call: Option<ActiveCall>) {
        let wait = active_call.map(|active_call| ResponseWait::new(wait, active_call));
        self.waits.extend(wait);
    }

    pub(crate) fn headers(&mut self, edit: HeaderEdit, active_call: Option<ActiveCall>) {
        self.marks
            .extend(active_call.map(|active_call| active_call.rule().clone()));
        self.headers.push(edit);
    }

    pub(crate) fn body(
        &mut self,
        active_call: Option<ActiveCall>,
        fault: impl FnOnce(ActiveCall) -> BodyFault,
    ) {
        if let Some(active_call) = active_call {
            self.marks.push(active_call.rule().clone());
            self.body.push(fault(active_call));
        }
    }

    pub(crate) fn go_away(&mut self, connection: &Connection) {
        self.closes = true;
        connection.go_away();
    }

    /// Whether the plan does anything but wait.
    pub(crate) fn changes(&self) -> bool {
        !self.headers.is_empty() || !self.body.is_empty() || self.closes
    }

    /// Waits for everything that holds the response back.
    pub(crate) async fn wait_all(&mut self) {
        for wait in self.waits.drain(..) {
            wait.wait().await;
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
        // A connection that changes its protocol carries no other request, and says so in this header.
        let closes = self.closes && response.status() != StatusCode::SWITCHING_PROTOCOLS;
        let mut response = response.map(|body| FaultBody::with(body, self.body));
        let headers = response.headers_mut();
        for edit in &self.headers {
            edit.apply(headers);
        }
        for rule in &self.marks {
            protocol.mark(headers, rule);
        }
        if closes {
            // HTTP/1 closes the connection. HTTP/2 has no such header, and hyper removes it.
            let close = HeaderValue::from_static("close");
            headers.insert(header::CONNECTION, close);
        }
        response
    }
}
