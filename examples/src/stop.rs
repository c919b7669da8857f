//! Graceful shutdown: its signals, its propagation to tasks, and its time limit.

use std::time::Duration;

use tokio::{sync::watch, task::JoinHandle, time::timeout};

/// The time that a shutdown waits for each server.
const GRACE: Duration = Duration::from_secs(5);

/// A one-way latch: once released, it stays released. Clones share one state.
#[derive(Clone, Debug)]
pub(crate) struct Latch(watch::Sender<bool>);

impl Latch {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    pub(crate) fn release(&self) {
        self.0.send_replace(true);
    }

    /// Returns a future that completes once [`release`](Self::release) is called, or was called
    /// before. It also completes when all clones are dropped, as nobody can then call it.
    pub(crate) fn released(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let mut released = self.0.subscribe();
        async move {
            let _ = released.wait_for(|released| *released).await;
        }
    }
}

/// Waits for a server task to end, and aborts it after [`GRACE`]. Its result is ignored: these
/// servers don't return errors once they listen.
pub(crate) async fn join<T>(what: &str, mut server: JoinHandle<T>) {
    match timeout(GRACE, &mut server).await {
        Ok(Ok(_)) => {}
        Ok(Err(panic)) => tracing::error!("{what} failed: {panic}"),
        Err(_) => {
            tracing::warn!("{what} did not stop within {GRACE:?} and was aborted");
            server.abort();
        }
    }
}

/// Waits for a request to stop the process: Ctrl-C or, on Unix, `SIGTERM`.
pub async fn asked() {
    tokio::select! {
        () = interrupted() => {}
        () = terminated() => {}
    }
}

async fn interrupted() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::warn!("cannot listen for Ctrl-C, so it will not shut down gracefully: {error}");
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};

    match signal(SignalKind::terminate()) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(error) => {
            tracing::warn!(
                "cannot listen for SIGTERM, so it will not shut down gracefully: {error}"
            );
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending::<()>().await;
}
