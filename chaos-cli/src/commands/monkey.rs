//! `monkey`: picks replicas of a fleet at random, and injects there.

mod now;
mod rounds;
mod tell;

use std::{path::Path, time::Duration};

use chaos_fleet::{
    FleetError, Made, Picker,
    picker::{Pick, Probe, picks_from_toml},
};
use jiff::Timestamp;

use self::tell::{Arming, Teller};
use crate::{
    args::{
        Globals,
        monkey::{MonkeyArgs, MonkeyCommand},
    },
    client::{outside, webhooks::Webhooks},
    commands::signals::Signals,
    config::{
        etcd::{self, Target},
        shown, unreadable,
    },
    failure::{Exit, Failure},
    fleet::Report,
    output::Output,
};

/// How long the replica that is picked may take to apply the rules.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn run(
    globals: &Globals,
    args: &MonkeyArgs,
    out: &Output,
) -> Result<Report, Failure> {
    let target = etcd::target(globals, &args.access)?;
    let picks = match &args.command {
        MonkeyCommand::Run { file } => read(file)?,
        MonkeyCommand::Now(args) => now::picks(args)?,
    };
    let picker = picker(&target, *args.hold)?;
    let what = match &args.command {
        MonkeyCommand::Run { file } => format!("make the picks of {}", shown(file)),
        MonkeyCommand::Now(args) => format!("inject {}", args.fault),
    };
    target.confirm(out, &what)?;
    // From here on a signal is waited for, and takes back what was put.
    let signals = Signals::new()?;
    let http = http(&picks)?;
    let running = Running {
        picker,
        teller: Teller {
            out,
            fleet: target.fleet.clone(),
            by: target.by.clone(),
            webhooks: Webhooks::new(http.clone()),
        },
        http,
        timeout: *globals.timeout,
    };
    match &args.command {
        MonkeyCommand::Run { .. } => rounds::run(running, signals, &picks).await,
        MonkeyCommand::Now(args) => now::run(running, signals, &picks, *args.interval).await,
    }
}

/// What makes picks, and whom it tells.
struct Running<'o> {
    picker: Picker,
    teller: Teller<'o>,
    http: reqwest::Client,
    /// The longest that a probe may take.
    timeout: Duration,
}

impl Running<'_> {
    /// Returns what asks a probe.
    fn probe(&self) -> impl AsyncFn(&Probe) -> Result<(), String> + use<> {
        let (http, timeout) = (self.http.clone(), self.timeout);
        async move |probe: &Probe| ask(&http, timeout, probe).await
    }

    /// Waits for the answer of the replica that was picked, tells the pick, and returns what has become of it.
    async fn settle(&mut self, pick: &Pick, made: &Made) -> Arming {
        let arming = match &made.put {
            Ok(None) => Arming::Nobody,
            Ok(Some(placed)) => match self.picker.wait(placed, PATIENCE).await {
                Ok(answers) => Arming::of(&answers),
                Err(error) => Arming::Not(Failure::of_fleet(&error)),
            },
            Err(error) => Arming::Not(Failure::of_fleet(error)),
        };
        self.teller.made(pick, made, &arming);
        arming
    }

    /// Tells which picks are over, and returns the exit code for the first that has not ended as it should.
    async fn tell_ended(&mut self) -> Result<Exit, FleetError> {
        let now = Timestamp::now();
        let ended = self.picker.ended(now).await?.into_iter();
        let mut exits: Vec<_> = ended.map(|end| self.teller.over(end, now)).collect();
        exits.retain(|exit| *exit != Exit::Done);
        Ok(exits.first().copied().unwrap_or(Exit::Done))
    }

    /// Takes back what is in force, and tells what has not been told.
    async fn end(mut self, exit: Exit) -> Result<Report, Failure> {
        let was_armed = self.picker.is_armed();
        let released = self.picker.release().await;
        self.teller.end().await;
        match released {
            Ok(()) if was_armed => self.teller.out.note("taken back"),
            Ok(()) => {}
            Err(error) => {
                let Failure { detail, .. } = Failure::of_fleet(&error);
                let detail =
                    format!("a pick may be in force at its replica, for one hold: {detail}");
                return Err(Failure::new(Exit::NotEverywhere, detail));
            }
        }
        Ok(Report::printed(exit))
    }
}

fn picker(target: &Target, hold: Duration) -> Result<Picker, Failure> {
    let (etcd, fleet) = (target.etcd.clone(), target.fleet.clone());
    let picker = Picker::new(etcd, fleet, target.trust()?, &target.by, hold);
    picker.map_err(|refusal| Failure::usage(refusal.problem()).at("--hold", refusal.allowed()))
}

fn read(file: &Path) -> Result<Vec<Pick>, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
    picks_from_toml(&text).map_err(|refusal| {
        let place = [&*shown(file), refusal.field()].join(": ");
        Failure::usage(refusal.problem()).at(place.trim_end_matches(": "), refusal.allowed())
    })
}

/// Returns what asks probes and tells webhooks.
fn http(picks: &[Pick]) -> Result<reqwest::Client, Failure> {
    let probes = picks.iter().filter_map(Pick::probe).map(Probe::url);
    let urls = probes.chain(picks.iter().flat_map(Pick::webhooks));
    outside::client(urls.map(ToString::to_string))
}

/// Asks a probe, and returns why it does not hold.
async fn ask(http: &reqwest::Client, timeout: Duration, probe: &Probe) -> Result<(), String> {
    let asked = outside::ask(http.get(probe.url().to_string()), timeout).await;
    // The rest of the URL may be a secret.
    let host = probe.url().host().unwrap_or_default();
    match asked {
        Ok(answered) if answered.status == probe.status() => Ok(()),
        Ok(answered) => Err(format!(
            "the probe at {host} does not hold: the status is {}, not {}",
            answered.status,
            probe.status()
        )),
        Err(why) => Err(format!("the probe at {host} could not be asked: {why}")),
    }
}
