//! The body of a request that a rule hits, on its way to the inner service.

use std::{future::poll_fn, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, request::Parts};
use http_body::Body;

use crate::{
    body::{BodyFault, EarlyEnd, FaultBody, ReadAhead, most_bytes},
    connection::{Connection, peer_watch::wait_while_there},
    error::BoxError,
    execute::race,
    surface::Bodies,
};

/// The extension of a request whose body is in memory, and can be sent again as long as nobody reads it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CompleteBody;

/// A request's body, and the faults planned for it.
pub(crate) struct Upload<A> {
    body: UploadBody<A>,
    faults: Vec<BodyFault>,
    /// Whether the call is one of a client, whose body is the application's.
    is_client: bool,
}

enum UploadBody<A> {
    Unread(A),
    Ahead(Box<ReadAhead<A>>),
}

impl<A: Body<Data = Bytes, Error: Into<BoxError>>> Upload<A> {
    pub(crate) fn new(body: A, is_client: bool) -> Self {
        Self {
            body: UploadBody::Unread(body),
            faults: Vec::new(),
            is_client,
        }
    }

    /// Adds a fault, whose injection has not begun.
    pub(crate) fn push(&mut self, fault: BodyFault) {
        self.faults.push(fault);
    }

    /// Begins the faults that can act on the body, and drops the others: all of them if the request is not served,
    /// because nobody reads it.
    pub(crate) fn begin(&mut self, is_served: bool, headers: &HeaderMap) {
        if !is_served {
            self.faults.clear();
        }
        if self.faults.is_empty() {
            return;
        }
        let most_bytes = match &self.body {
            UploadBody::Unread(body) => {
                most_bytes(body.is_end_stream(), &body.size_hint(), headers)
            }
            UploadBody::Ahead(ahead) => {
                most_bytes(ahead.is_end_stream(), &ahead.size_hint(), headers)
            }
        };
        let can_act = |fault: &BodyFault| fault.acts_on(most_bytes, false);
        let faults = self.faults.iter().enumerate();
        let end = EarlyEnd::of(
            faults.filter(|(_, fault)| can_act(fault) && !fault.active_call().is_over()),
        );
        let mut positions = 0..;
        self.faults.retain(|fault| {
            let at = positions.next().unwrap_or_default();
            can_act(fault) && end.leaves(at, fault) && fault.active_call().begin()
        });
    }

    /// Whether a server may not notice that the client has gone while the request is not served.
    pub(crate) fn hides_client(&self, head: &Parts) -> bool {
        match &self.body {
            UploadBody::Unread(body) => may_come(body, head) || Connection::is_looked_at(head),
            UploadBody::Ahead(_) => true,
        }
    }

    /// Waits with `wait`, and reads the body meanwhile: a server that does not read a request does not notice
    /// that its client has disconnected. Returns `None` if it has.
    pub(crate) async fn wait(
        self,
        wait: impl Future<Output = ()>,
        time: Duration,
        head: &Parts,
    ) -> Option<Self> {
        let Self {
            body,
            faults,
            is_client,
        } = self;
        let with = |body| Self {
            body,
            faults,
            is_client,
        };
        let mut ahead = match body {
            UploadBody::Unread(body) if !may_come(&body, head) => {
                let mut connection = Connection::to_look_at(head);
                let has_gone = || connection.as_mut().is_some_and(|it| it.has_gone());
                let there = wait_while_there(wait, time, has_gone).await;
                let body = UploadBody::Unread(body);
                return there.then(|| with(body));
            }
            UploadBody::Unread(body) => ReadAhead::new(body, head, is_client),
            UploadBody::Ahead(ahead) => ahead,
        };
        let gone = async { drop(poll_fn(|cx| ahead.poll_gone(cx)).await) };
        race::unless(gone, wait).await?;
        let body = UploadBody::Ahead(ahead);
        Some(with(body))
    }

    /// Returns the request for the inner service, with the faults in its body.
    pub(crate) fn request<M: Bodies<A>>(self, head: Parts) -> Request<M::Body> {
        let ahead = match self.body {
            UploadBody::Unread(body) if self.faults.is_empty() => {
                return M::pass_request(Request::from_parts(head, body));
            }
            UploadBody::Unread(body) => ReadAhead::new(body, &head, self.is_client),
            UploadBody::Ahead(ahead) => ahead,
        };
        let body = FaultBody::read_ahead(ahead, self.faults);
        Request::from_parts(head, M::take(body))
    }
}

/// Whether some of a body may still come from the client.
fn may_come(body: &impl Body, head: &Parts) -> bool {
    !body.is_end_stream() && head.extensions.get::<CompleteBody>().is_none()
}
