//! The body of a request to which something is to be done, on its way to the service.

use bytes::Bytes;
use chaos_core::ActiveCall;
use http::{Request, request::Parts};
use http_body::Body;

use crate::{
    body::{BodyDeed, FaultBody, ReadAhead},
    error::BoxError,
    execute::race,
    surface::Bodies,
};

/// The body, and what is to be done to it.
pub(crate) struct Upload<A> {
    body: Sent<A>,
    deeds: Vec<BodyDeed>,
}

enum Sent<A> {
    Whole(A),
    Ahead(ReadAhead<A>),
}

impl<A: Body<Data = Bytes, Error: Into<BoxError>>> Upload<A> {
    pub(crate) fn new(body: A) -> Self {
        let (body, deeds) = (Sent::Whole(body), Vec::new());
        Self { body, deeds }
    }

    pub(crate) fn push(
        &mut self,
        active_call: Option<ActiveCall>,
        deed: impl FnOnce(ActiveCall) -> BodyDeed,
    ) {
        self.deeds.extend(active_call.map(deed));
    }

    /// Waits, and listens meanwhile: a server that does not read a request does not see that its
    /// client has gone. `None`: it has.
    pub(crate) async fn hang(self, wait: impl Future<Output = ()>) -> Option<Self> {
        let Self { body, deeds } = self;
        let mut ahead = match body {
            Sent::Whole(body) => ReadAhead::new(body),
            Sent::Ahead(ahead) => ahead,
        };
        race::unless(ahead.client_goes(), wait).await?;
        let body = Sent::Ahead(ahead);
        Some(Self { body, deeds })
    }

    /// The request, as the service takes it.
    pub(crate) fn request<M: Bodies<A>>(self, head: Parts) -> Request<M::Body> {
        let body = match self.body {
            Sent::Whole(body) if self.deeds.is_empty() => {
                return M::pass_request(Request::from_parts(head, body));
            }
            Sent::Whole(body) => FaultBody::with(body, self.deeds),
            Sent::Ahead(ahead) => FaultBody::read_ahead(ahead, self.deeds),
        };
        Request::from_parts(head, M::take(body))
    }
}
