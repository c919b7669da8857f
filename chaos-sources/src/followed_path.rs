//! `FollowedPath`: where a file is, and how often it is looked at.

use std::{
    path::{self, Path, PathBuf},
    time::Duration,
};

use chaos_core::audit::Actor;

/// The path of a file that is followed.
#[derive(Clone, Debug)]
pub(crate) struct FollowedPath {
    pub(crate) path: PathBuf,
    /// The time between two looks without a notification of the system.
    pub(crate) look_every: Duration,
}

impl FollowedPath {
    /// Resolves `path` against the current directory.
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path::absolute(path).unwrap_or_else(|_| path.to_owned()),
            look_every: Duration::from_secs(5),
        }
    }

    /// Sets the time between two looks, 10 milliseconds at least.
    pub(crate) fn look_every(mut self, time: Duration) -> Self {
        self.look_every = time.max(Duration::from_millis(10));
        self
    }

    /// Returns the actor of what the file does.
    pub(crate) fn actor(&self) -> Actor {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        Actor::new(format!("file:{name}")).at(self.path.to_string_lossy())
    }
}
