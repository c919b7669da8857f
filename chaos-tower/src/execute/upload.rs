//! The body of a request that a rule hits, on its way to the inner service.

use std::{future::poll_fn, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, request::Parts};
use http_body::Body;

use crate::{
    body::{BodyFault, FaultBody, ReadAhead, most_bytes},
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
}

enum UploadBody<A> {
    Unread(A),
    Ahead(Box<ReadAhead<A>>),
}

impl<A: Body<Data = Bytes, Error: Into<BoxError>>> Upload<A> {
    pub(crate) fn new(body: A) -> Self {
        let (body, faults) = (UploadBody::Unread(body), Vec::new());
        Self { body, faults }
    }

    /// Adds a fault, and begins its injection, unless the body has no byte for it to act on. Returns whether
    /// it was added.
    pub(crate) fn push(&mut self, fault: BodyFault, headers: &HeaderMap) -> bool {
        let most_bytes = match &self.body {
            UploadBody::Unread(body) => {
                most_bytes(body.is_end_stream(), &body.size_hint(), headers)
            }
            UploadBody::Ahead(ahead) => {
                most_bytes(ahead.is_end_stream(), &ahead.size_hint(), headers)
            }
        };
        let acts = fault.acts_on(most_bytes, false) && fault.active_call().begin();
        if acts {
            self.faults.push(fault);
        }
        acts
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
        let Self { body, faults } = self;
        let mut ahead = match body {
            UploadBody::Unread(body) if !may_come(&body, head) => {
                let mut connection = Connection::to_look_at(head);
                let has_gone = || connection.as_mut().is_some_and(|it| it.has_gone());
                let there = wait_while_there(wait, time, has_gone).await;
                let body = UploadBody::Unread(body);
                return there.then_some(Self { body, faults });
            }
            UploadBody::Unread(body) => ReadAhead::new(body, head),
            UploadBody::Ahead(ahead) => ahead,
        };
        let gone = async { drop(poll_fn(|cx| ahead.poll_gone(cx)).await) };
        race::unless(gone, wait).await?;
        let body = UploadBody::Ahead(ahead);
        Some(Self { body, faults })
    }

    /// Returns the request for the inner service, with the faults in its body.
    pub(crate) fn request<M: Bodies<A>>(self, head: Parts) -> Request<M::Body> {
        let ahead = match self.body {
            UploadBody::Unread(body) if self.faults.is_empty() => {
                return M::pass_request(Request::from_parts(head, body));
            }
            UploadBody::Unread(body) => ReadAhead::new(body, &head),
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
