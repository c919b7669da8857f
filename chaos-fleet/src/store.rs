//! etcd: where it is, and how it is reached.

mod keeper;
pub(crate) mod line;
pub(crate) mod session;
mod watch;

use std::{fmt, time::Duration};

use etcd_client::{Client, ConnectOptions};
use tokio::time::timeout;

use crate::{
    error::{Refusal, StoreError},
    store::session::Session,
};

/// The etcd of a fleet: its endpoints, and who asks.
///
/// One endpoint is used at a time, and the next one after an error. (The client's own balanced channel goes on sending a
/// part of the calls to a member that is gone.)
///
/// ```
/// use chaos_fleet::Etcd;
///
/// let etcd = Etcd::new(["http://10.0.0.1:2379", "http://10.0.0.2:2379"])?.user("replica", "a secret");
/// assert!(Etcd::new(["10.0.0.1:2379"]).is_err());
/// # Ok::<(), chaos_fleet::Refusal>(())
/// ```
#[derive(Clone)]
pub struct Etcd {
    endpoints: Vec<String>,
    user: Option<(String, String)>,
    /// How long an answer may take.
    patience: Duration,
    #[cfg(feature = "tls")]
    tls: etcd_client::TlsOptions,
    /// Whether the authorities of the Web are trusted: those of the user replace them.
    #[cfg(feature = "tls")]
    trusts_the_web: bool,
}

impl Etcd {
    /// How long an answer may take, unless it is said.
    const PATIENCE: Duration = Duration::from_secs(5);
    /// How long a connection may take.
    const CONNECT: Duration = Duration::from_secs(3);
    /// How long an answer to a ping may take.
    const PING: Duration = Duration::from_secs(2);

    /// Names the endpoints, such as `http://127.0.0.1:2379`. Nothing is connected yet.
    ///
    /// # Errors
    /// Returns an error if there is none, or one does not begin with `http://`, or with `https://` where the feature `tls`
    /// is on.
    pub fn new(endpoints: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, Refusal> {
        let endpoints: Vec<_> = endpoints.into_iter().map(Into::into).collect();
        let allowed = match cfg!(feature = "tls") {
            true => "one or more URLs such as http://127.0.0.1:2379 or https://etcd:2379",
            false => "one or more URLs such as http://127.0.0.1:2379",
        };
        if endpoints.is_empty() {
            return Err(Refusal::new("endpoints", "no endpoint", allowed));
        }
        let is_fine = |url: &str| {
            let rest = (url.strip_prefix("http://")).or_else(|| {
                url.strip_prefix("https://")
                    .filter(|_| cfg!(feature = "tls"))
            });
            rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['/', ' ']))
        };
        match endpoints.iter().find(|url| !is_fine(url)) {
            Some(bad) => {
                let problem = format!("`{bad}` is no endpoint");
                Err(Refusal::new("endpoints", problem, allowed))
            }
            None => Ok(Self {
                endpoints,
                user: None,
                patience: Self::PATIENCE,
                #[cfg(feature = "tls")]
                tls: etcd_client::TlsOptions::new(),
                #[cfg(feature = "tls")]
                trusts_the_web: true,
            }),
        }
    }

    /// Says who asks, where etcd wants a password.
    #[must_use]
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.user = Some((name.to_owned(), password.to_owned()));
        self
    }

    /// Says how long an endpoint may take to answer before the next one is asked: 5 seconds without it.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Trusts servers whose certificates these authorities have signed, in PEM, in place of the authorities of the Web.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn authority(mut self, pem: impl AsRef<[u8]>) -> Self {
        let authority = etcd_client::Certificate::from_pem(pem);
        self.tls = self.tls.ca_certificate(authority);
        self.trusts_the_web = false;
        self
    }

    /// Shows this certificate to etcd, with its key, both in PEM.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn certificate(mut self, certificate: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        let identity = etcd_client::Identity::from_pem(certificate, key);
        self.tls = self.tls.identity(identity);
        self
    }

    /// Connects to the endpoint number `nth`, counted round and round. A connection that is silent for longer than about
    /// `ping` is noticed.
    pub(crate) async fn session(&self, nth: usize, ping: Duration) -> Result<Session, StoreError> {
        let endpoint = &self.endpoints[nth % self.endpoints.len()];
        let most = Self::CONNECT.min(self.patience);
        let mut options = ConnectOptions::new()
            .with_connect_timeout(most)
            .with_keep_alive(ping, Self::PING)
            .with_keep_alive_while_idle(true)
            // A member that is cut off from the others ends a watch, which would hear nothing otherwise.
            .with_require_leader(true)
            .with_auto_token_refresh(true);
        if let Some((name, password)) = &self.user {
            options = options.with_user(name, password);
        }
        #[cfg(feature = "tls")]
        if endpoint.starts_with("https://") {
            let tls = self.tls.clone();
            options = options.with_tls(match self.trusts_the_web {
                true => tls.with_enabled_roots(),
                false => tls,
            });
        }
        let connected = timeout(most, Client::connect([endpoint], Some(options))).await;
        match connected {
            Ok(Ok(client)) => Ok(Session::new(client, endpoint, self.patience)),
            Ok(Err(error)) => Err(StoreError::of(endpoint, &error)),
            Err(_) => Err(StoreError::Silent {
                endpoint: endpoint.clone(),
            }),
        }
    }
}

/// Writes the endpoints and the name of the user, and no secret.
impl fmt::Debug for Etcd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Etcd")
            .field("endpoints", &self.endpoints)
            .field("user", &self.user.as_ref().map(|(name, _)| name))
            .finish_non_exhaustive()
    }
}
