//! The audit on disk: one line of JSON for each entry, written by a thread of its own, so that a
//! slow or full disk blocks nothing else.

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

use chaos_core::{
    Injector,
    audit::{Audit, AuditFollower, Entry},
};
use serde_json::json;

use crate::{
    history::{appender::Appender, entry, expiry_watch::ExpiryWatch, process_id::process_id},
    log::log,
};

/// Writes the [audit](Injector::audit) of an injector to a file, from its first entry on. Clones
/// are handles to the same writer, which ends when the last of them is dropped.
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
/// Each line is the JSON of an entry as `GET /v1/audit` shows it, with further fields: `run`
/// identifies the process that wrote it; `missed`, if present, is the number of entries before
/// it that were lost; `truncated`, if present, is the number of entries that this process had written
/// to the file before another program truncated it.
///
/// - **Durability.** A line is appended in one write, and each batch of lines is followed by
///   `fdatasync`; a batch consists of the entries that arrived while the previous one was written.
///   A killed process loses the entries of its last moment, and a crashed machine those since the
///   last batch.
/// - **The file always parses.** Opening it completes or removes a last line that a crash has left
///   incomplete. A line that did not fit on a full disk is removed. A file whose last line cannot
///   be an audit entry is refused.
/// - **No edit of the port is missing.** An edit by the port waits until the file has room for its entry,
///   for two seconds, and is refused with 503 after that. What stops faults does not wait: a halt, a
///   resume, a release, a deletion, and disabling a rule. Nor does the application itself.
/// - **Writing never blocks the service.** If the file cannot be written, the failure is counted,
///   logged once (target `chaos`), and writing is retried every second. Meanwhile the entries wait
///   in the injector's audit; an entry that the audit drops is [lost](AuditFileStatus::lost).
/// - **Rotation.** The file may be renamed or removed by another program, such as logrotate, without a
///   signal: before and after each batch, the path is checked, and reopened if it leads to another file. A
///   batch during which the file was renamed is written to the new file too, because the other program
///   may have read the old one already. So no entry is missing from the old and the new file together,
///   and a few may stand in both; `run` and `id` identify an entry.
/// - **Truncation loses entries.** logrotate's `copytruncate` removes what was written after it has copied
///   the file. The next line has the field `truncated`, and the log a warning. The ids of a run have no
///   gaps other than those that `missed` counts, so that the missing ones can be named. Rename the file
///   instead.
/// - **One writer.** On Unix, a file that another process writes to is refused. The file is created with
///   mode 0600; the mode of a file that exists is not changed. On Linux, a process that may only read the
///   file cannot hold its lock.
/// - **Shutdown.** Dropping the last clone waits until the remaining entries are written, for two
///   seconds at most.
#[derive(Clone, Debug)]
#[must_use = "nothing is written after the last clone is gone"]
pub struct AuditFile(Arc<WriterHandle>);

/// The state of an [`AuditFile`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditFileStatus {
    /// The number of entries written to the file.
    pub written: u64,
    /// The number of failed attempts to write.
    pub failed: u64,
    /// The number of entries that will never be in the file.
    pub lost: u64,
    /// The error of the last attempt; `None` if it succeeded.
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
    /// The id of the last entry that was written or lost.
    seen: AtomicU64,
    written: AtomicU64,
    failed: AtomicU64,
    lost: AtomicU64,
    error: Mutex<Option<String>>,
}

impl AuditFile {
    /// Opens the file, creates it if it does not exist, repairs its last line, and starts to write
    /// to it.
    ///
    /// # Errors
    /// Returns an error if the file cannot be opened, if another process writes to it
    /// (`WouldBlock`), if its last line is not an audit entry (`InvalidData`), or if no thread can
    /// be started.
    pub fn open(injector: &Injector, path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref().to_owned();
        let state = Arc::new(WriterState::default());
        let writer = Writer {
            audit: injector.audit().clone(),
            follower: injector.audit().follow(),
            expiry_watch: ExpiryWatch::new(injector),
            appender: Appender::open(&path)?,
            progress: Progress::default(),
            in_file: 0,
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

    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Returns how many entries are yet to be written, or the error of the last attempt.
    pub(crate) fn backlog(&self) -> Result<u64, String> {
        let state = &self.0.state;
        if let Some(error) = state.error().clone() {
            return Err(error);
        }
        let last = self.0.injector.audit().last();
        Ok(last.saturating_sub(state.seen.load(Ordering::Acquire)))
    }

    /// Returns how much has been written, and what has gone wrong.
    #[must_use]
    pub fn status(&self) -> AuditFileStatus {
        let state = &self.0.state;
        let mut error = state.error().clone();
        if self.0.thread.is_finished() {
            error = Some("the writer thread has ended".to_owned());
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
    /// Waits for the thread to write the remaining entries, for two seconds at most, since the disk
    /// may hang.
    fn drop(&mut self) {
        self.state.is_closed.store(true, Ordering::Release);
        for _ in 0..200 {
            if self.thread.is_finished() {
                break;
            }
            // The thread waits for an entry, or for its next attempt. Each of these two calls ends
            // one of the waits.
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

/// The state of the thread.
struct Writer {
    audit: Audit,
    /// Keeps the entries that are yet to be written.
    follower: AuditFollower,
    expiry_watch: ExpiryWatch,
    appender: Appender,
    progress: Progress,
    /// The number of entries that were written to the open file since it was opened or truncated.
    in_file: u64,
    /// Whether all appended lines are on the disk.
    is_synced: bool,
    state: Arc<WriterState>,
}

/// How far the thread is.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// The id of the last entry that was written or lost.
    seen: u64,
    /// The number of entries lost since the last one that was written.
    missed: u64,
    /// The number of entries that stood in the file when it was truncated, since the last one that was
    /// written.
    truncated: u64,
    written: u64,
    lost: u64,
}

impl Writer {
    /// How often a batch is written at most if the file is renamed each time.
    const MAX_TRIES: usize = 3;
    /// The pause after a failed attempt.
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
                    self.audit.wait_blocking(self.progress.seen, wait);
                }
                Err(_) => thread::park_timeout(Self::RETRY),
            }
        }
        let left = self.audit.last().saturating_sub(self.progress.seen);
        self.state.lost.fetch_add(left, Ordering::Relaxed);
    }

    /// Appends the entries that are new since the last call, and syncs the file.
    fn write_new_entries(&mut self) -> io::Result<()> {
        let entries = self.audit.after(self.progress.seen).entries;
        match entries.first() {
            Some(first) => self.skip_to(first),
            None if self.is_synced => return Ok(()),
            None => {}
        }
        let before = self.progress;
        for _ in 0..Self::MAX_TRIES {
            if self.appender.is_rotated() {
                self.appender.reopen()?;
                self.in_file = 0;
            }
            self.write(&entries)?;
            if !self.appender.is_rotated() {
                self.follower.seen(self.progress.seen);
                self.state.seen.store(self.progress.seen, Ordering::Release);
                break;
            }
            // Whoever has renamed the file may have read it before these lines were appended.
            self.progress = before;
        }
        Ok(())
    }

    fn write(&mut self, entries: &[Arc<Entry>]) -> io::Result<()> {
        let added = entries.iter().try_for_each(|entry| self.add(entry));
        // The lines that were appended are synced even if a later one failed.
        if !self.is_synced {
            self.appender.sync()?;
            self.is_synced = true;
        }
        added
    }

    /// Counts the entries between the last seen one and `next` as lost: the audit has dropped them.
    fn skip_to(&mut self, next: &Entry) {
        let missed = next.id - self.progress.seen - 1;
        if missed > 0 {
            self.progress.seen += missed;
            self.progress.missed += missed;
            self.progress.lost += missed;
            log(move || {
                tracing::error!(target: "chaos", missed, "audit entries were dropped before they were written to the file");
            });
        }
    }

    fn add(&mut self, entry: &Entry) -> io::Result<()> {
        self.skip_to(entry);
        if self.in_file > 0 && self.appender.is_truncated()? {
            let (path, entries) = (self.appender.path().to_owned(), self.in_file);
            log(move || {
                let path = path.display();
                tracing::warn!(target: "chaos", %path, entries, "the audit file was truncated, and entries may be missing from its copy");
            });
            self.progress.truncated += self.in_file;
            self.in_file = 0;
        }
        self.appender.append(&self.line(entry))?;
        self.is_synced = false;
        self.in_file += 1;
        self.progress = Progress {
            seen: entry.id,
            missed: 0,
            truncated: 0,
            written: self.progress.written + 1,
            ..self.progress
        };
        Ok(())
    }

    fn line(&self, entry: &Entry) -> Vec<u8> {
        let Progress {
            missed, truncated, ..
        } = self.progress;
        let mut line = entry::entry(entry);
        line["run"] = json!(process_id());
        for (name, count) in [("missed", missed), ("truncated", truncated)] {
            if count > 0 {
                line[name] = json!(count);
            }
        }
        format!("{line}\n").into_bytes()
    }

    /// Publishes the result of an attempt. The log says when attempts begin to fail and when they
    /// succeed again.
    fn report(&self, written: &io::Result<()>) {
        let (state, progress) = (&self.state, self.progress);
        state.written.store(progress.written, Ordering::Relaxed);
        state.lost.store(progress.lost, Ordering::Relaxed);
        let mut noted = self.state.error();
        let error = written.as_ref().err().map(ToString::to_string);
        let path = self.appender.path().display().to_string();
        if error.is_some() {
            self.state.failed.fetch_add(1, Ordering::Relaxed);
        }
        let had_failed = noted.is_some();
        noted.clone_from(&error);
        drop(noted);
        match error {
            Some(error) if !had_failed => {
                log(
                    move || tracing::error!(target: "chaos", path, error, "the audit file cannot be written"),
                );
            }
            None if had_failed => {
                log(
                    move || tracing::warn!(target: "chaos", path, "the audit file can be written again"),
                );
            }
            _ => {}
        }
    }
}
