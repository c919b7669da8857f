//! `run`: an experiment, from its first probe to its verdict.
//!
//! No step of a run takes faults back: each rule is armed for the time of its phase and a few seconds, so it ends even if this
//! process is killed at any moment. What a run does at its end is only to end them earlier.

mod ask;
mod check;
mod counts;
mod cut;
mod evidence;
mod follow;
mod groups;
mod hits;
mod outcome;
mod phases;
mod record;
pub(super) mod report;
mod stage;
mod start;
mod strikes;
mod target;

use std::cell::{Cell, RefCell};

use chaos_gameday::Experiment;
use jiff::Timestamp;
use reqwest::Url;

pub(super) use self::check::check;
use self::{
    ask::Asker, counts::Counts, phases::Armed, record::Recorder, start::Start, strikes::Strikes,
    target::RunTarget,
};
use crate::{
    args::{Globals, experiment::RunArgs},
    client::{outside, webhooks::Webhooks},
    commands::{experiment::file, signals::Signals},
    failure::{Exit, Failure},
    fleet::Report,
    output::Output,
};

/// A run under way.
struct Run<'r> {
    experiment: &'r Experiment,
    target: &'r RunTarget,
    asker: Asker,
    record: Recorder<'r>,
    /// The sites whose calls are counted.
    sites: Vec<String>,
    /// The seed of rules that have none.
    seed: u64,
    /// How the ports were when the run began.
    start: Start,
    counts: RefCell<Counts>,
    /// The probes that have not held while faults were injected.
    failing: RefCell<Strikes>,
    /// The ports that had no answer to a look.
    silent: RefCell<Strikes>,
    /// The ports at which a rule of the part was not in force.
    missing: RefCell<Strikes>,
    armed: Cell<Armed>,
}

pub(super) async fn run(
    globals: &Globals,
    out: &Output,
    args: &RunArgs,
) -> Result<Report, Failure> {
    let mut experiment = file::experiment(&args.file)?;
    let target = RunTarget::open(globals, &args.access, &experiment)?;
    // The journal says where faults were injected.
    experiment.target = target.written(&experiment.target);
    let seed = args.seed.unwrap_or_else(seed);
    let sites = target::sites(&experiment);
    target.check(globals, out, &experiment, &sites).await?;
    target.confirm(out, &format!("run {:?}", experiment.title))?;
    let reports = report::Reports::open(&args.reports)?;
    let probes = experiment.hypothesis.probes.iter();
    let asked = probes.filter_map(|probe| probe.question.url());
    let outside = outside::client(asked.chain(args.webhooks.iter().map(Url::as_str)))?;
    // From here on a signal is waited for: one that comes while rules are armed ends them, too.
    let (mut signals, others) = (Signals::new()?, Signals::new()?);
    let whole = async {
        let start = Start::of(&target.look(&[], &[]).await);
        target.take(&experiment, &sites).await?;
        // The journal of a run that is under way stays.
        let record = match Recorder::open(out, args, &experiment, seed) {
            Ok(record) => record,
            Err(failure) => {
                target.release(&sites).await;
                return Err(failure);
            }
        };
        let run = Run {
            target: &target,
            asker: Asker::new(outside.clone()),
            record,
            sites,
            seed,
            start,
            counts: RefCell::default(),
            failing: RefCell::default(),
            silent: RefCell::default(),
            missing: RefCell::default(),
            armed: Cell::new(Armed::Nothing),
            experiment: &experiment,
        };
        let ended = run.go(&mut signals).await;
        target.release(&run.sites).await;
        let finished = run.finish(ended).await;
        let webhooks = Webhooks::new(outside.clone());
        Ok(outcome::tell(out, finished, &reports, &args.webhooks, webhooks).await)
    };
    tokio::select! {
        biased;
        code = others.second() => {
            out.note("ended at once: what is armed ends by itself, five seconds after its phase at the latest");
            Ok(Report::printed(Exit::Other(code)))
        }
        report = whole => report,
    }
}

/// Returns a seed that another run does not have.
fn seed() -> u64 {
    let now = Timestamp::now().as_nanosecond() as u64;
    // It stands in reports, where short numbers are read more easily.
    (now ^ u64::from(std::process::id()).rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
}
