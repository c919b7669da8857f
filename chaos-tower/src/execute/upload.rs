//! The body of a request that a rule hits, on its way to the inner service.

use bytes::Bytes;
use http::{HeaderMap, Request, request::Parts};
use http_body::Body;

use crate::{
    body::{BodyFault, FaultBody, ReadAhead, most_bytes},
    error::BoxError,
    execute::race,
    surface::Bodies,
};

/// A request's body, and the faults planned for it.
pub(crate) struct Upload<A> {
    body: UploadBody<A>,
    faults: Vec<BodyFault>,
}

enum UploadBody<A> {
    Unread(A),
    Ahead(ReadAhead<A>),
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

    /// Waits, and reads the body meanwhile: a server that does not read a request does not notice that
    /// its client has disconnected. Returns `None` if it has.
    pub(crate) async fn hang(self, wait: impl Future<Output = ()>) -> Option<Self> {
        let Self { body, faults } = self;
        let mut ahead = match body {
            UploadBody::Unread(body) => ReadAhead::new(body),
            UploadBody::Ahead(ahead) => ahead,
        };
        race::unless(ahead.disconnected(), wait).await?;
        let body = UploadBody::Ahead(ahead);
        Some(Self { body, faults })
    }

    /// Returns the request for the inner service, with the faults in its body.
    pub(crate) fn request<M: Bodies<A>>(self, head: Parts) -> Request<M::Body> {
        let body = match self.body {
            UploadBody::Unread(body) if self.faults.is_empty() => {
                return M::pass_request(Request::from_parts(head, body));
            }
            UploadBody::Unread(body) => FaultBody::with(body, self.faults),
            UploadBody::Ahead(ahead) => FaultBody::read_ahead(ahead, self.faults),
        };
        Request::from_parts(head, M::take(body))
    }
}
