//! A wait that begins when it is first asked for, and can be asked for again.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

/// Boxed, because it is there only while something is held back; `Sync`, because some clients ask
/// that of a body.
#[derive(Default)]
pub(super) struct Waiting(Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>);

impl Waiting {
    /// Begins if it has not, and is ready once; after that it begins anew.
    pub(super) fn poll<F>(&mut self, begin: impl FnOnce() -> F, cx: &mut Context<'_>) -> Poll<()>
    where
        F: Future<Output = ()> + Send + Sync + 'static,
    {
        let wait = self.0.get_or_insert_with(|| Box::pin(begin()));
        ready!(wait.as_mut().poll(cx));
        self.0 = None;
        Poll::Ready(())
    }

    /// Ends it, if it has begun.
    pub(super) fn stop(&mut self) {
        self.0 = None;
    }
}
