//! The signals that end a command which goes on.

use crate::failure::{Exit, Failure};

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

    /// Waits for Ctrl-C, and returns the exit code for it.
    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) -> u8 {
        match tokio::signal::ctrl_c().await {
            Ok(()) => 130,
            Err(_) => std::future::pending().await,
        }
    }
}
