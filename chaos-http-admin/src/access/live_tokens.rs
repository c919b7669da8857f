//! The list of access tokens that a port accepts at the moment.

use std::future::pending;

use tokio::sync::watch;

use crate::access::access_tokens::{AccessToken, AccessTokens};

/// The list that is in force, which may be replaced while requests are served. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct LiveTokens {
    list: watch::Sender<AccessTokens>,
    /// Keeps the file of the list followed.
    #[cfg(feature = "follow")]
    reloading: Option<std::sync::Arc<crate::reload::Reloading>>,
}

impl LiveTokens {
    /// Creates a list that is not replaced.
    pub(crate) fn new(list: AccessTokens) -> Self {
        Self {
            list: watch::Sender::new(list),
            #[cfg(feature = "follow")]
            reloading: None,
        }
    }

    /// Returns whether there is no token.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.borrow().is_empty()
    }

    /// Returns the token with this secret.
    pub(crate) fn find(&self, secret: &[u8]) -> Option<AcceptedToken> {
        let list = self.list.subscribe();
        let token = list.borrow().find(secret).cloned()?;
        Some(AcceptedToken { token, list })
    }
}

/// A token that a request has presented, and the list that it is in.
#[derive(Clone, Debug)]
pub(crate) struct AcceptedToken {
    pub(crate) token: AccessToken,
    list: watch::Receiver<AccessTokens>,
}

impl AcceptedToken {
    /// Returns whether the list has the token no more, or with another role or secret.
    pub(crate) fn is_revoked(&self) -> bool {
        !self.list.borrow().contains(&self.token)
    }

    /// Waits until the token is [revoked](Self::is_revoked).
    ///
    /// This method is cancel safe: it changes nothing.
    pub(crate) async fn revoked(&self) {
        let mut list = self.list.clone();
        let revoked = list.wait_for(|list| !list.contains(&self.token));
        let is_revoked = revoked.await.is_ok();
        if !is_revoked {
            // The port is gone, and with it whoever could replace the list.
            pending::<()>().await;
        }
    }
}

#[cfg(feature = "follow")]
mod file {
    use std::{
        path::{Path, PathBuf, absolute},
        sync::Arc,
    };

    use chaos_core::{Injector, WithCauses};
    use tokio::sync::watch;

    use super::LiveTokens;
    use crate::{
        access::access_tokens::{AccessTokens, AccessTokensError},
        reload::{Reload, Reloading},
    };

    /// The file of a list.
    struct TokensFile {
        path: PathBuf,
        list: watch::Sender<AccessTokens>,
    }

    impl LiveTokens {
        /// Reads the list in the file at `path`, and replaces it when the file changes.
        pub(crate) fn follow(injector: &Injector, path: &Path) -> Result<Self, AccessTokensError> {
            let path = absolute(path).unwrap_or_else(|_| path.to_owned());
            let mut live = Self::new(AccessTokens::from_file(&path)?);
            let file = TokensFile {
                path: path.clone(),
                list: live.list.clone(),
            };
            let reloading = Reloading::start(injector, file)
                .map_err(|error| AccessTokensError::not_followed(&path, error))?;
            live.reloading = Some(Arc::new(reloading));
            Ok(live)
        }

        /// Returns the files that are followed.
        pub(crate) fn reloading(&self) -> Option<&Reloading> {
            self.reloading.as_deref()
        }
    }

    impl Reload for TokensFile {
        type Contents = AccessTokens;

        fn paths(&self) -> Vec<PathBuf> {
            vec![self.path.clone()]
        }

        fn read(&self) -> Result<AccessTokens, String> {
            AccessTokens::from_file(&self.path).map_err(|error| WithCauses(&error).to_string())
        }

        fn is_valid(&self, _: &AccessTokens) -> bool {
            true
        }

        fn replace(&mut self, list: &AccessTokens) -> Result<Option<String>, String> {
            let changes = list.changes_since(&self.list.borrow());
            if changes.is_some() {
                self.list.send_replace(list.clone());
            }
            Ok(changes)
        }
    }
}
