//! `/dev/full`, on which every write fails. An audit file is locked, and so one test at a time has it.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Waits until no other test has it.
pub(crate) fn dev_full() -> MutexGuard<'static, ()> {
    static TAKEN: Mutex<()> = Mutex::new(());
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}
