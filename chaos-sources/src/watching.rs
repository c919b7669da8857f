//! The thread that follows a file: it reads the file, waits until it no longer changes, and
//! installs its rules.

use std::{
    ops::ControlFlow,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};

use chaos_core::{Clock, Rule};

use crate::{
    contents,
    directory_watcher::{DirectoryWatcher, Signal},
    error::{Problem, SourceError},
    format,
    installed::InstalledRules,
    status::{SourceHandle, SourceStatus},
};

/// A version of the file is used when two reads this far apart agree and no notification came in
/// between.
const SETTLED_AFTER: Duration = Duration::from_millis(100);

/// The longest wait for a file to stop changing. After it, the file is read at the next occasion.
const SETTLED_AT_MOST: Duration = Duration::from_secs(2);

/// A watched file. Dropping this value ends the watch: the file is not read again, and its rules
/// stay in force until they expire.
#[derive(Debug)]
#[must_use = "the file is followed until this is dropped"]
pub struct Watching {
    handle: SourceHandle,
    stop: Sender<Signal>,
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
        let (stop, signals) = mpsc::channel();
        let stopped = Stopped::default();
        let handle = SourceHandle::new(path.clone());
        let mut worker = Worker {
            directories: DirectoryWatcher::new(stop.clone()),
            seen: None,
            handle: handle.clone(),
            stopped: Arc::clone(&stopped),
            retry: false,
            path,
            installed,
        };
        // The directory is watched before the file is read, so no change in between is missed.
        worker.follow(false);
        let seen = contents::read(&worker.path);
        worker.apply(seen);
        let thread = thread::Builder::new().name("chaos-sources".to_owned());
        let spawned = thread.spawn(move || worker.run(&signals, look_every));
        spawned.map_err(|error| {
            SourceError::new(
                &origin,
                format!("no thread can be started to follow the file: {error}"),
            )
        })?;
        Ok(Self {
            handle,
            stop,
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
        let _ = self.stop.send(Signal::Stop);
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
}

impl Worker {
    fn run(mut self, signals: &Receiver<Signal>, look_every: Duration) {
        loop {
            let was_signalled = match signals.recv_timeout(look_every) {
                Ok(Signal::Changed) => true,
                Err(RecvTimeoutError::Timeout) => false,
                Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            };
            let ControlFlow::Continue(found) = self.look(signals) else {
                return;
            };
            match found {
                Some(contents) => {
                    // The watch missed this change, so its directory may have been replaced.
                    self.follow(!was_signalled);
                    self.apply(contents);
                }
                None => {
                    let is_notified = self.handle.status().is_notified;
                    if !is_notified {
                        self.follow(true);
                    }
                    if self.retry
                        && let Some(seen) = self.seen.take()
                    {
                        self.apply(seen);
                    }
                }
            }
        }
    }

    /// Returns the contents of the file once they no longer change, or `None` if they are those of
    /// the last version, or keep changing.
    fn look(&self, signals: &Receiver<Signal>) -> ControlFlow<(), Option<Contents>> {
        let clock = Clock::monotonic();
        let mut found = contents::read(&self.path);
        while self.seen.as_ref() != Some(&found) {
            wait_until_settled(signals)?;
            let again = contents::read(&self.path);
            if again == found {
                return ControlFlow::Continue(Some(found));
            }
            if clock.now() > SETTLED_AT_MOST {
                break;
            }
            found = again;
        }
        ControlFlow::Continue(None)
    }

    /// Watches the directories that the path leads to now.
    fn follow(&mut self, anew: bool) {
        let is_notified = self.directories.follow(&self.path, anew);
        self.handle
            .change(|status| status.is_notified = is_notified);
    }

    /// Parses the contents and installs their rules, or records why they are refused.
    fn apply(&mut self, contents: Contents) {
        let parsed = contents.as_ref().map_err(SourceError::clone);
        let parsed = parsed.and_then(|bytes| {
            let text = contents::text(&self.path, bytes)?;
            format::rules(&self.path, text)
        });
        self.seen = Some(contents);
        self.retry = false;
        let taken = match parsed {
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
        match taken {
            Ok(generation) => self.accept(generation),
            Err(error) => self.refuse(error),
        }
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

/// Waits until no notification has come for a while, or for the longest time.
fn wait_until_settled(signals: &Receiver<Signal>) -> ControlFlow<()> {
    let clock = Clock::monotonic();
    loop {
        match signals.recv_timeout(SETTLED_AFTER) {
            Ok(Signal::Changed) if clock.now() < SETTLED_AT_MOST => {}
            Ok(Signal::Changed) | Err(RecvTimeoutError::Timeout) => {
                return ControlFlow::Continue(());
            }
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return ControlFlow::Break(()),
        }
    }
}
