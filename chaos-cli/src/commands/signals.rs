//! The signals that end a command which goes on.

#[cfg(feature = "gameday")]
use std::time::Duration;

#[cfg(feature = "gameday")]
use futures_util::FutureExt;

use crate::failure::{Exit, Failure};

/// How long a signal counts as the one before: a terminal that is closed, and who passes signals on, send two at once.
#[cfg(feature = "gameday")]
const REPEATED: Duration = Duration::from_millis(500);

/// SIGINT, SIGTERM and SIGHUP, from when this is made.
pub(crate) struct Signals {
    #[cfg(unix)]
    signals: [(tokio::signal::unix::Signal, u8); 3],
}

impl Signals {
    #[cfg(unix)]
    pub(crate) fn new() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let on = |kind, code| signal(kind).map(|signal| (signal, code));
        let make = || -> std::io::Result<_> {
            let interrupt = on(SignalKind::interrupt(), 130)?;
            let terminate = on(SignalKind::terminate(), 143)?;
            Ok([interrupt, terminate, on(SignalKind::hangup(), 129)?])
        };
        let signals = make();
        let signals = signals.map_err(|error| Failure::new(Exit::Refused, error.to_string()))?;
        Ok(Self { signals })
    }

    #[cfg(not(unix))]
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self {})
    }

    /// Waits for the next signal, and returns the exit code for it.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) -> u8 {
        let [(interrupt, a), (terminate, b), (hangup, c)] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => *a,
            _ = terminate.recv() => *b,
            _ = hangup.recv() => *c,
        }
    }

    /// Waits for a second signal, half a second after the first one or later, and returns the exit code for it.
    #[cfg(feature = "gameday")]
    pub(crate) async fn second(mut self) -> u8 {
        self.next().await;
        tokio::time::sleep(REPEATED).await;
        // What has come meanwhile is waiting.
        while self.next().now_or_never().is_some() {}
        self.next().await
    }

    /// Waits for Ctrl-C, and returns the exit code for it.
    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) -> u8 {
        match tokio::signal::ctrl_c().await {
            Ok(()) => 130,
            Err(_) => std::future::pending().await,
        }
    }
}
