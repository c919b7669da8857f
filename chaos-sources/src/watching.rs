//! A file that is followed: its rules are installed whenever it changes.

use std::{path::PathBuf, sync::Arc, time::Duration};

use chaos_core::{
    Rule,
    follow::{FileFollower, Followed},
};

use crate::{
    contents,
    error::{Problem, SourceError},
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
        path: PathBuf,
        look_every: Duration,
        installed: InstalledRules,
    ) -> Result<Self, SourceError> {
        let origin = path.display().to_string();
        let handle = SourceHandle::new(path.clone());
        let file = RulesFile {
            path: path.clone(),
            installed,
            handle: handle.clone(),
            outcome: None,
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
    /// What has become of the contents that were taken last, until it is reported.
    outcome: Option<Result<Option<u64>, SourceError>>,
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
        let (outcome, is_settled) =
            match self.parse(contents).map(|rules| self.installed.put(rules)) {
                Ok(Ok(generation)) => (Ok(generation), true),
                // Others can remove the reason, so the same rules are worth trying again.
                Ok(Err(problem)) => (Err(self.error(problem)), false),
                Err(error) => (Err(error), true),
            };
        self.outcome = Some(outcome);
        is_settled
    }

    fn report(&mut self) {
        match self.outcome.take() {
            Some(Ok(generation)) => self.accept(generation),
            Some(Err(error)) => self.refuse(error),
            None => {}
        }
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
