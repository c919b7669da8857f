//! Stopping: who asks for it, and how everyone hears of it.

use tokio::sync::watch;

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
