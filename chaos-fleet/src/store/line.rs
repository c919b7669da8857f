//! One session at a time, and one at the next endpoint after an error.

use std::time::Duration;

use tokio::sync::Mutex;

use crate::{
    error::StoreError,
    store::{Etcd, session::Session},
};

/// The way to etcd that several tasks share.
pub(crate) struct Line {
    etcd: Etcd,
    /// How soon a silent connection is noticed.
    ping: Duration,
    current: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    /// The number of sessions that have ended, which chooses the endpoint.
    nth: usize,
    session: Option<Session>,
}

impl Line {
    pub(crate) fn new(etcd: Etcd, ping: Duration) -> Self {
        Self {
            etcd,
            ping,
            current: Mutex::default(),
        }
    }

    /// Returns the error that no endpoint answers in time.
    pub(crate) fn silent(&self) -> StoreError {
        StoreError::Silent {
            endpoint: self.etcd.endpoints.join(", "),
        }
    }

    /// Returns the session in use, with its number, or connects.
    pub(crate) async fn session(&self) -> Result<(usize, Session), StoreError> {
        let mut current = self.current.lock().await;
        if let Some(session) = &current.session {
            return Ok((current.nth, session.clone()));
        }
        match self.etcd.session(current.nth, self.ping).await {
            Ok(session) => {
                current.session = Some(session.clone());
                Ok((current.nth, session))
            }
            Err(error) => {
                current.nth += 1;
                Err(error)
            }
        }
    }

    /// Uses the session of this number no longer. The next one is at the next endpoint.
    pub(crate) async fn leave(&self, nth: usize) {
        let mut current = self.current.lock().await;
        // Somebody else may have been first.
        if current.nth == nth {
            current.session = None;
            current.nth += 1;
        }
    }

    /// Asks etcd, at each endpoint until one answers. What is asked may be done more than once.
    pub(crate) async fn ask<T, E, A>(&self, ask: impl Fn(Session) -> A) -> Result<T, E>
    where
        E: From<StoreError> + AsStoreError,
        A: Future<Output = Result<T, E>>,
    {
        // The session in use may be one that has just ended.
        let mut further = self.etcd.endpoints.len();
        loop {
            let answer = match self.session().await {
                Ok((nth, session)) => {
                    let answer = ask(session).await;
                    if answer.as_ref().is_err_and(AsStoreError::is_of_session) {
                        self.leave(nth).await;
                    }
                    answer
                }
                Err(error) => Err(error.into()),
            };
            match answer {
                Err(error) if error.is_of_session() && further > 0 => further -= 1,
                answer => return answer,
            }
        }
    }
}

/// An error that may be one of the store.
pub(crate) trait AsStoreError {
    fn as_store_error(&self) -> Option<&StoreError>;

    /// Returns whether another session may have another answer.
    fn is_of_session(&self) -> bool {
        self.as_store_error().is_some_and(|error| !error.is_final())
    }
}

impl AsStoreError for StoreError {
    fn as_store_error(&self) -> Option<&StoreError> {
        Some(self)
    }
}
