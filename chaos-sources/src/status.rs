//! The status of a watched file: the rules that it has installed, and what is wrong with it.

use std::{
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use chaos_core::Clock;

use crate::error::SourceError;

/// The status of a watched file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SourceStatus {
    /// The path of the file.
    pub path: PathBuf,
    /// The number of rules in the last valid version of the file. They stay in force while the file
    /// is invalid.
    pub rules: usize,
    /// The generation of the injector's rules that resulted from installing them, or in which they
    /// were already in force; `None` if the file has never been valid.
    pub generation: Option<u64>,
    /// When the last valid version was read, on the injector's clock; `None` if the file has never
    /// been valid.
    pub loaded_at: Option<SystemTime>,
    /// Why the present version of the file is refused; `None` if it is valid.
    pub error: Option<Arc<SourceError>>,
    /// When the file became invalid, on the injector's clock; `None` if it is valid.
    pub failing_since: Option<SystemTime>,
    /// The number of refusals. A reason that persists is counted once.
    pub refused: u64,
    /// Whether the system notified of changes at the last look. If not, they are found within the
    /// time set with [`FileSource::look_every`](crate::FileSource::look_every), and the system is
    /// asked again then.
    pub is_notified: bool,
}

/// A handle to the status of a watched file, which can be read after its
/// [`Watching`](crate::Watching) was moved or dropped. Clones are handles to the same file.
#[derive(Clone, Debug)]
pub struct SourceHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    status: Mutex<SourceStatus>,
    changed: Condvar,
}

impl SourceHandle {
    pub(crate) fn new(path: PathBuf) -> Self {
        let status = SourceStatus {
            path,
            rules: 0,
            generation: None,
            loaded_at: None,
            error: None,
            failing_since: None,
            refused: 0,
            is_notified: false,
        };
        Self(Arc::new(Shared {
            status: Mutex::new(status),
            changed: Condvar::new(),
        }))
    }

    /// Returns the present status.
    #[must_use]
    pub fn status(&self) -> SourceStatus {
        self.lock().clone()
    }

    /// Blocks the thread until `predicate` returns `true` for the status, for `at_most` this long.
    /// Returns whether it did.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use chaos_core::Injector;
    /// use chaos_sources::FileSource;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("rules.json");
    /// let watching = FileSource::new(&path).watch(&Injector::new())?;
    /// assert!(watching.status().error.is_some()); // there is no file yet
    ///
    /// std::fs::write(&path, r#"{"rules":[{"id":"lost","site":"db.*","faults":[{"error":"lost"}]}]}"#)?;
    /// let is_loaded = watching.handle().wait_until(|status| status.rules == 1, Duration::from_secs(30));
    /// assert!(is_loaded);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_until(&self, predicate: impl Fn(&SourceStatus) -> bool, at_most: Duration) -> bool {
        let clock = Clock::monotonic();
        let mut status = self.lock();
        while !predicate(&status) {
            let left = at_most.saturating_sub(clock.now());
            if left.is_zero() {
                return false;
            }
            let waited = self.0.changed.wait_timeout(status, left);
            status = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut SourceStatus)) {
        change(&mut self.lock());
        self.0.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, SourceStatus> {
        // The fields are assigned one by one, and each assignment leaves a usable status, so a
        // poisoned lock is no problem.
        self.0.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
