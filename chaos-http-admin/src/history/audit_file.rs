//! The audit on disk: a line of JSON for each entry, written by a thread of its own, so that a slow or
//! full disk holds up nobody else.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use chaos_core::{Audit, Entry, Injector};
use serde_json::json;

use crate::history::{
    appender::Appender, entry, expiry_watch::ExpiryWatch, process_id::process_id,
};

/// Writes the [audit](Injector::audit) of an injector to a file, from its first entry on, for as long
/// as this lives. Clones are the same one.
///
/// ```no_run
/// # fn example() -> std::io::Result<()> {
/// let injector = chaos_core::global();
/// let file = chaos_http_admin::AuditFile::open(injector, "/var/log/shop/chaos.jsonl")?;
/// let admin = chaos_http_admin::Admin::new(injector.clone()).audit_file(&file);
/// # Ok(())
/// # }
/// ```
///
/// A line is what `GET /v1/audit` shows of an entry, and `run`, which tells the processes apart that
/// wrote to the file. `missed` stands where entries before it are missing, and says how many.
///
/// - **It is added only.** Each line is one write at the end of the file, and `fdatasync` follows each
///   batch of them: a batch is what has come while the one before was written. So a killed process
///   loses the entries of its last moment, and a crashed machine those since the last batch.
/// - **It always parses.** Opening it cuts off a last line that a crash has torn, and ends one that is
///   whole but for its end. What could be written of a line before the disk was full is taken back. A
///   file whose last line cannot be ours is refused.
/// - **It blocks nobody.** If it cannot be written, that is counted, logged once (tracing target
///   `chaos`), and tried again each second. The entries wait in the injector's list; when that has to
///   forget one, it is [lost](AuditFileStatus::lost).
/// - **It can be rotated**, by renaming or by truncating it: before each batch, the path is looked at.
/// - **It ends with its last clone**, whose drop waits for what is left to be written, for two seconds at
///   most.
/// - **One writer at a time**: on Unix, a file that another process writes to is refused.
#[derive(Clone, Debug)]
#[must_use = "nothing is written after the last clone is gone"]
pub struct AuditFile(Arc<WriterHandle>);

/// How an [`AuditFile`] fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditFileStatus {
    /// Entries that are in the file.
    pub written: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Entries that will never be in the file.
    pub lost: u64,
    /// Why the last attempt failed; `None` if it did not.
    pub error: Option<String>,
}

#[derive(Debug)]
struct WriterHandle {
    injector: Injector,
    path: PathBuf,
    state: Arc<WriterState>,
    thread: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct WriterState {
    is_closed: AtomicBool,
    written: AtomicU64,
    failed: AtomicU64,
    lost: AtomicU64,
    error: Mutex<Option<String>>,
}

impl AuditFile {
    /// Opens a file, or makes it, puts its last line right, and starts to follow.
    ///
    /// # Errors
    /// If the file cannot be opened, another process writes to it, its last line is not one of ours
    /// (`InvalidData`), or there can be no thread.
    pub fn open(injector: &Injector, path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref().to_owned();
        let state = Arc::new(WriterState::default());
        let writer = Writer {
            audit: injector.audit().clone(),
            expiry_watch: ExpiryWatch::new(injector),
            appender: Appender::open(&path)?,
            seen: 0,
            missed: 0,
            is_synced: true,
            state: Arc::clone(&state),
        };
        let thread = thread::Builder::new().name("chaos-audit".to_owned());
        let thread = thread.spawn(|| writer.run())?;
        Ok(Self(Arc::new(WriterHandle {
            injector: injector.clone(),
            path,
            state,
            thread,
        })))
    }

    /// Where it writes.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// What has been written, and what has not.
    #[must_use]
    pub fn status(&self) -> AuditFileStatus {
        let state = &self.0.state;
        let mut error = state.error().clone();
        if self.0.thread.is_finished() {
            error = Some("its thread has ended".to_owned());
        }
        AuditFileStatus {
            written: state.written.load(Ordering::Relaxed),
            failed: state.failed.load(Ordering::Relaxed),
            lost: state.lost.load(Ordering::Relaxed),
            error,
        }
    }
}

impl Drop for WriterHandle {
    /// Lets the thread write what is left, for two seconds at most: the disk may hang.
    fn drop(&mut self) {
        self.state.is_closed.store(true, Ordering::Release);
        for _ in 0..200 {
            if self.thread.is_finished() {
                break;
            }
            // It waits for entries, which this wakes it from, or for another try.
            self.injector.sweep();
            self.thread.thread().unpark();
            thread::park_timeout(Duration::from_millis(10));
        }
    }
}

impl WriterState {
    fn error(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread holds.
struct Writer {
    audit: Audit,
    expiry_watch: ExpiryWatch,
    appender: Appender,
    /// The last entry that was written, or lost.
    seen: u64,
    /// How many were lost since the last that was written.
    missed: u64,
    is_synced: bool,
    state: Arc<WriterState>,
}

impl Writer {
    /// Between attempts that fail.
    const RETRY: Duration = Duration::from_secs(1);

    fn run(mut self) {
        loop {
            let is_last = self.state.is_closed.load(Ordering::Acquire);
            let wait = self.expiry_watch.check();
            let written = self.write_new_entries();
            self.report(&written);
            match written {
                _ if is_last => break,
                Ok(()) => {
                    self.audit.wait_blocking(self.seen, wait);
                }
                Err(_) => thread::park_timeout(Self::RETRY),
            }
        }
        let left = self.audit.last().saturating_sub(self.seen);
        self.state.lost.fetch_add(left, Ordering::Relaxed);
    }

    fn write_new_entries(&mut self) -> io::Result<()> {
        let entries = self.audit.after(self.seen).entries;
        match entries.first() {
            Some(first) => self.skip_to(first),
            None if self.is_synced => return Ok(()),
            None => {}
        }
        self.appender.reopen_if_rotated()?;
        let added = entries.iter().try_for_each(|entry| self.add(entry));
        // Those that could be added are to last, whatever became of the others.
        if !self.is_synced {
            self.appender.sync()?;
            self.is_synced = true;
        }
        added
    }

    /// What lies before it and was not seen is gone.
    fn skip_to(&mut self, next: &Entry) {
        let missed = next.id - self.seen - 1;
        if missed > 0 {
            self.seen += missed;
            self.missed += missed;
            self.state.lost.fetch_add(missed, Ordering::Relaxed);
            tracing::error!(target: "chaos", missed, "entries are lost to the audit file");
        }
    }

    fn add(&mut self, entry: &Entry) -> io::Result<()> {
        self.skip_to(entry);
        self.appender.append(&self.line(entry))?;
        self.is_synced = false;
        self.seen = entry.id;
        self.missed = 0;
        self.state.written.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn line(&self, entry: &Entry) -> Vec<u8> {
        let mut line = entry::entry(entry);
        line["run"] = json!(process_id());
        if self.missed > 0 {
            line["missed"] = json!(self.missed);
        }
        format!("{line}\n").into_bytes()
    }

    /// Says so when it begins to fail, and when it no longer does.
    fn report(&self, written: &io::Result<()>) {
        let mut noted = self.state.error();
        let error = written.as_ref().err().map(ToString::to_string);
        let path = self.appender.path().display();
        if error.is_some() {
            self.state.failed.fetch_add(1, Ordering::Relaxed);
        }
        let had_failed = noted.is_some();
        noted.clone_from(&error);
        // A subscriber may do anything.
        drop(noted);
        match error {
            Some(error) if !had_failed => {
                tracing::error!(target: "chaos", %path, error, "the audit file cannot be written");
            }
            None if had_failed => {
                tracing::warn!(target: "chaos", %path, "the audit file can be written again");
            }
            _ => {}
        }
    }
}
