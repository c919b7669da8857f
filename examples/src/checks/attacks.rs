//! Attacks on a running service and its admin port, from another process. Each attack is made on a `victim` of
//! its own, while the latency of the service and the kill switch are measured.
//!
//! A bound on the latency of the service is relative to what it is at the same time without an attack: before
//! the attack, or of another process of the same service on the same processor, whichever is longer.
//!
//! Where there are two processors, the victim has one of them, and the attacker and what measures have the other.

mod account;
mod attack;
mod flood;
mod halts;
mod machine;
mod measured;
mod report;
mod requests;
mod rows;
mod rules;
mod service;
mod steps;
mod strike;
mod victim;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;

use self::{
    attack::Attack,
    machine::Processors,
    measured::{Measurements, Struck},
    victim::{Setup, Victim},
};
pub use self::{
    measured::{Measured, table},
    strike::{Target, strike},
};
use crate::{Error, program::Program};

/// The key of the victim's rule tokens.
pub const TOKEN_KEY: &[u8] = b"of the attacks, and of nothing else";

/// How long an attack is measured.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// The time before the attack, in which the usual latency is measured.
    pub quiet: Duration,
    /// The time of the attack.
    pub attack: Duration,
}

impl Times {
    /// The times of the short form, for CI.
    pub const SHORT: Self = Self {
        quiet: Duration::from_millis(800),
        attack: Duration::from_millis(1800),
    };
    /// The times of the long form.
    pub const LONG: Self = Self {
        quiet: Duration::from_secs(5),
        attack: Duration::from_secs(10),
    };
}

/// What makes the attacks.
#[derive(Debug)]
pub struct Harness {
    victim: PathBuf,
    times: Times,
    processors: Processors,
    /// A second service on the same processor, which nobody attacks. Other work of the machine holds it up as it does the
    /// victim.
    bystander: Victim,
}

impl Harness {
    /// Prepares attacks on the program `victim`. If this process may run on two processors, it leaves one of
    /// them to the victim from now on.
    ///
    /// # Errors
    /// Returns an error if the operating system is not Linux, or if `victim` cannot be started.
    pub async fn new(victim: &Path, times: Times) -> Result<Self, Error> {
        let processors = Processors::share()?;
        let (folder, setup) = (tempfile::tempdir()?, Setup::DEFAULT);
        let bystander = Victim::start(victim, folder, &setup, &[], &processors).await?;
        Ok(Self {
            victim: victim.to_owned(),
            times,
            processors,
            bystander,
        })
    }

    /// Returns the names of the attacks.
    #[must_use]
    pub fn attacks(&self) -> Vec<&'static str> {
        rows::all().iter().map(|attack| attack.name).collect()
    }

    /// Returns the names of the checks that are no measured attack.
    #[must_use]
    pub fn steps(&self) -> Vec<&'static str> {
        steps::ALL.iter().map(|(name, _)| *name).collect()
    }

    /// Makes the check named `name`, and returns what was wrong.
    ///
    /// # Errors
    /// Returns an error if there is no such check, or if it cannot be made.
    pub async fn step(&self, name: &str) -> Result<Vec<String>, Error> {
        let step = steps::ALL.iter().find(|(step, _)| *step == name);
        let (_, step) = step.ok_or_else(|| format!("no step {name}"))?;
        step(self).await
    }

    /// Makes the attack named `name`. If only a bound on a latency is missed, the attack is made once more,
    /// because the machine may have been busy with something else.
    ///
    /// # Errors
    /// Returns an error if there is no such attack, or if it cannot be made.
    pub async fn attack(&self, name: &str) -> Result<Measured, Error> {
        let attack = rows::named(name)?;
        let first = self.make(&attack).await?;
        match first.is_only_slow() {
            true => self.make(&attack).await,
            false => Ok(first),
        }
    }

    async fn start(&self, setup: &Setup) -> Result<Victim, Error> {
        self.start_in(tempfile::tempdir()?, setup, &[]).await
    }

    /// Starts a victim with further arguments, in a folder that may have files of another.
    async fn start_in(
        &self,
        folder: TempDir,
        setup: &Setup,
        more: &[&str],
    ) -> Result<Victim, Error> {
        Victim::start(&self.victim, folder, setup, more, &self.processors).await
    }

    async fn make(&self, attack: &Attack) -> Result<Measured, Error> {
        let times = self.times;
        let victim = self.start(&attack.victim).await?;
        let quiet = service::measure(&victim, times.quiet).await?;
        victim.replace(attack.rules.map(|rules| rules())).await?;
        let mut attacker = attacker(attack, &victim, times)?;
        attacker.line("begun").await?;
        let read_before = machine::bytes_read(victim.id)?;
        let (under_attack, bystander, halts) = tokio::try_join!(
            service::measure(&victim, times.attack),
            service::measure(&self.bystander, times.attack),
            halts::measure(&victim, times.attack),
        )?;
        let bytes_read = machine::bytes_read(victim.id)? - read_before;
        let report = serde_json::from_str(&attacker.line("report ").await?)?;
        attacker.ended().await?;
        let memory = machine::peak_memory(victim.id)?;
        let struck = Struck {
            victim: &victim,
            report: &report,
            bytes_read,
        };
        let also = match attack.also {
            Some(also) => also(&struck).await?,
            None => Vec::new(),
        };
        let measurements = Measurements {
            report,
            quiet,
            under_attack,
            bystander,
            halts,
            memory,
            also,
        };
        Ok(Measured::new(attack, measurements))
    }
}

/// Starts the attacker in a process of its own, which gives way to what measures.
fn attacker(attack: &Attack, victim: &Victim, times: Times) -> Result<Program, Error> {
    let this = std::env::current_exe()?;
    // It ends after what is measured.
    let time = times.attack + Duration::from_millis(400);
    let (service, time) = (victim.address(), time.as_millis().to_string());
    let args: [&OsStr; 13] = [
        "-n".as_ref(),
        "19".as_ref(),
        this.as_ref(),
        "--strike".as_ref(),
        attack.name.as_ref(),
        "--service".as_ref(),
        service.as_ref(),
        "--port".as_ref(),
        victim.port.as_ref(),
        "--folder".as_ref(),
        victim.folder.path().as_ref(),
        "--milliseconds".as_ref(),
        time.as_ref(),
    ];
    Program::start(Path::new("nice"), &args)
}
