//! `HaltFile`: a file that keeps a halt, so that it outlives the process.

mod follower;
mod marker;

use std::{
    path::Path,
    sync::{
        Arc,
        mpsc::{self, SyncSender},
    },
    thread,
    time::Duration,
};

use chaos_core::{HaltHook, Injector, follow::DirectoryWatcher};

use crate::{
    error::SourceError,
    followed_path::FollowedPath,
    halt_file::{follower::Follower, marker::Marker},
};

/// A file that exists while the injector is halted, so that a halt outlives the process.
///
/// - **A file that exists halts the injector.** [`follow`](Self::follow) looks for it before it returns, so
///   a process that starts while the file exists injects nothing. The file is looked for again whenever its
///   directory changes. The first line of the file is the reason: `echo 'incident 42' > halt` halts every
///   process that follows the file, whether its port answers or not.
/// - **A halt by anyone writes the file**, and so does a guard rail that stops all injection. The halt
///   does not wait for the file: a thread of its own writes the file, usually within milliseconds. A halt
///   by [`Injector::halt_when`] or the `halt_on` of a port is not written, because the process ends with
///   it.
/// - **A resume removes the file**, before any rule is armed again. If the file cannot be removed,
///   because it is mounted read-only for example, the resume is refused with the reason.
/// - **Removing the file resumes injection**, once the file has been gone for 100 ms. This ends the holds
///   of all people. While a guard rail has not been acknowledged, the file is written again instead.
///
/// A failure is reported once for each reason, as a `tracing` warning and an entry of the audit, and
/// [`problem`](FollowedHaltFile::problem) returns it for as long as it lasts:
///
/// | the file | the injector |
/// |---|---|
/// | is missing | is not halted by it |
/// | is empty, unreadable, a directory or not UTF-8 | is halted |
/// | is in a directory that is missing | is not halted by it; a halt is written once the directory is there; later, as after an unmount, the file counts as what it was |
/// | is in a directory that may not be searched | is halted, if that is so when the process starts; later, the file counts as what it was |
/// | cannot be written: the disk is full or read-only | a halt is in force, and ends with the process; the file is tried again every five seconds |
/// | cannot be removed | stays halted |
///
/// Several processes may share a file. A halt of one halts them all, and a resume of one resumes them
/// all.
///
/// ```
/// use chaos_core::Injector;
/// use chaos_sources::HaltFile;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("halt");
/// std::fs::write(&path, "incident 42\n")?;
/// let injector = Injector::new();
/// let followed = HaltFile::new(&path).follow(&injector)?;
/// assert_eq!(injector.status().holders[0].by.reason(), Some("incident 42"));
///
/// assert!(injector.resume());
/// assert!(!path.exists());
/// # drop(followed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct HaltFile(FollowedPath);

impl HaltFile {
    /// Names the file at `path`, which need not exist. A relative path is resolved against the
    /// current directory of this moment.
    #[must_use]
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self(FollowedPath::new(path.as_ref()))
    }

    /// Sets how often the file is looked for without a notification of the system, which some file
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

    /// Halts `injector` if the file exists, and keeps the file and the halt in step until the last
    /// clone of the returned value is dropped. Call it before the first rule is armed.
    ///
    /// An injector that is halted already keeps its holders, and the file is written.
    ///
    /// # Errors
    /// Returns an error if no thread can be started to follow the file. If the file was there,
    /// the injector is halted then.
    pub fn follow(&self, injector: &Injector) -> Result<FollowedHaltFile, SourceError> {
        let FollowedPath { path, look_every } = self.0.clone();
        // One message is enough to wake the thread, however many changes there are.
        let (wake, woken) = mpsc::sync_channel(1);
        let marker = Arc::new(Marker::new(path, self.0.actor(), wake.clone()));
        injector.add_halt_hook(Arc::clone(&marker) as Arc<dyn HaltHook>);
        let mut follower = Follower {
            directories: DirectoryWatcher::new(wake.clone()),
            injector: injector.clone(),
            marker: Arc::clone(&marker),
        };
        follower.begin();
        let thread = thread::Builder::new().name("chaos-halt-file".to_owned());
        let spawned = thread.spawn(move || follower.run(&woken, look_every));
        let spawned = spawned.map_err(|error| {
            let problem = format!("no thread can be started to follow the halt file: {error}");
            SourceError::new(&self.path().display().to_string(), problem)
        })?;
        // The thread sets itself, too: either may be the first to need it.
        marker.set_follower(spawned.thread().id());
        Ok(FollowedHaltFile(Arc::new(Guard { marker, wake })))
    }
}

/// A halt file that is followed. When its last clone is dropped, the file is neither looked for, written nor
/// removed any more; a halt that is in force then stays until someone resumes.
#[derive(Clone, Debug)]
#[must_use = "the file is followed until this is dropped"]
pub struct FollowedHaltFile(Arc<Guard>);

#[derive(Debug)]
struct Guard {
    marker: Arc<Marker>,
    wake: SyncSender<()>,
}

impl FollowedHaltFile {
    /// Returns the absolute path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.marker.path()
    }

    /// Returns why the file does not match the halt at the moment, because it could not be looked for or
    /// written; `None` if it matches. `Admin::source` of `chaos-http-admin` shows it.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.0.marker.problem()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // The thread is not joined, because it may be blocked by a file system that does not respond.
        self.marker.stop();
        let _ = self.wake.try_send(());
    }
}
