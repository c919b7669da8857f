//! Files of rules.

use std::{path::Path, time::Duration};

use chaos_core::{Injector, Rule};

use crate::{
    contents, error::SourceError, followed_path::FollowedPath, format, installed::InstalledRules,
    watching::Watching,
};

/// A file of rules, whose extension determines its format: see the [front page](crate#files).
///
/// ```
/// use chaos_sources::FileSource;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("rules.json");
/// std::fs::write(&path, r#"{"rules":[{"id":"lost","site":"db.*","faults":[{"error":"lost"}]}]}"#)?;
/// let rules = FileSource::new(&path).load()?;
/// assert_eq!(rules[0].id().as_str(), "lost");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct FileSource(FollowedPath);

impl FileSource {
    /// Names the file at `path`, which need not exist yet. A relative path is resolved against the
    /// current directory of this moment.
    #[must_use]
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self(FollowedPath::new(path.as_ref()))
    }

    /// Sets how often the file is read without a notification of the system, which some file
    /// systems do not send. The default is five seconds, and the minimum 10 milliseconds.
    #[must_use]
    pub fn look_every(self, time: Duration) -> Self {
        Self(self.0.look_every(time))
    }

    /// Returns the absolute path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Reads and validates the rules of the file, without arming them.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or parsed, or contains an invalid rule.
    pub fn load(&self) -> Result<Vec<Rule>, SourceError> {
        let path = self.path();
        let bytes = contents::read(path)?;
        format::rules(path, contents::text(path, &bytes)?)
    }

    /// Arms the rules of the file in `injector`, and updates them whenever the file changes, until
    /// the returned value is dropped.
    ///
    /// The file is read once before this method returns. A file that is missing or invalid is no
    /// error, neither now nor later, so that it cannot keep a service from starting; the
    /// [status](Watching::status) shows what is wrong with it.
    ///
    /// # Errors
    /// Returns an error if no thread can be started to follow the file. The file's rules may be
    /// armed then.
    pub fn watch(&self, injector: &Injector) -> Result<Watching, SourceError> {
        let actor = self.0.actor().because("set in the file");
        Watching::start(&self.0, InstalledRules::new(injector, actor))
    }
}
