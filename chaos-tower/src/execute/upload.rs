//! The body of a request that a rule hits, on its way to the inner service.

use bytes::Bytes;
use chaos_core::decision::ActiveCall;
use http::{Request, request::Parts};
use http_body::Body;

use crate::{
    body::{BodyFault, FaultBody, ReadAhead},
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

    pub(crate) fn push(
        &mut self,
        active_call: Option<ActiveCall>,
        fault: impl FnOnce(ActiveCall) -> BodyFault,
    ) {
        self.faults.extend(active_call.map(fault));
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
