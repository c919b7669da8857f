//! `Marker`: the file itself, and what the halts and resumes of the injector ask of it.

use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError, mpsc::SyncSender},
};

use chaos_core::{HaltHook, OneLine, audit::Actor};

/// How much of a file is read for its reason.
const LONGEST: u64 = 1000;

/// The file of one injector.
#[derive(Debug)]
pub(super) struct Marker {
    path: PathBuf,
    /// The name in which the file halts and resumes.
    actor: Actor,
    wake: SyncSender<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether the file was there when it was last looked for, written or removed.
    was_there: bool,
    /// Who has halted since the file was last written.
    unwritten: Option<Actor>,
    problem: Option<String>,
    is_stopped: bool,
}

/// What a look has found.
#[derive(Debug)]
pub(super) enum Found {
    /// The file is there, and was not before.
    Appeared,
    Stays,
    /// The file is gone, and nobody of this process has removed it.
    Removed,
    Missing,
    /// The file is missing, and someone has halted.
    Unwritten(Actor),
}

impl Marker {
    pub(super) fn new(path: PathBuf, actor: Actor, wake: SyncSender<()>) -> Self {
        let state = Mutex::default();
        Self {
            path,
            actor,
            wake,
            state,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the actor in whose name the file halts and resumes.
    pub(super) fn actor(&self) -> Actor {
        self.actor.clone()
    }

    pub(super) fn stop(&self) {
        self.state().is_stopped = true;
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.state().is_stopped
    }

    pub(super) fn problem(&self) -> Option<String> {
        self.state().problem.clone()
    }

    /// Sets what is wrong, and returns whether it is news.
    pub(super) fn set_problem(&self, problem: Option<String>) -> bool {
        let mut state = self.state();
        let is_news = state.problem != problem;
        state.problem = problem;
        is_news
    }

    /// Looks for the file.
    ///
    /// # Errors
    /// Returns an error if it cannot be known whether the file is there.
    pub(super) fn look(&self) -> io::Result<Found> {
        let mut state = self.state();
        // Under the lock, so that no resume removes the file in between.
        let is_there = is_there(&self.path)?;
        let was_there = std::mem::replace(&mut state.was_there, is_there);
        Ok(match (is_there, was_there, &state.unwritten) {
            (true, true, _) => Found::Stays,
            (true, false, _) => Found::Appeared,
            // A halt that came since wins over the removal.
            (false, _, Some(by)) => Found::Unwritten(by.clone()),
            (false, true, None) => Found::Removed,
            (false, false, None) => Found::Missing,
        })
    }

    /// Takes the file for one that is there, until a look finds that it is not.
    pub(super) fn suppose_there(&self) {
        self.state().was_there = true;
    }

    /// Notes that a halt by `by` is yet to be written.
    pub(super) fn is_to_be_written(&self, by: &Actor) {
        self.state().unwritten.get_or_insert_with(|| by.clone());
    }

    /// Notes that nothing is to be written: the file is there, or the halt is over.
    pub(super) fn needs_no_writing(&self) {
        self.state().unwritten = None;
    }

    /// Writes the file, unless there is one.
    pub(super) fn write(&self, by: &Actor) -> io::Result<()> {
        let mut state = self.state();
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&self.path)
        {
            Ok(mut file) => {
                // On a disk that is full, the file may be empty. It halts all the same.
                let written = file.write_all(text(by).as_bytes());
                let _ = written.and_then(|()| file.sync_all());
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists && is_there(&self.path)? => {}
            Err(error) => return Err(error),
        }
        state.was_there = true;
        state.unwritten = None;
        Ok(())
    }

    /// Returns the first line of the file.
    pub(super) fn reason(&self) -> String {
        let unknown = || format!("the file {} is there", self.path.display());
        // Opening a pipe would wait for its other end.
        if !fs::metadata(&self.path).is_ok_and(|metadata| metadata.is_file()) {
            return unknown();
        }
        let mut bytes = Vec::new();
        let read =
            fs::File::open(&self.path).and_then(|file| file.take(LONGEST).read_to_end(&mut bytes));
        let text = String::from_utf8_lossy(&bytes);
        match text.lines().map(str::trim).find(|line| !line.is_empty()) {
            Some(line) if read.is_ok() => OneLine(line).to_string(),
            _ => unknown(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change leaves a usable state, so a poisoned lock is no problem.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HaltHook for Marker {
    fn halted(&self, by: &Actor) {
        // The file's own halts need no file.
        if by.address() != self.actor.address() {
            self.is_to_be_written(by);
            // A full channel wakes the thread as well.
            let _ = self.wake.try_send(());
        }
    }

    fn before_resume(&self) -> Result<(), String> {
        let mut state = self.state();
        if state.is_stopped {
            return Ok(());
        }
        match fs::remove_file(&self.path) {
            Err(error) if is_missing(&error) => {}
            Err(error) => {
                let path = self.path.display();
                return Err(format!("the halt file {path} cannot be removed: {error}"));
            }
            Ok(()) => {}
        }
        state.was_there = false;
        state.unwritten = None;
        Ok(())
    }
}

/// Returns the contents of a file that is written for a halt.
fn text(by: &Actor) -> String {
    let reason = by.reason().unwrap_or("no reason given");
    let address = by.address().map(|address| format!(" ({address})"));
    let address = address.unwrap_or_default();
    format!(
        "{}\nhalted by {}{}\n",
        OneLine(reason),
        OneLine(by.name()),
        OneLine(&address)
    )
}

fn is_there(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}
