//! Work that takes more than a moment is done on a thread apart, one piece at a time, so that neither the
//! port's own thread nor more than one core is busy with it.

use std::panic::resume_unwind;

use tokio::{sync::Semaphore, task::spawn_blocking};

/// Does `work` on a blocking thread of the runtime, after the work that waits already.
///
/// # Cancel safety
/// Work that has begun goes on if the future is dropped.
pub(crate) async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    static WORKER: Semaphore = Semaphore::const_new(1);
    let permit = WORKER.acquire().await.expect("it is never closed");
    let work = move || {
        let _permit = permit;
        work()
    };
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => resume_unwind(error.into_panic()),
    }
}
