//! The thread that follows a file: it reads the file, waits until it no longer changes, and
//! installs its rules.

use std::{
    mem,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, SyncSender},
    },
    thread,
    time::Duration,
};

use chaos_core::{Clock, Rule};

use crate::{
    contents,
    directory_watcher::DirectoryWatcher,
    error::{Problem, SourceError},
    format,
    installed::InstalledRules,
    status::{SourceHandle, SourceStatus},
};

/// A version of the file is used when two reads this far apart agree and no notification came in
/// between. It is also the shortest time between the end of one look and the next.
const SETTLED_AFTER: Duration = Duration::from_millis(100);

/// The longest wait for a file to stop changing. After it, the newest version that can be parsed is
/// used.
const SETTLED_AT_MOST: Duration = Duration::from_millis(500);

/// A watched file. Dropping this value ends the watch: the file is not read again, and its rules
/// stay in force until they expire.
#[derive(Debug)]
#[must_use = "the file is followed until this is dropped"]
pub struct Watching {
    handle: SourceHandle,
    wake: SyncSender<()>,
    stopped: Stopped,
}

/// Whether the watch has ended. The lock is held while rules are installed, so none are installed
/// after it was set.
type Stopped = Arc<Mutex<bool>>;

impl Watching {
    /// Reads the file and installs its rules, then follows it on a thread of its own.
    pub(crate) fn start(
        path: PathBuf,
        look_every: Duration,
        installed: InstalledRules,
    ) -> Result<Self, SourceError> {
        let origin = path.display().to_string();
        // One message is enough to wake the thread, however many changes there are.
        let (wake, woken) = mpsc::sync_channel(1);
        let stopped = Stopped::default();
        let handle = SourceHandle::new(path.clone());
        let mut worker = Worker {
            directories: DirectoryWatcher::new(wake.clone()),
            seen: None,
            handle: handle.clone(),
            stopped: Arc::clone(&stopped),
            retry: false,
            is_due: false,
            path,
            installed,
        };
        // The directory is watched before the file is read, so no change in between is missed.
        worker.follow();
        let seen = contents::read(&worker.path);
        worker.apply(seen);
        let thread = thread::Builder::new().name("chaos-sources".to_owned());
        let spawned = thread.spawn(move || worker.run(&woken, look_every));
        spawned.map_err(|error| {
            SourceError::new(
                &origin,
                format!("no thread can be started to follow the file: {error}"),
            )
        })?;
        Ok(Self {
            handle,
            wake,
            stopped,
        })
    }

    /// Returns the present status of the file.
    #[must_use]
    pub fn status(&self) -> SourceStatus {
        self.handle.status()
    }

    /// Returns a handle with which the status can be read elsewhere, also after this value was
    /// dropped.
    #[must_use]
    pub fn handle(&self) -> SourceHandle {
        self.handle.clone()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // The thread is not joined, because it may be blocked by a file system that does not
        // respond. It installs nothing any more.
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        // A full channel wakes the thread as well.
        let _ = self.wake.try_send(());
    }
}

/// The bytes of the file, or why it could not be read.
type Contents = Result<Vec<u8>, SourceError>;

/// The state of the thread.
struct Worker {
    path: PathBuf,
    installed: InstalledRules,
    handle: SourceHandle,
    directories: DirectoryWatcher,
    stopped: Stopped,
    /// The last version that was installed or refused.
    seen: Option<Contents>,
    /// Whether that version was refused for a reason that others can remove, so that it is worth
    /// trying again unchanged.
    retry: bool,
    /// Whether the file may have changed since it was read.
    is_due: bool,
}

impl Worker {
    fn run(mut self, woken: &Receiver<()>, look_every: Duration) {
        loop {
            if !mem::take(&mut self.is_due) {
                // Without a notification, the file is read as well.
                let _ = woken.recv_timeout(look_every);
            }
            // Before the file is read, so no change in between is missed.
            self.follow();
            let found = self.look(woken);
            if self.is_stopped() {
                return;
            }
            if let Some(contents) = found.or_else(|| self.take_for_retry()) {
                self.apply(contents);
            }
            self.is_due |= is_woken_within(woken, SETTLED_AFTER);
        }
    }

    /// Returns the contents of the file once they no longer change, or the newest that can be
    /// parsed if they keep changing; `None` if they are those of the last version.
    fn look(&mut self, woken: &Receiver<()>) -> Option<Contents> {
        let clock = Clock::monotonic();
        let mut parsable = None;
        let mut found = contents::read(&self.path);
        while self.seen.as_ref() != Some(&found) {
            if clock.now() >= SETTLED_AT_MOST {
                // If an older version is used, no notification may follow about the present one.
                self.is_due = true;
                let is_parsable = self.parse(&found).is_ok();
                let newest = parsable.filter(|_| !is_parsable);
                return Some(newest.unwrap_or(found));
            }
            let is_changing = is_woken_within(woken, SETTLED_AFTER);
            // A notification may be about a directory that is not watched yet.
            self.is_due |= is_changing;
            let before = mem::replace(&mut found, contents::read(&self.path));
            if !is_changing && before == found {
                return Some(found);
            }
            if self.parse(&before).is_ok() {
                parsable = Some(before);
            }
        }
        None
    }

    /// Returns the last version if it is worth trying again.
    fn take_for_retry(&mut self) -> Option<Contents> {
        self.retry.then(|| self.seen.take()).flatten()
    }

    fn is_stopped(&self) -> bool {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches the directories that the path leads to now.
    fn follow(&mut self) {
        let is_notified = self.directories.follow(&self.path);
        self.handle
            .change(|status| status.is_notified = is_notified);
    }

    /// Parses the contents and installs their rules, or records why they are refused.
    fn apply(&mut self, contents: Contents) {
        let parsed = self.parse(&contents);
        self.seen = Some(contents);
        self.retry = false;
        let outcome = match parsed {
            Ok(rules) => match self.put(rules) {
                None => return,
                Some(Ok(generation)) => Ok(generation),
                Some(Err(problem)) => {
                    self.retry = true;
                    let origin = self.path.display().to_string();
                    Err(SourceError::new(&origin, problem))
                }
            },
            Err(error) => Err(error),
        };
        match outcome {
            Ok(generation) => self.accept(generation),
            Err(error) => self.refuse(error),
        }
    }

    fn parse(&self, contents: &Contents) -> Result<Vec<Rule>, SourceError> {
        let bytes = contents.as_ref().map_err(SourceError::clone)?;
        format::rules(&self.path, contents::text(&self.path, bytes)?)
    }

    /// Installs rules. Returns `None` if the watch has ended.
    fn put(&mut self, rules: Vec<Rule>) -> Option<Result<Option<u64>, Problem>> {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        (!*stopped).then(|| self.installed.put(rules))
    }

    fn accept(&self, generation: Option<u64>) {
        let (source, rules) = (self.path.display(), self.installed.rules());
        let injector = self.installed.injector();
        if let Some(generation) = generation {
            tracing::info!(target: "chaos", %source, rules, generation, "installed the rules of a file");
        } else if self.handle.status().error.is_some() {
            tracing::info!(target: "chaos", %source, rules, "a file is valid again and unchanged");
        }
        self.handle.change(|status| {
            status.rules = rules;
            let before = status.generation;
            status.generation = generation
                .or(before)
                .or_else(|| Some(injector.rules().generation()));
            status.loaded_at = Some(injector.wall());
            (status.error, status.failing_since) = (None, None);
        });
    }

    /// Records why the file is refused in the log, the audit and the status. This is done once for
    /// each reason, since the file may stay as it is for long.
    fn refuse(&self, error: SourceError) {
        if self.handle.status().error.as_deref() == Some(&error) {
            return;
        }
        let source = self.path.display();
        tracing::warn!(target: "chaos", %source, %error, "refused a file; the rules of its last valid version stay in force");
        self.installed.refuse(&error.to_string());
        let now = self.installed.injector().wall();
        self.handle.change(|status| {
            status.error = Some(Arc::new(error));
            status.failing_since.get_or_insert(now);
            status.refused += 1;
        });
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
