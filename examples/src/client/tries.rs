//! When the client tries again.

use std::future::{Ready, ready};

use reqwest::{Request, Response};
use tower::retry::Policy;

use crate::Error;

/// Three tries in all, at once one after the other: of reads, whatever it was that failed.
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
