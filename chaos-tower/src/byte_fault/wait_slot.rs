//! A place for one wait at a time, which can be polled again and again.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

/// The wait that holds bytes back, if any does.
///
/// It is boxed because it exists only while bytes are held back, and `Sync` because some clients require
/// that of a body.
#[derive(Default)]
pub(crate) struct WaitSlot(Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>);

impl WaitSlot {
    /// Starts a wait. One that is under way ends.
    pub(crate) fn start(&mut self, wait: impl Future<Output = ()> + Send + Sync + 'static) {
        self.0 = Some(Box::pin(wait));
    }

    /// Ready when no wait is under way.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(wait) = &mut self.0 {
            ready!(wait.as_mut().poll(cx));
            self.0 = None;
        }
        Poll::Ready(())
    }

    /// Starts a wait unless one is under way, and is ready when that has ended. The next call starts
    /// another.
    pub(crate) fn poll_or_start<F>(
        &mut self,
        start: impl FnOnce() -> F,
        cx: &mut Context<'_>,
    ) -> Poll<()>
    where
        F: Future<Output = ()> + Send + Sync + 'static,
    {
        if self.0.is_none() {
            self.start(start());
        }
        self.poll(cx)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}
