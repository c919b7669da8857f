//! `Marker`: the file itself, and what the halts and resumes of the injector ask of it.

use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError, mpsc::SyncSender},
    thread::{self, ThreadId},
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
    /// The thread that follows the file, once there is one.
    follower: OnceLock<ThreadId>,
    /// Locked while the disk is waited for, before `asked` where both are.
    file: Mutex<FileState>,
    /// Never locked while the disk is waited for: a halt, and whoever asks for the status, take it.
    asked: Mutex<Asked>,
}

#[derive(Debug, Default)]
struct FileState {
    /// Whether the file was there when it was last looked for, written or removed.
    was_there: bool,
}

#[derive(Debug, Default)]
struct Asked {
    /// Who has halted since the file was last looked for.
    unwritten: Option<Actor>,
    /// The number of resumes that have removed the file.
    resumes: u64,
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
    Unwritten(PendingHalt),
}

/// A halt that is to be written, unless a resume comes first.
#[derive(Debug)]
pub(super) struct PendingHalt {
    pub(super) by: Actor,
    resumes: u64,
}

impl Marker {
    pub(super) fn new(path: PathBuf, actor: Actor, wake: SyncSender<()>) -> Self {
        Self {
            path,
            actor,
            wake,
            follower: OnceLock::new(),
            file: Mutex::default(),
            asked: Mutex::default(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the actor in whose name the file halts and resumes.
    pub(super) fn actor(&self) -> Actor {
        self.actor.clone()
    }

    /// Sets the thread that follows the file. A resume of its own removes no file.
    pub(super) fn set_follower(&self, thread: ThreadId) {
        self.follower.get_or_init(|| thread);
    }

    pub(super) fn stop(&self) {
        self.asked().is_stopped = true;
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.asked().is_stopped
    }

    pub(super) fn problem(&self) -> Option<String> {
        self.asked().problem.clone()
    }

    /// Sets what is wrong, and returns whether it is news.
    pub(super) fn set_problem(&self, problem: Option<String>) -> bool {
        let mut asked = self.asked();
        let is_news = asked.problem != problem;
        asked.problem = problem;
        is_news
    }

    /// Looks for the file.
    ///
    /// # Errors
    /// Returns an error if it cannot be known whether the file is there. It then counts as what it was.
    pub(super) fn look(&self) -> io::Result<Found> {
        let mut file = self.file();
        // Taken before the look: if the file is there, it keeps the halts from before.
        let (unwritten, resumes) = {
            let mut asked = self.asked();
            (asked.unwritten.take(), asked.resumes)
        };
        let looked = is_there(&self.path).and_then(|is_there| match is_there {
            // An unmounted disk is no resume.
            false if file.was_there && !self.has_directory() => Err(ErrorKind::NotFound.into()),
            is_there => Ok(is_there),
        });
        let is_there = looked.inspect_err(|_| {
            if let Some(by) = &unwritten {
                self.is_to_be_written(by);
            }
        })?;
        let was_there = std::mem::replace(&mut file.was_there, is_there);
        Ok(match (is_there, was_there, unwritten) {
            (true, true, _) => Found::Stays,
            (true, false, _) => Found::Appeared,
            // A halt that came since wins over the removal.
            (false, _, Some(by)) => Found::Unwritten(PendingHalt { by, resumes }),
            (false, true, None) => Found::Removed,
            (false, false, None) => Found::Missing,
        })
    }

    /// Takes the file for one that is there, until a look finds that it is not.
    pub(super) fn suppose_there(&self) {
        self.file().was_there = true;
    }

    pub(super) fn has_directory(&self) -> bool {
        self.path.parent().is_none_or(Path::is_dir)
    }

    /// Returns the number of resumes that have removed the file.
    pub(super) fn resumes(&self) -> u64 {
        self.asked().resumes
    }

    /// Notes that a halt by `by` is yet to be written.
    pub(super) fn is_to_be_written(&self, by: &Actor) {
        self.asked().unwritten.get_or_insert_with(|| by.clone());
    }

    /// Returns a halt by `by` that is to be written.
    pub(super) fn pending(&self, by: Actor) -> PendingHalt {
        let resumes = self.resumes();
        PendingHalt { by, resumes }
    }

    /// Writes the file, unless there is one, or someone has resumed since. After an error, the halt is yet to be
    /// written.
    pub(super) fn write(&self, halt: &PendingHalt) -> io::Result<()> {
        let mut file = self.file();
        if self.asked().resumes != halt.resumes {
            return Ok(());
        }
        let written = self.create(&halt.by);
        match written {
            Ok(()) => file.was_there = true,
            Err(_) => self.is_to_be_written(&halt.by),
        }
        written
    }

    fn create(&self, by: &Actor) -> io::Result<()> {
        let mut options = OpenOptions::new();
        match options.write(true).create_new(true).open(&self.path) {
            Ok(mut file) => {
                // On a disk that is full, the file may be empty. It halts all the same.
                let written = file.write_all(text(by).as_bytes());
                let _ = written.and_then(|()| file.sync_all());
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists && is_there(&self.path)? => {
                Ok(())
            }
            Err(error) => Err(error),
        }
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

    /// Removes the file, or returns why it stays.
    fn remove(&self) -> Result<(), String> {
        match fs::remove_file(&self.path) {
            Err(error) if !is_missing(&error) => {
                let path = self.path.display();
                Err(format!("the halt file {path} cannot be removed: {error}"))
            }
            _ => Ok(()),
        }
    }

    fn file(&self) -> MutexGuard<'_, FileState> {
        // Each change leaves a usable state, so a poisoned lock is no problem.
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HaltHook for Marker {
    fn halted(&self, by: &Actor) {
        // The file's own halts need no file. Another thread tells of one after a resume that was refused, which
        // may have removed the file.
        let follows = |id: &ThreadId| *id == thread::current().id();
        let is_own =
            by.address() == self.actor.address() && self.follower.get().is_none_or(follows);
        if !is_own {
            self.is_to_be_written(by);
            // A full channel wakes the thread as well.
            let _ = self.wake.try_send(());
        }
    }

    fn before_resume(&self) -> Result<(), String> {
        if self.is_stopped() {
            return Ok(());
        }
        let mut file = self.file();
        if self.follower.get() == Some(&thread::current().id()) {
            // The file was removed. One that is there now is another halt.
            return match is_there(&self.path) {
                Ok(false) => Ok(()),
                _ => Err("the halt file is there again".to_owned()),
            };
        }
        self.remove()?;
        file.was_there = false;
        let mut asked = self.asked();
        asked.unwritten = None;
        asked.resumes += 1;
        Ok(())
    }

    /// A file that is there is a person's halt, which was not noticed yet.
    fn before_fleet_resume(&self) -> Result<(), String> {
        if self.is_stopped() {
            return Ok(());
        }
        let path = self.path.display();
        match is_there(&self.path) {
            Ok(false) => Ok(()),
            Ok(true) => Err(format!("the halt file {path} is there")),
            Err(error) => Err(format!(
                "the halt file {path} cannot be looked for: {error}"
            )),
        }
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    fn marker(folder: &tempfile::TempDir) -> Marker {
        let path = folder.path().join("halt");
        let actor = Actor::new("file:halt").at(path.to_string_lossy());
        Marker::new(path, actor, sync_channel(1).0)
    }

    fn alice() -> Actor {
        Actor::new("alice").because("enough seen")
    }

    #[test]
    fn a_disk_that_hangs_holds_neither_a_halt_nor_the_status() {
        let folder = tempfile::tempdir().unwrap();
        let marker = marker(&folder);
        let _waits_for_the_disk = marker.file();
        marker.halted(&alice());
        assert!(marker.set_problem(None) || marker.problem().is_none());
        marker.stop();
        assert!(marker.is_stopped());
    }

    #[test]
    fn a_halt_after_a_resume_is_written_whatever_was_looked_for_before() {
        let folder = tempfile::tempdir().unwrap();
        let marker = marker(&folder);
        fs::write(marker.path(), "incident 42").unwrap();
        assert!(matches!(marker.look().unwrap(), Found::Appeared));
        marker.before_resume().unwrap();
        marker.halted(&alice());
        let Found::Unwritten(halt) = marker.look().unwrap() else {
            panic!("it is to be written");
        };
        marker.write(&halt).unwrap();
        assert!(
            fs::read_to_string(marker.path())
                .unwrap()
                .starts_with("enough seen\n")
        );
    }

    #[test]
    fn a_halt_that_is_over_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let marker = marker(&folder);
        marker.halted(&alice());
        let Found::Unwritten(halt) = marker.look().unwrap() else {
            panic!("it is to be written");
        };
        marker.before_resume().unwrap();
        marker.write(&halt).unwrap();
        assert!(!marker.path().exists());
    }

    #[test]
    fn the_removal_of_a_file_removes_no_other_file() {
        let folder = tempfile::tempdir().unwrap();
        let marker = marker(&folder);
        marker.set_follower(thread::current().id());
        assert!(marker.before_resume().is_ok());
        fs::write(marker.path(), "another incident").unwrap();
        assert!(marker.before_resume().unwrap_err().contains("there again"));
        assert!(marker.path().exists());
    }
}
