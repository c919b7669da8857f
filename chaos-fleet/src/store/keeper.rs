//! A lease that is kept alive.

use etcd_client::{LeaseKeepAliveStream, LeaseKeeper};

use crate::{error::StoreError, store::session::Session};

/// Keeps one lease alive.
pub(crate) struct Keeper {
    pub(super) session: Session,
    pub(super) requests: LeaseKeeper,
    pub(super) answers: LeaseKeepAliveStream,
}

impl Keeper {
    /// Keeps the lease alive once.
    pub(crate) async fn keep(&mut self) -> Result<(), StoreError> {
        let Self {
            session, requests, ..
        } = self;
        session.answer(requests.keep_alive()).await?;
        match session.answer(self.answers.message()).await? {
            Some(answer) if answer.ttl() > 0 => Ok(()),
            Some(_) => Err(StoreError::LeaseLost {
                endpoint: session.endpoint.clone(),
            }),
            None => Err(session.ended("keeping of the lease")),
        }
    }
}
