//! The thread that writes the audit file, and what it shares with the handles of the file.

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use chaos_core::{
    Injector,
    audit::{Audit, AuditFollower, Entry},
    log::log,
};
use serde_json::json;

use crate::history::{
    appender::Appender,
    entry,
    expiry_watch::ExpiryWatch,
    process_id::process_id,
    waiting_injections::{TakenInjections, WaitingInjections},
};

#[derive(Debug, Default)]
pub(crate) struct WriterState {
    pub(crate) is_closed: AtomicBool,
    /// The id of the last entry that was written or lost.
    pub(crate) seen: AtomicU64,
    pub(crate) written: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) lost: AtomicU64,
    error: Mutex<Option<String>>,
    /// The injections that wait to be written, if they are to be.
    pub(crate) injections: OnceLock<Mutex<WaitingInjections>>,
}

impl WriterState {
    pub(crate) fn error(&self) -> MutexGuard<'_, Option<String>> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn injections(&self) -> Option<MutexGuard<'_, WaitingInjections>> {
        let injections = self.injections.get()?;
        Some(injections.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The state of the thread.
pub(crate) struct Writer {
    audit: Audit,
    /// Keeps the entries that are yet to be written.
    follower: AuditFollower,
    expiry_watch: ExpiryWatch,
    appender: Appender,
    progress: Progress,
    /// The lines of injections that are to be written after the entries.
    injections: Vec<Vec<u8>>,
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
    /// How many of the lines of injections that are to be written were written.
    injections: usize,
}

impl Writer {
    /// How often a batch is written at most if the file is renamed each time.
    const MAX_TRIES: usize = 3;
    /// The pause after a failed attempt.
    const RETRY: Duration = Duration::from_secs(1);

    /// Opens the file at `path`, or creates it, and repairs its last line.
    pub(crate) fn open(
        injector: &Injector,
        path: &Path,
        state: &Arc<WriterState>,
    ) -> io::Result<Self> {
        Ok(Self {
            audit: injector.audit().clone(),
            follower: injector.audit().follow(),
            expiry_watch: ExpiryWatch::new(injector),
            appender: Appender::open(path)?,
            progress: Progress::default(),
            injections: Vec::new(),
            in_file: 0,
            is_synced: true,
            state: Arc::clone(state),
        })
    }

    pub(crate) fn run(mut self) {
        loop {
            let is_last = self.state.is_closed.load(Ordering::Acquire);
            let wait = self.expiry_watch.check();
            let written = self.write_new_entries();
            self.report(&written);
            match written {
                _ if is_last => break,
                Ok(()) => {
                    let is_due = || {
                        !self.injections.is_empty()
                            || self.state.injections().is_some_and(|it| it.are_waiting())
                    };
                    self.audit
                        .wait_blocking_unless(self.progress.seen, wait, is_due);
                }
                Err(_) => thread::park_timeout(Self::RETRY),
            }
        }
        let left = self.audit.last().saturating_sub(self.progress.seen);
        self.state.lost.fetch_add(left, Ordering::Relaxed);
    }

    /// Appends the entries that are new since the last call, then the injections, and syncs the file.
    fn write_new_entries(&mut self) -> io::Result<()> {
        let entries = self.audit.after(self.progress.seen).entries;
        if self.injections.is_empty() {
            // Nothing may come after these entries, or after the file is closed, to put the number in.
            let now = !entries.is_empty() || self.state.is_closed.load(Ordering::Acquire);
            let taken = self.state.injections();
            let taken = taken.map(|mut waiting| waiting.take(now));
            self.injections = taken.map(TakenInjections::into_lines).unwrap_or_default();
        }
        match entries.first() {
            Some(first) => self.skip_to(first),
            None if self.is_synced && self.injections.is_empty() => return Ok(()),
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
                self.injections.clear();
                self.progress.injections = 0;
                break;
            }
            // Whoever has renamed the file may have read it before these lines were appended.
            self.progress = before;
        }
        Ok(())
    }

    fn write(&mut self, entries: &[Arc<Entry>]) -> io::Result<()> {
        let added = entries.iter().try_for_each(|entry| self.add(entry));
        let added = added.and_then(|()| self.add_injections());
        // The lines that were appended are synced even if a later one failed.
        if !self.is_synced {
            self.appender.sync()?;
            self.is_synced = true;
        }
        added
    }

    fn add_injections(&mut self) -> io::Result<()> {
        for line in &self.injections[self.progress.injections..] {
            self.appender.append(line)?;
            self.is_synced = false;
            self.progress.injections += 1;
        }
        Ok(())
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
