//! A file that is followed: its rules are installed whenever it changes.

use std::{path::PathBuf, sync::Arc};

use chaos_core::{
    Rule,
    follow::{FileFollower, Followed},
    log::log,
};

use crate::{
    contents,
    error::{Problem, SourceError},
    followed_path::FollowedPath,
    format,
    installed::InstalledRules,
    status::{SourceHandle, SourceStatus},
};

/// A watched file. Dropping this value ends the watch: the file is not read again, and its rules
/// stay in force until they expire.
#[derive(Debug)]
#[must_use = "the file is followed until this is dropped"]
pub struct Watching {
    handle: SourceHandle,
    _follower: FileFollower,
}

impl Watching {
    /// Reads the file and installs its rules, then follows it on a thread of its own.
    pub(crate) fn start(
        file: &FollowedPath,
        installed: InstalledRules,
    ) -> Result<Self, SourceError> {
        let FollowedPath { path, look_every } = file.clone();
        let origin = path.display().to_string();
        let handle = SourceHandle::new(path.clone());
        let file = RulesFile {
            path: path.clone(),
            installed,
            handle: handle.clone(),
        };
        let follower = FileFollower::start(vec![path], look_every, file);
        let follower = follower.map_err(|error| {
            SourceError::new(
                &origin,
                format!("no thread can be started to follow the file: {error}"),
            )
        })?;
        Ok(Self {
            handle,
            _follower: follower,
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

/// The file, and the rules that it has installed.
struct RulesFile {
    path: PathBuf,
    installed: InstalledRules,
    handle: SourceHandle,
}

impl Followed for RulesFile {
    /// The bytes of the file, or why it could not be read.
    type Contents = Result<Vec<u8>, SourceError>;

    fn read(&self) -> Self::Contents {
        contents::read(&self.path)
    }

    fn is_valid(&self, contents: &Self::Contents) -> bool {
        self.parse(contents).is_ok()
    }

    /// Parses the contents and installs their rules.
    fn take(&mut self, contents: &Self::Contents) -> bool {
        match self.parse(contents).map(|rules| self.installed.put(rules)) {
            Ok(Ok(generation)) => self.accept(generation),
            Ok(Err(problem)) => {
                self.refuse(self.error(problem));
                // Others can remove the reason, so the same rules are worth trying again.
                return false;
            }
            Err(error) => self.refuse(error),
        }
        true
    }

    fn set_notified(&mut self, is_notified: bool) {
        self.handle
            .change(|status| status.is_notified = is_notified);
    }
}

impl RulesFile {
    fn parse(&self, contents: &Result<Vec<u8>, SourceError>) -> Result<Vec<Rule>, SourceError> {
        let bytes = contents.as_ref().map_err(SourceError::clone)?;
        format::rules(&self.path, contents::text(&self.path, bytes)?)
    }

    fn error(&self, problem: Problem) -> SourceError {
        SourceError::new(&self.path.display().to_string(), problem)
    }

    fn accept(&self, generation: Option<u64>) {
        let (source, rules) = (self.path.display().to_string(), self.installed.rules());
        let injector = self.installed.injector();
        if let Some(generation) = generation {
            log(
                move || tracing::info!(target: "chaos", source, rules, generation, "installed the rules of a file"),
            );
        } else if self.handle.status().error.is_some() {
            log(
                move || tracing::info!(target: "chaos", source, rules, "a file is valid again and unchanged"),
            );
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
        self.installed.refuse(&error.to_string());
        let now = self.installed.injector().wall();
        let (source, error) = (self.path.display().to_string(), Arc::new(error));
        let told = Arc::clone(&error);
        log(
            move || tracing::warn!(target: "chaos", source, error = %told, "refused a file; the rules of its last valid version stay in force"),
        );
        self.handle.change(|status| {
            status.error = Some(error);
            status.failing_since.get_or_insert(now);
            status.refused += 1;
        });
    }
}
