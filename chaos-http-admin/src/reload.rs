//! What is read again when its files change: access tokens and certificates.
//!
//! Each change is recorded in the audit. Files that are not valid change nothing; why is recorded once,
//! in the log, the audit and the status.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chaos_core::{
    Injector,
    audit::Actor,
    follow::{FileFollower, Followed},
    log::log,
};

/// How often files are read without a notification of the system.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Something that is read from files, and replaced as a whole when they change.
pub(crate) trait Reload: Send + 'static {
    /// What the files contain.
    type Contents: PartialEq + Send;

    /// Returns the paths of the files. The first names them in the audit.
    fn paths(&self) -> Vec<PathBuf>;

    /// Reads the files. The error is one line and quotes nothing of the files.
    fn read(&self) -> Result<Self::Contents, String>;

    /// Returns whether the contents can be put in force.
    fn is_valid(&self, contents: &Self::Contents) -> bool;

    /// Puts the contents in force. Returns what has changed for the audit, or `None` if nothing has.
    fn replace(&mut self, contents: &Self::Contents) -> Result<Option<String>, String>;
}

/// Files that are followed until this is dropped.
#[derive(Debug)]
pub(crate) struct Reloading {
    source: Arc<str>,
    problem: CurrentProblem,
    _follower: FileFollower,
}

/// Why the files are refused at the moment.
type CurrentProblem = Arc<Mutex<Option<String>>>;

impl Reloading {
    /// Follows the files on a thread of its own.
    pub(crate) fn start<R: Reload>(injector: &Injector, reload: R) -> io::Result<Self> {
        let paths = reload.paths();
        let first = paths.first().map(PathBuf::as_path).unwrap_or(Path::new(""));
        let problem = CurrentProblem::default();
        let name = first.file_name().unwrap_or_default().to_string_lossy();
        let source: Arc<str> = first.display().to_string().into();
        let reloader = Reloader {
            actor: Actor::new(format!("file:{name}"))
                .at(first.to_string_lossy())
                .because("set in the file"),
            source: Arc::clone(&source),
            injector: injector.clone(),
            problem: Arc::clone(&problem),
            reload,
        };
        Ok(Self {
            source,
            problem,
            _follower: FileFollower::start(paths, LOOK_EVERY, reloader)?,
        })
    }

    /// Returns the path of the first file.
    pub(crate) fn source(&self) -> Arc<str> {
        Arc::clone(&self.source)
    }

    /// Returns a function that returns why the files are refused at the moment, or `None`.
    pub(crate) fn check(&self) -> impl Fn() -> Option<String> + Send + Sync + 'static {
        let problem = Arc::clone(&self.problem);
        move || {
            problem
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone()
        }
    }
}

struct Reloader<R> {
    actor: Actor,
    source: Arc<str>,
    injector: Injector,
    problem: CurrentProblem,
    reload: R,
}

impl<R: Reload> Followed for Reloader<R> {
    type Contents = Result<R::Contents, String>;

    fn read(&self) -> Self::Contents {
        self.reload.read()
    }

    fn is_valid(&self, contents: &Self::Contents) -> bool {
        contents
            .as_ref()
            .is_ok_and(|contents| self.reload.is_valid(contents))
    }

    fn take(&mut self, contents: &Self::Contents) -> bool {
        let contents = contents.as_ref().map_err(String::clone);
        let outcome = contents.and_then(|contents| self.reload.replace(contents));
        let problem = outcome.as_ref().err().cloned();
        let before = {
            let mut known = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *known, problem)
        };
        let source = Arc::clone(&self.source);
        let signed = self.injector.as_actor(self.actor.clone());
        match outcome {
            Ok(Some(change)) => {
                signed.reload(&change);
                log(move || {
                    tracing::info!(target: "chaos", source = &*source, change, "took a file that has changed");
                });
            }
            Ok(None) if before.is_some() => {
                log(move || {
                    tracing::info!(target: "chaos", source = &*source, "a file is valid again and unchanged");
                });
            }
            Ok(None) => {}
            Err(error) if before.as_ref() == Some(&error) => {}
            Err(error) => {
                signed.refuse(&error);
                log(move || {
                    tracing::warn!(target: "chaos", source = &*source, error, "refused a file; its last valid version stays in force");
                });
            }
        }
        true
    }
}
