//! How a source is: what it has in force, and what was last wrong with it.

use std::{
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use chaos_core::Clock;

use crate::error::SourceError;

/// How a file that is watched is doing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SourceStatus {
    /// The file.
    pub path: PathBuf,
    /// How many rules it had when it last was good; those stay in force until it is good again.
    pub rules: usize,
    /// The generation of the injector's rules that they came with, or that had them already.
    pub generation: Option<u64>,
    /// When they were read, on the injector's clock; `None` if the file has never been good.
    pub loaded_at: Option<SystemTime>,
    /// Why the file as it is now is refused, if it is.
    pub error: Option<Arc<SourceError>>,
    /// Since when, on the injector's clock.
    pub failing_since: Option<SystemTime>,
    /// How many times it was refused, each reason counted once.
    pub refused: u64,
    /// Whether the system tells of changes. If not, they are found when it is next looked at.
    pub is_notified: bool,
}

/// The status of a source, to be asked by whoever shows it. Clones are the same source.
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

    /// How it is now.
    #[must_use]
    pub fn status(&self) -> SourceStatus {
        self.lock().clone()
    }

    /// Waits until it is as `is_as` says, holding the thread, at most for a time; whether it is.
    pub fn wait_until(&self, is_as: impl Fn(&SourceStatus) -> bool, at_most: Duration) -> bool {
        let clock = Clock::monotonic();
        let mut status = self.lock();
        while !is_as(&status) {
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
        // A status is written field by field, each whole.
        self.0.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
