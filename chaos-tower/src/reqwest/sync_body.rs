//! `AnyBody` for reqwest's body, which requires `Sync` of the body inside.

use std::{
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::{body::any_body::AnyBody, error::BoxError};

impl AnyBody for reqwest::Body {
    fn from_body<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        Self::wrap(SyncBody(Mutex::new(Box::pin(body))))
    }
}

/// A body that is `Sync`, which reqwest requires and [`AnyBody`] does not.
///
/// Nothing waits for the lock: a poll has exclusive access to the body, and its hints are not read from two
/// threads at once.
struct SyncBody<B>(Mutex<Pin<Box<B>>>);

impl<B> SyncBody<B> {
    fn look<T>(&self, at: impl FnOnce(&B) -> T) -> T {
        at(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<B: Body> Body for SyncBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let body = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        body.as_mut().poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.look(B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.look(B::size_hint)
    }
}
