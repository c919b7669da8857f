//! The audit on disk: one line of JSON for each entry, written by a thread of its own, so that a
//! slow or full disk blocks nothing else.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, atomic::Ordering},
    thread::{self, JoinHandle},
    time::Duration,
};

use chaos_core::{Clock, Injector};

use crate::history::{
    audit_writer::{Writer, WriterState},
    waiting_injections::WaitingInjections,
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
///   `fdatasync`; a batch consists of the entries that arrived while the previous one was written. A
///   killed process loses the entries of its last moment, and a crashed machine loses the entries since
///   the last batch.
/// - **The file always parses.** Opening it completes or removes a last line that a crash has left
///   incomplete. A line that did not fit on a full disk is removed. A file whose last line cannot
///   be an audit entry is refused.
/// - **No edit of the port is missing.** An edit by the port waits until the file has room for its entry,
///   for two seconds, and is refused with 503 after that. Requests that stop faults do not wait: a halt,
///   a resume, a release, a deletion, and disabling a rule. Edits by the application itself do not wait
///   either.
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
///   gaps other than those that `missed` counts, so the missing entries can be identified. Rename the file
///   instead.
/// - **One writer.** On Unix, a file or a pipe that another process writes to is refused; a device, such as `/dev/null`, may
///   have many writers. The file is created with mode 0600; the mode of a file that exists is not changed. On Linux, a
///   process that may only read the file cannot hold its lock.
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

impl AuditFile {
    /// Opens the file, creates it if it does not exist, repairs its last line, and starts to write
    /// to it.
    ///
    /// # Errors
    /// Returns an error if the path cannot be opened, if another process writes to the file
    /// (`WouldBlock`), if its last line is not an audit entry (`InvalidData`), or if no thread can
    /// be started.
    pub fn open(injector: &Injector, path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref().to_owned();
        let state = Arc::new(WriterState::default());
        let writer = Writer::open(injector, &path, &state)?;
        let thread = thread::Builder::new().name("chaos-audit".to_owned());
        let thread = thread.spawn(|| writer.run())?;
        Ok(Self(Arc::new(WriterHandle {
            injector: injector.clone(),
            path,
            state,
            thread,
        })))
    }

    /// Writes injections into the file, too: at most `per_second` in each second, and at least one. The first call
    /// of this method decides.
    ///
    /// Each injection is a line with `"action":"inject"`, without an `id`. It has the site, the rule, the fault,
    /// and the method, path, route, trace id and labels of the call, as far as its site knows them. Calls do not
    /// wait for the disk: at most a thousand lines wait for it. The next line has the number of injections that
    /// were left out, in `left_out`; after an entry of the audit, and when the file is closed, this is a line of its
    /// own.
    ///
    /// ```
    /// # fn example(injector: &chaos_core::Injector) -> std::io::Result<()> {
    /// use chaos_http_admin::AuditFile;
    ///
    /// let audit = AuditFile::open(injector, "/var/log/shop/chaos.jsonl")?.with_injections(50);
    /// # drop(audit);
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_injections(self, per_second: u32) -> Self {
        let (state, audit) = (
            Arc::downgrade(&self.0.state),
            self.0.injector.audit().clone(),
        );
        let waiting = Mutex::new(WaitingInjections::new(per_second));
        if self.0.state.injections.set(waiting).is_ok() {
            let clock = Clock::monotonic();
            self.0.injector.observe(move |injection| {
                let Some(state) = state.upgrade() else { return };
                let Some(mut waiting) = state.injections() else {
                    return;
                };
                let is_first = waiting.add(injection, clock.now(), clock.wall());
                drop(waiting);
                if is_first {
                    audit.wake();
                }
            });
        }
        self
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
