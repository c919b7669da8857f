//! Files that are followed: read again when they change, once they no longer change.
//!
//! ```
//! use std::{fs, path::PathBuf, sync::mpsc, time::Duration};
//!
//! use chaos_core::follow::{FileFollower, Followed};
//!
//! struct Greeting(PathBuf, mpsc::Sender<String>);
//!
//! impl Followed for Greeting {
//!     type Contents = Option<String>;
//!
//!     fn read(&self) -> Option<String> {
//!         fs::read_to_string(&self.0).ok()
//!     }
//!
//!     fn is_valid(&self, contents: &Option<String>) -> bool {
//!         contents.is_some()
//!     }
//!
//!     fn take(&mut self, contents: &Option<String>) -> bool {
//!         let taken = contents.iter().try_for_each(|text| self.1.send(text.clone()));
//!         taken.is_ok()
//!     }
//! }
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("greeting");
//! fs::write(&path, "hello")?;
//! let (sender, greetings) = mpsc::channel();
//! let greeting = Greeting(path.clone(), sender);
//! let _follower = FileFollower::start(vec![path.clone()], Duration::from_secs(5), greeting)?;
//! assert_eq!(greetings.recv()?, "hello");
//!
//! fs::write(&path, "good day")?;
//! assert_eq!(greetings.recv()?, "good day");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod directory_watcher;

use std::{
    fmt, io, mem,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, SyncSender},
    },
    thread,
    time::Duration,
};

#[doc(hidden)]
pub use self::directory_watcher::DirectoryWatcher;
use crate::clock::Clock;

/// A version of the files is used when two reads this far apart agree and no notification came in
/// between. It is also the shortest time between the end of one look and the next.
const SETTLED_AFTER: Duration = Duration::from_millis(100);

/// The longest wait for files to stop changing. After it, the newest version that is valid is used.
const SETTLED_AT_MOST: Duration = Duration::from_millis(500);

/// Reads some files, and uses their contents when they have changed. A [`FileFollower`] calls the
/// methods on its thread.
pub trait Followed: Send + 'static {
    /// The contents of the files, or why they cannot be read.
    type Contents: PartialEq + Send;

    /// Reads the files.
    fn read(&self) -> Self::Contents;

    /// Returns whether the contents can be used. If contents keep changing, the newest valid ones are
    /// taken.
    fn is_valid(&self, contents: &Self::Contents) -> bool;

    /// Uses contents that differ from those that were taken last, or reports why they cannot be used.
    /// Returns `false` if the same contents are to be taken again at the next look.
    ///
    /// It is not called once the follower was dropped, and dropping the follower waits for a call
    /// that is under way.
    fn take(&mut self, contents: &Self::Contents) -> bool;

    /// Called at each look with whether the system notifies of all changes.
    fn set_notified(&mut self, is_notified: bool) {
        let _ = is_notified;
    }
}

/// Follows files on a thread of its own, until this is dropped.
///
/// The system's notifications are watched for the directory of each file and for those of the symbolic
/// links on the way, so the update of a mounted Kubernetes ConfigMap or Secret is detected like an
/// edit. Changes of other files in these directories cause no reads. The files are also read once in a
/// while, because some file systems send no notifications; if the system could not send notifications,
/// the follower asks for them again then, and it watches a directory anew that was replaced.
///
/// Changed files are read again 100 ms later, and [taken](Followed::take) once two reads agree. If
/// they keep changing for half a second, the newest valid version is taken, or the newest if none is
/// valid.
#[must_use = "the files are followed until this is dropped"]
pub struct FileFollower {
    wake: SyncSender<()>,
    stopped: Stopped,
}

/// Whether the follower was dropped. The lock is held while contents are taken, so none are taken
/// after it was set.
type Stopped = Arc<Mutex<bool>>;

impl FileFollower {
    /// Reads the files and takes their contents, then follows them. They are read at least once in
    /// `look_every`.
    ///
    /// # Errors
    /// Returns an error if no thread can be started. The contents were taken then.
    pub fn start<F>(paths: Vec<PathBuf>, look_every: Duration, followed: F) -> io::Result<Self>
    where
        F: Followed,
    {
        // One message is enough to wake the thread, however many changes there are.
        let (wake, woken) = mpsc::sync_channel(1);
        let stopped = Stopped::default();
        let mut worker = Worker {
            directories: DirectoryWatcher::new(wake.clone()),
            seen: None,
            stopped: Arc::clone(&stopped),
            is_settled: true,
            is_due: false,
            paths,
            followed,
        };
        // The directories are watched before the files are read, so no change in between is missed.
        worker.watch_directories();
        let seen = worker.followed.read();
        worker.take(seen);
        let thread = thread::Builder::new().name("chaos-files".to_owned());
        thread.spawn(move || worker.run(&woken, look_every))?;
        Ok(Self { wake, stopped })
    }
}

impl Drop for FileFollower {
    fn drop(&mut self) {
        // The thread is not joined, because it may be blocked by a file system that does not
        // respond. It takes nothing any more.
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        // A full channel wakes the thread as well.
        let _ = self.wake.try_send(());
    }
}

impl fmt::Debug for FileFollower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileFollower").finish_non_exhaustive()
    }
}

/// The state of the thread.
struct Worker<F: Followed> {
    paths: Vec<PathBuf>,
    followed: F,
    directories: DirectoryWatcher,
    stopped: Stopped,
    /// The last version that was taken.
    seen: Option<F::Contents>,
    /// Whether that version need not be taken again.
    is_settled: bool,
    /// Whether the files may have changed since they were read.
    is_due: bool,
}

impl<F: Followed> Worker<F> {
    fn run(mut self, woken: &Receiver<()>, look_every: Duration) {
        loop {
            if !mem::take(&mut self.is_due) {
                // Without a notification, the files are read as well.
                let _ = woken.recv_timeout(look_every);
            }
            // Before the files are read, so no change in between is missed.
            self.watch_directories();
            let found = self.look(woken);
            let retried = || (!self.is_settled).then(|| self.seen.take()).flatten();
            let is_running = match found.or_else(retried) {
                Some(contents) => self.take(contents),
                None => !self.is_stopped(),
            };
            if !is_running {
                return;
            }
            self.is_due |= is_woken_within(woken, SETTLED_AFTER);
        }
    }

    /// Returns the contents of the files once they no longer change, or the newest valid ones if they
    /// keep changing; `None` if they are those of the last version.
    fn look(&mut self, woken: &Receiver<()>) -> Option<F::Contents> {
        let clock = Clock::monotonic();
        let mut valid = None;
        let mut found = self.followed.read();
        while self.seen.as_ref() != Some(&found) {
            if clock.now() >= SETTLED_AT_MOST {
                // If an older version is used, no notification may follow about the present one.
                self.is_due = true;
                let is_valid = self.followed.is_valid(&found);
                let newest = valid.filter(|_| !is_valid);
                return Some(newest.unwrap_or(found));
            }
            let is_changing = is_woken_within(woken, SETTLED_AFTER);
            // A notification may be about a directory that is not watched yet.
            self.is_due |= is_changing;
            let before = mem::replace(&mut found, self.followed.read());
            if !is_changing && before == found {
                return Some(found);
            }
            if self.followed.is_valid(&before) {
                valid = Some(before);
            }
        }
        None
    }

    /// Takes the contents. Returns `false` if the follower was dropped.
    fn take(&mut self, contents: F::Contents) -> bool {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        if *stopped {
            return false;
        }
        self.is_settled = self.followed.take(&contents);
        drop(stopped);
        self.seen = Some(contents);
        true
    }

    fn is_stopped(&self) -> bool {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches the directories that the paths lead to now.
    fn watch_directories(&mut self) {
        let is_notified = self.directories.follow(&self.paths);
        self.followed.set_notified(is_notified);
    }
}

/// Waits for this long, and returns whether a notification came in the meantime.
fn is_woken_within(woken: &Receiver<()>, time: Duration) -> bool {
    let clock = Clock::monotonic();
    let mut is_woken = false;
    while woken.recv_timeout(time.saturating_sub(clock.now())).is_ok() {
        is_woken = true;
    }
    is_woken
}
