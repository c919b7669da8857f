//! The thread that keeps a halt file and the halt together.

use std::{
    sync::{Arc, mpsc::Receiver},
    thread,
    time::Duration,
};

use chaos_core::{
    Clock, HaltHolder, HolderKind, Injector, State, audit::Actor, follow::DirectoryWatcher,
    log::log,
};

use crate::{
    error::SourceError,
    halt_file::marker::{Found, Marker, PendingHalt},
};

/// How long a file has to be gone before that is a resume: some programs replace a file by removing it first.
const GONE_FOR: Duration = Duration::from_millis(100);

/// The state of the thread.
pub(super) struct Follower {
    pub(super) injector: Injector,
    pub(super) marker: Arc<Marker>,
    pub(super) directories: DirectoryWatcher,
}

impl Follower {
    /// Looks for the file for the first time. If it cannot be known whether it is there, the injector is halted.
    pub(super) fn begin(&mut self) {
        if let Some(by) = self.holder() {
            self.marker.is_to_be_written(&by);
        }
        // The directory is watched before the file is looked for, so no change in between is missed.
        self.watch_directory();
        let resumes = self.marker.resumes();
        match self.marker.look() {
            Ok(found) => self.apply(found, resumes),
            Err(error) => {
                let problem = format!("the halt file cannot be looked for: {error}");
                self.marker.suppose_there();
                self.halt(&problem);
                self.report(Some(problem));
            }
        }
    }

    pub(super) fn run(mut self, woken: &Receiver<()>, look_every: Duration) {
        self.marker.set_follower(thread::current().id());
        let clock = Clock::monotonic();
        // When the file will have been gone for long enough, while it is gone.
        let mut gone_until = None;
        while !self.marker.is_stopped() {
            let wait = gone_until.map_or(look_every, |until: Duration| {
                until.saturating_sub(clock.now())
            });
            // Without a notification, the file is looked for as well.
            let _ = woken.recv_timeout(wait);
            self.watch_directory();
            if self.marker.is_stopped() {
                return;
            }
            let resumes = self.marker.resumes();
            let found = self.marker.look();
            if matches!(found, Ok(Found::Removed)) {
                let now = clock.now();
                if now < *gone_until.get_or_insert(now + GONE_FOR) {
                    self.marker.suppose_there();
                    continue;
                }
            }
            gone_until = None;
            match found {
                Ok(found) => self.apply(found, resumes),
                Err(error) => self.report_unknown(&error),
            }
        }
    }

    /// Brings the halt in line with the file, or the file with the halt. There were so many `resumes` before the
    /// look: one that came since has removed the file that the look has found.
    fn apply(&self, found: Found, resumes: u64) {
        let problem = match found {
            Found::Appeared | Found::Stays => {
                let is_to_halt = matches!(found, Found::Appeared) || !self.is_halted();
                if is_to_halt {
                    // Read first: a resume may come while the disk is waited for.
                    let reason = self.marker.reason();
                    if self.marker.resumes() == resumes {
                        self.halt(&reason);
                    }
                }
                None
            }
            Found::Removed => self.resume(),
            Found::Unwritten(halt) => self.write(&halt),
            Found::Missing => (!self.marker.has_directory())
                .then(|| "the directory of the halt file does not exist".to_owned()),
        };
        self.report(problem);
    }

    fn watch_directory(&mut self) {
        self.directories.follow(&[self.marker.path().to_owned()]);
    }

    fn is_halted(&self) -> bool {
        matches!(self.injector.status().state, State::Halted { .. })
    }

    /// Returns who has halted, apart from the environment, whose halt ends with the process, and from fleets, which keep
    /// their own.
    fn holder(&self) -> Option<Actor> {
        let holders = self.injector.status().holders.into_iter();
        let is_kept = |kind| !matches!(kind, HolderKind::Environment | HolderKind::Fleet);
        let mut others = holders.filter(|it| is_kept(it.kind));
        others.next().map(|holder| holder.by)
    }

    fn halt(&self, reason: &str) {
        let by = self.marker.actor().because(reason);
        self.injector.as_actor(by.clone()).halt();
        log(move || tracing::warn!(target: "chaos", who = %by, "halted by a file"));
    }

    /// Resumes because the file was removed. If a guard rail or a fleet does not let it, the file is written again.
    fn resume(&self) -> Option<String> {
        if !self.is_halted() {
            return None;
        }
        let by = self.marker.actor().because("the file was removed");
        let Err(error) = self.injector.as_actor(by.clone()).resume() else {
            log(
                move || tracing::warn!(target: "chaos", who = %by, "resumed: the halt file was removed"),
            );
            return None;
        };
        let holders = self.injector.status().holders;
        let is_rail = |it: &&HaltHolder| it.locked && it.kind == HolderKind::GuardRail;
        let rail = holders.iter().find(is_rail).map(|rail| rail.by.clone());
        let is_held_by_fleet = holders.iter().any(|it| it.kind == HolderKind::Fleet);
        // Who halted with the file holds on, and has to be found when the fleet has resumed.
        let first = || self.holder().filter(|_| is_held_by_fleet);
        let problem = (rail.or_else(first)).and_then(|by| self.write(&self.marker.pending(by)));
        log(
            move || tracing::warn!(target: "chaos", who = %by, %error, "the halt file was removed, and injection stays halted"),
        );
        problem
    }

    /// Writes the file if the halt still holds. Returns what is wrong if it cannot be written.
    fn write(&self, halt: &PendingHalt) -> Option<String> {
        self.holder()?;
        let error = self.marker.write(halt).err()?;
        Some(format!(
            "the halt ends with the process, because the halt file cannot be written: {error}"
        ))
    }

    fn report_unknown(&self, error: &std::io::Error) {
        self.report(Some(format!("the halt file cannot be looked for: {error}")));
    }

    /// Records what is wrong in the log, the audit and the status: once for each reason.
    fn report(&self, problem: Option<String>) {
        if !self.marker.set_problem(problem.clone()) {
            return;
        }
        let path = self.marker.path().display().to_string();
        match problem {
            Some(problem) => {
                let error = SourceError::new(&path, problem);
                self.injector
                    .as_actor(self.marker.actor())
                    .refuse(error.to_string());
                log(
                    move || tracing::warn!(target: "chaos", %error, "the halt file cannot be kept"),
                );
            }
            None => {
                log(
                    move || tracing::info!(target: "chaos", path, "the halt file can be kept again"),
                );
            }
        }
    }
}
