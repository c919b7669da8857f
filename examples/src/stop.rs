//! Stopping: who asks for it, how everyone hears of it, and how long it may take.

use std::time::Duration;

use tokio::{sync::watch, task::JoinHandle, time::timeout};

/// How long a stop waits for what is under way.
const GRACE: Duration = Duration::from_secs(5);

/// Something that happens once and stays so. Clones are the same latch.
#[derive(Clone, Debug)]
pub(crate) struct Latch(watch::Sender<bool>);

impl Latch {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    pub(crate) fn release(&self) {
        self.0.send_replace(true);
    }

    /// Ready once [`release`](Self::release) was called, before or after; or when every latch of
    /// these clones is gone, because then nobody is left to call it.
    pub(crate) fn released(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let mut released = self.0.subscribe();
        async move {
            let _ = released.wait_for(|released| *released).await;
        }
    }
}

/// Waits for the end of a server, within bounds. What it returns says nothing: servers never fail
/// once they listen.
pub(crate) async fn join<T>(what: &str, mut server: JoinHandle<T>) {
    match timeout(GRACE, &mut server).await {
        Ok(Ok(_)) => {}
        Ok(Err(panic)) => tracing::error!("{what} failed: {panic}"),
        Err(_) => {
            tracing::warn!("{what} did not end in {GRACE:?} and is left behind");
            server.abort();
        }
    }
}

/// Ready when the process is asked to stop: by ctrl-c, or by the `SIGTERM` of a supervisor.
pub async fn asked() {
    tokio::select! {
        () = interrupted() => {}
        () = terminated() => {}
    }
}

async fn interrupted() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::warn!("ctrl-c will not stop this gracefully: {error}");
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
            tracing::warn!("SIGTERM will not stop this gracefully: {error}");
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending::<()>().await;
}
