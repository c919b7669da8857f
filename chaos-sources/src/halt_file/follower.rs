//! The thread that keeps a halt file and the halt together.

use std::{
    sync::{Arc, mpsc::Receiver},
    time::Duration,
};

use chaos_core::{HolderKind, Injector, State, audit::Actor, follow::DirectoryWatcher};

use crate::{
    error::SourceError,
    halt_file::marker::{Found, Marker},
};

/// The state of the thread.
pub(super) struct Follower {
    pub(super) injector: Injector,
    pub(super) marker: Arc<Marker>,
    pub(super) directories: DirectoryWatcher,
}

impl Follower {
    /// Looks for the file for the first time. If it cannot be known whether it is there, the injector is halted.
    pub(super) fn begin(&mut self) {
        // The halt of the environment ends with the process.
        let holders = self.injector.status().holders;
        let mut others = holders
            .iter()
            .filter(|it| it.kind != HolderKind::Environment);
        if let Some(first) = others.next() {
            self.marker.is_to_be_written(&first.by);
        }
        // The directory is watched before the file is looked for, so no change in between is missed.
        self.watch_directory();
        match self.marker.look() {
            Ok(found) => self.apply(found),
            Err(error) => {
                let problem = format!("the halt file cannot be looked for: {error}");
                self.marker.suppose_there();
                self.halt(&problem);
                self.report(Some(problem));
            }
        }
    }

    pub(super) fn run(mut self, woken: &Receiver<()>, look_every: Duration) {
        while !self.marker.is_stopped() {
            // Without a notification, the file is looked for as well.
            let _ = woken.recv_timeout(look_every);
            self.watch_directory();
            if self.marker.is_stopped() {
                return;
            }
            match self.marker.look() {
                Ok(found) => self.apply(found),
                Err(error) => {
                    self.report(Some(format!("the halt file cannot be looked for: {error}")));
                }
            }
        }
    }

    /// Brings the halt in line with the file, or the file with the halt.
    fn apply(&self, found: Found) {
        let problem = match found {
            Found::Appeared => {
                self.marker.needs_no_writing();
                self.halt(&self.marker.reason());
                None
            }
            Found::Stays => {
                self.marker.needs_no_writing();
                if !self.is_halted() {
                    self.halt(&self.marker.reason());
                }
                None
            }
            Found::Removed => self.resume(),
            Found::Unwritten(by) => self.write(&by),
            Found::Missing => self.missing_directory(),
        };
        self.report(problem);
    }

    fn watch_directory(&mut self) {
        self.directories.follow(&[self.marker.path().to_owned()]);
    }

    fn is_halted(&self) -> bool {
        matches!(self.injector.status().state, State::Halted { .. })
    }

    fn halt(&self, reason: &str) {
        let by = self.marker.actor().because(reason);
        self.injector.as_actor(by.clone()).halt();
        // Afterwards, because a log may block.
        tracing::warn!(target: "chaos", reason, who = %by, "halted by a file");
    }

    /// Resumes because the file was removed. If that is refused, the file is written again.
    fn resume(&self) -> Option<String> {
        if !self.is_halted() {
            return None;
        }
        let by = self.marker.actor().because("the file was removed");
        match self.injector.as_actor(by.clone()).resume() {
            Ok(_) => {
                tracing::warn!(target: "chaos", who = %by, "resumed: the halt file was removed");
                None
            }
            Err(error) => {
                let kept = self.marker.actor().because(error.to_string());
                let problem = self.write(&kept);
                tracing::warn!(target: "chaos", who = %by, %error, "the halt file was removed, and is written again");
                problem
            }
        }
    }

    /// Writes the file if the halt still holds. Returns what is wrong if it cannot be written.
    fn write(&self, by: &Actor) -> Option<String> {
        if !self.is_halted() {
            self.marker.needs_no_writing();
            return None;
        }
        let error = self.marker.write(by).err()?;
        self.marker.is_to_be_written(by);
        Some(format!(
            "the halt ends with the process, because the halt file cannot be written: {error}"
        ))
    }

    /// Returns what is wrong if the file could not be written.
    fn missing_directory(&self) -> Option<String> {
        let directory = self.marker.path().parent()?;
        let is_missing = !directory.is_dir();
        is_missing.then(|| "the directory of the halt file does not exist".to_owned())
    }

    /// Records what is wrong in the log, the audit and the status: once for each reason.
    fn report(&self, problem: Option<String>) {
        if !self.marker.set_problem(problem.clone()) {
            return;
        }
        let path = self.marker.path().display();
        match problem {
            Some(problem) => {
                let error = SourceError::new(&path.to_string(), problem);
                tracing::warn!(target: "chaos", %error, "the halt file cannot be kept");
                let actor = self.marker.actor();
                self.injector.as_actor(actor).refuse(error.to_string());
            }
            None => tracing::info!(target: "chaos", %path, "the halt file can be kept again"),
        }
    }
}
