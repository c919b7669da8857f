//! What guard rails measure of one call: its result, its body, and whether its client left.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use chaos_core::{
    Decision,
    decision::{WatchedBody, WatchedCall, WatchedFuture},
};
use http::Response;
use http_body::Body as _;

use crate::{
    body::{FaultBody, is_grpc_failure, most_bytes},
    execute::protocol::Protocol,
    surface::HttpBody,
};

/// What guard rails measure of one call, if one measures it.
pub(crate) struct Watch {
    call: Option<Box<WatchedCall>>,
    /// Whether the client has left. Only a call that is measured needs to know.
    left: Option<Arc<AtomicBool>>,
}

/// What the execution of a call that is measured tells.
pub(crate) struct Report {
    /// Set when the client leaves.
    left: Arc<AtomicBool>,
    body: WatchedBody,
}

impl Report {
    /// Records that the client has left.
    pub(super) fn left(&self) {
        self.left.store(true, Relaxed);
    }

    /// Measures the body of a response, unless its head is a failure already, or there is none.
    pub(super) fn watch<B: HttpBody>(
        self,
        response: Response<FaultBody<B>>,
        protocol: &Protocol,
    ) -> Response<FaultBody<B>> {
        let has_body = protocol.has_body(response.status()) && !response.body().is_end_stream();
        if is_failure(&response) || !has_body {
            return response;
        }
        let length = most_bytes(false, &response.body().size_hint(), response.headers());
        response.map(|body| body.watched(self.body, length))
    }
}

impl Watch {
    pub(crate) fn of(decision: &mut Decision) -> Self {
        let call = decision.watched_call();
        let left = (call.is_some()).then(|| Arc::new(AtomicBool::new(false)));
        Self { call, left }
    }

    /// Returns what the execution of the call is to tell.
    pub(crate) fn report(&self) -> Option<Box<Report>> {
        let (call, left) = (self.call.as_ref()?, self.left.clone()?);
        let body = call.body();
        Some(Box::new(Report { left, body }))
    }

    /// Measures the call by its result.
    pub(crate) fn over<B, E>(
        self,
        result: impl Future<Output = Result<Response<B>, E>>,
    ) -> impl Future<Output = Result<Response<B>, E>> {
        WatchedFuture::new(self.call, result, move |result| {
            let has_left = self.left.as_ref().is_some_and(|left| left.load(Relaxed));
            (!has_left).then(|| has_failed(result))
        })
    }
}

/// Whether a result is a failure: an error, or a response whose head says so.
fn has_failed<B, E>(result: &Result<Response<B>, E>) -> bool {
    result.as_ref().map_or(true, is_failure)
}

fn is_failure<B>(response: &Response<B>) -> bool {
    response.status().is_server_error() || is_grpc_failure(response.headers())
}
