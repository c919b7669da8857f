//! `monkey run`: looks at all picks again and again, and makes those that are due.

use std::time::Duration;

use chaos_fleet::{FleetError, Turn, picker::Pick};
use jiff::Timestamp;
use tokio::time::{sleep, timeout};

use super::Running;
use crate::{
    commands::signals::Signals,
    failure::{Exit, Failure},
    fleet::Report,
};

/// The time between two looks while rules are in force, or another picker makes a pick.
const PACE: Duration = Duration::from_secs(1);
/// The longest time between two looks: somebody may set the clock of this machine.
const LONGEST: Duration = Duration::from_secs(60);
/// The time to the next look after an error of etcd.
const AFTER_ERROR: Duration = Duration::from_secs(5);
/// How long a pick may take that is under way when a signal comes.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn run(
    mut running: Running<'_>,
    mut signals: Signals,
    picks: &[Pick],
) -> Result<Report, Failure> {
    let stopped = tokio::select! {
        biased;
        code = signals.next() => Some(Exit::Other(code)),
        warned = warn_of_groups(&running, picks) => {
            warned?;
            None
        }
    };
    if let Some(exit) = stopped {
        return running.end(exit).await;
    }
    let exit = rounds(&mut running, &mut signals, picks).await;
    let report = running.end(*exit.as_ref().unwrap_or(&Exit::Refused)).await;
    exit?;
    report
}

async fn rounds(
    running: &mut Running<'_>,
    signals: &mut Signals,
    picks: &[Pick],
) -> Result<Exit, Failure> {
    let mut is_failing = false;
    loop {
        let wait = {
            let round = round(running, picks);
            tokio::pin!(round);
            tokio::select! {
                biased;
                code = signals.next() => {
                    // A pick under way is told, too.
                    let _ = timeout(PATIENCE, round).await;
                    return Ok(Exit::Other(code));
                }
                wait = &mut round => wait,
            }
        };
        let wait = match wait {
            Ok(wait) => {
                is_failing = false;
                wait
            }
            // No other endpoint, and no later time, would have another answer.
            Err(error @ FleetError::Refused(_)) => return Err(Failure::of_fleet(&error)),
            Err(error) => {
                if !is_failing {
                    let Failure { detail, .. } = Failure::of_fleet(&error);
                    running.teller.out.note(format_args!("no picks: {detail}"));
                }
                is_failing = true;
                AFTER_ERROR
            }
        };
        running.teller.note_failures();
        if running.teller.out.is_closed() {
            return Ok(Exit::Done);
        }
        tokio::select! {
            biased;
            code = signals.next() => return Ok(Exit::Other(code)),
            () = sleep(wait) => {}
        }
    }
}

/// Looks at all picks once, and returns the time to the next look.
async fn round(running: &mut Running<'_>, picks: &[Pick]) -> Result<Duration, FleetError> {
    running.tell_ended().await?;
    let mut wait = LONGEST;
    for pick in picks {
        let now = Timestamp::now();
        let probe = running.probe();
        match running.picker.turn(pick, now, probe).await? {
            Turn::Wait(planned) => {
                let until = planned.at.duration_since(now);
                wait = wait.min(until.try_into().unwrap_or(Duration::ZERO));
            }
            Turn::Made(made) => {
                running.settle(pick, &made).await;
                // The next is planned by now.
                wait = Duration::ZERO;
            }
            _ => wait = wait.min(PACE),
        }
    }
    Ok(match running.picker.is_armed() {
        true => wait.min(PACE),
        false => wait,
    })
}

/// Warns of picks that nobody has opted in to. It also shows whether etcd can be used.
async fn warn_of_groups(running: &Running<'_>, picks: &[Pick]) -> Result<(), Failure> {
    let replicas = running.picker.operator().replicas().await;
    let replicas = replicas.map_err(|error| Failure::of_fleet(&error))?;
    let out = running.teller.out;
    for pick in picks {
        let has_opted_in = replicas.iter().any(|report| pick.is_for(&report.replica));
        if !has_opted_in {
            let faults: Vec<_> = pick.faults().iter().map(String::as_str).collect();
            out.note(format_args!(
                "warning: {}: no replica of its groups has opted in to {}",
                pick.name(),
                faults.join(", ")
            ));
        }
    }
    match picks {
        [_] => out.note("1 pick; Ctrl-C ends it"),
        picks => out.note(format_args!("{} picks; Ctrl-C ends them", picks.len())),
    }
    Ok(())
}
