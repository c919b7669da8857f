//! The client's retry policy.

use std::future::{Ready, ready};

use reqwest::{Request, Response};
use tower::retry::Policy;

use crate::Error;

/// Allows three attempts in all, without a pause between them. It retries on any error and on any
/// 5xx status, which is safe because the client only reads.
#[derive(Clone, Debug)]
pub(super) struct Tries {
    left: u32,
}

impl Default for Tries {
    fn default() -> Self {
        Self { left: 3 }
    }
}

impl Policy<Request, Response, Error> for Tries {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request,
        result: &mut Result<Response, Error>,
    ) -> Option<Self::Future> {
        let failed = match result {
            Ok(answer) => answer.status().is_server_error(),
            Err(_) => true,
        };
        self.left = self.left.saturating_sub(1);
        (failed && self.left > 0).then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request) -> Option<Request> {
        request.try_clone()
    }
}
