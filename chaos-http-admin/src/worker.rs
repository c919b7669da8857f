//! Work that takes more than a moment is done on a thread apart, one piece at a time, so that neither the
//! port's own thread nor more than one core is busy with it.

use std::{panic::resume_unwind, sync::Arc};

use tokio::{sync::Semaphore, task::spawn_blocking};

/// Does the work of one port. Clones are handles to one worker.
#[derive(Clone, Debug)]
pub(crate) struct Worker(Arc<Semaphore>);

impl Worker {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }

    /// Does `work` on a blocking thread of the runtime, after the work that waits already.
    ///
    /// # Cancel safety
    /// Work that has begun goes on if the future is dropped.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let permit = Arc::clone(&self.0).acquire_owned().await;
        let permit = permit.expect("it is never closed");
        let work = move || {
            let _permit = permit;
            work()
        };
        match spawn_blocking(work).await {
            Ok(done) => done,
            Err(error) => resume_unwind(error.into_panic()),
        }
    }
}
