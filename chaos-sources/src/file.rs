//! A file of rules.

use std::{
    path::{self, Path, PathBuf},
    time::Duration,
};

use chaos_core::{Actor, Injector, Rule};

use crate::{contents, error::SourceError, format, holder::Holder, watching::Watching};

/// A file of rules, in the format that its name ends in.
#[derive(Clone, Debug)]
pub struct FileSource {
    path: PathBuf,
    look_every: Duration,
}

impl FileSource {
    /// The file at `path`, which need not be there yet. A relative path counts from the directory
    /// that the process is in now.
    #[must_use]
    pub fn new(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        Self {
            path: path::absolute(path).unwrap_or_else(|_| path.to_owned()),
            look_every: Duration::from_secs(5),
        }
    }

    /// How often the file is looked at without being told that it has changed: five seconds, unless
    /// said otherwise. Some mounts tell nothing.
    #[must_use]
    pub fn look_every(mut self, time: Duration) -> Self {
        self.look_every = time.max(Duration::from_millis(10));
        self
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads its rules, and does nothing else.
    ///
    /// # Errors
    /// If it cannot be read, or holds anything that is not allowed.
    pub fn load(&self) -> Result<Vec<Rule>, SourceError> {
        let bytes = contents::read(&self.path)?;
        format::rules(&self.path, contents::text(&self.path, &bytes)?)
    }

    /// Puts its rules in force, and keeps to them as they change, until what is returned is dropped.
    ///
    /// A file that is not good now is no error here, but in the [status](Watching::status), as it is
    /// later: a service need not stay down for it.
    ///
    /// # Errors
    /// If the system gives no thread to follow it on.
    pub fn watch(&self, injector: &Injector) -> Result<Watching, SourceError> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let actor = Actor::new(format!("file:{name}"))
            .at(self.path.to_string_lossy())
            .because("it is what the file says");
        let holder = Holder::new(injector, actor);
        Watching::start(self.path.clone(), self.look_every, holder)
    }
}
