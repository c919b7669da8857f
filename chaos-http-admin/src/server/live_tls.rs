//! The TLS configuration with which a port accepts connections at the moment.

use std::{io, sync::Arc, time::SystemTime};

use arc_swap::ArcSwap;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::{
    access::origin::Origin,
    server::{handshake_turns::HandshakeTurns, tls::Tls},
};

/// The configuration that is in force, which may be replaced while connections are served: each
/// connection keeps the one with which it was accepted. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct LiveTls {
    current: Arc<ArcSwap<Tls>>,
    turns: HandshakeTurns,
    /// Keeps the files of the configuration followed.
    #[cfg(feature = "follow")]
    reloading: Option<Arc<crate::reload::Reloading>>,
}

impl LiveTls {
    /// Creates a configuration that is not replaced.
    pub(crate) fn new(tls: Tls) -> Self {
        Self {
            current: Arc::new(ArcSwap::from_pointee(tls)),
            turns: HandshakeTurns::new(),
            #[cfg(feature = "follow")]
            reloading: None,
        }
    }

    /// Performs the TLS handshake on an accepted connection from `origin`, with the configuration of the
    /// moment at which the client begins it. Returns the name in the client's certificate, if one was
    /// required.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
        origin: Origin,
    ) -> io::Result<(TlsStream<TcpStream>, Option<Arc<str>>)> {
        // A client that has sent nothing yet waits for no turn.
        stream.readable().await?;
        let tls = Tls::clone(&self.current.load());
        self.turns.complete(origin, tls.accept(stream)).await
    }

    /// Logs a warning if clients refuse the certificate at the time `now`, or soon will.
    pub(crate) fn warn_of_end(&self, now: SystemTime) {
        self.current.load().validity.warn(now);
    }
}

#[cfg(feature = "follow")]
mod files {
    use std::{path::PathBuf, sync::Arc};

    use arc_swap::ArcSwap;
    use chaos_core::{Injector, WithCauses, log::log};

    use super::LiveTls;
    use crate::{
        reload::{Reload, Reloading},
        server::{
            tls::{Tls, TlsError},
            tls_files::{TlsFiles, TlsPem},
        },
    };

    /// The files of a configuration.
    struct FollowedTls {
        files: TlsFiles,
        /// What is in force.
        pem: TlsPem,
        current: Arc<ArcSwap<Tls>>,
        injector: Injector,
    }

    impl LiveTls {
        /// Reads the files, and replaces the configuration when they change.
        pub(crate) fn follow(injector: &Injector, files: TlsFiles) -> Result<Self, TlsError> {
            let pem = files.read()?;
            let mut live = Self::new(pem.tls()?);
            let followed = FollowedTls {
                files,
                pem,
                current: Arc::clone(&live.current),
                injector: injector.clone(),
            };
            let reloading = Reloading::start(injector, followed).map_err(TlsError::of(
                "no thread can be started to follow the certificate",
            ))?;
            live.reloading = Some(Arc::new(reloading));
            Ok(live)
        }

        /// Returns the files that are followed.
        pub(crate) fn reloading(&self) -> Option<&Reloading> {
            self.reloading.as_deref()
        }

        /// Returns a function that returns why clients refuse the certificate at the moment, or `None`.
        pub(crate) fn check(
            &self,
            injector: Injector,
        ) -> impl Fn() -> Option<String> + Send + Sync + 'static {
            let current = Arc::clone(&self.current);
            move || current.load().validity.problem(injector.wall())
        }
    }

    impl Reload for FollowedTls {
        type Contents = TlsPem;

        fn paths(&self) -> Vec<PathBuf> {
            self.files.paths()
        }

        fn read(&self) -> Result<TlsPem, String> {
            self.files
                .read()
                .map_err(|error| WithCauses(&error).to_string())
        }

        fn is_valid(&self, pem: &TlsPem) -> bool {
            pem.tls().is_ok()
        }

        fn replace(&mut self, pem: &TlsPem) -> Result<Option<String>, String> {
            let tls = pem.tls().map_err(|error| WithCauses(&error).to_string())?;
            let changes = pem.changes_since(&self.pem);
            if changes.is_some() {
                let (validity, now) = (tls.validity, self.injector.wall());
                log(move || validity.warn(now));
                self.current.store(Arc::new(tls));
                self.pem = pem.clone();
            }
            Ok(changes)
        }
    }
}
