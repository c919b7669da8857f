//! `monkey now`: makes picks at once, and holds the fleet until they are over.

use std::{collections::BTreeMap, time::Duration};

use chaos_fleet::picker::{Choice, Pick, picks_from_toml};
use jiff::Timestamp;
use tokio::time::sleep;
use toml::{Table, Value};

use super::{Running, tell::Arming};
use crate::{
    args::monkey::MonkeyNowArgs,
    commands::signals::Signals,
    failure::{Exit, Failure},
    fleet::Report,
};

/// The time between two looks at what is in force.
const PACE: Duration = Duration::from_secs(1);

/// Returns the picks, each of which has a name of its own, so that all can be in force at once.
pub(super) fn picks(args: &MonkeyNowArgs) -> Result<Vec<Pick>, Failure> {
    let mut labels = BTreeMap::new();
    for label in &args.group {
        match label.split_once('=') {
            Some((name, value)) if !name.is_empty() => labels.insert(name, value),
            _ => {
                let failure = Failure::usage(format!("{label:?} is no label with its value"));
                return Err(failure.at("--group", "NAME=VALUE, with commas between several"));
            }
        };
    }
    let seed = args.seed.map(i64::try_from).transpose();
    let Ok(seed) = seed else {
        return Err(Failure::usage("it is too large").at("--seed", "a number from 0 to 2^63 - 1"));
    };
    let pick = |nth: u64| {
        let names: Vec<_> = labels.keys().map(|name| Value::from(*name)).collect();
        let values = labels.iter();
        let values: Table = values
            .map(|(name, value)| ((*name).to_owned(), (*value).into()))
            .collect();
        let window = [("days".to_owned(), "mon-sun".into())];
        let mut pick = Table::from_iter([
            ("name".to_owned(), format!("now-{nth}").into()),
            ("group_by".to_owned(), Value::Array(names)),
            ("labels".to_owned(), values.into()),
            ("fault".to_owned(), args.fault.as_str().into()),
            ("window".to_owned(), Table::from_iter(window).into()),
            ("ttl".to_owned(), args.ttl.to_string().into()),
            ("probability".to_owned(), args.probability.into()),
            ("leashed".to_owned(), (!args.unleashed).into()),
            ("webhooks".to_owned(), Value::from(args.webhook.clone())),
        ]);
        pick.extend(seed.map(|seed| ("seed".to_owned(), seed.into())));
        pick.extend(
            args.probe
                .as_deref()
                .map(|url| ("probe".to_owned(), url.into())),
        );
        Value::from(pick)
    };
    let picks: Vec<_> = (1..=args.count).map(pick).collect();
    let file = Table::from_iter([("pick".to_owned(), Value::Array(picks))]);
    picks_from_toml(&file.to_string()).map_err(|error| {
        // The fields have the names of the arguments.
        let (_, field) = error.field().rsplit_once("].").unwrap_or_default();
        let field = match field {
            "group_by" | "labels" => "--group".to_owned(),
            "webhooks" => "--webhook".to_owned(),
            field => format!("--{field}"),
        };
        Failure::usage(error.problem()).at(field, error.allowed())
    })
}

pub(super) async fn run(
    mut running: Running<'_>,
    mut signals: Signals,
    picks: &[Pick],
    interval: Duration,
) -> Result<Report, Failure> {
    let exit = tokio::select! {
        biased;
        code = signals.next() => Ok(Exit::Other(code)),
        exit = make(&mut running, picks, interval) => exit,
    };
    let report = running.end(*exit.as_ref().unwrap_or(&Exit::Refused)).await;
    exit?;
    report
}

/// Makes the picks, and waits until they are over.
async fn make(
    running: &mut Running<'_>,
    picks: &[Pick],
    interval: Duration,
) -> Result<Exit, Failure> {
    let failed = |error| Failure::of_fleet(&error);
    let (mut applied, mut not_applied, mut exit) = (0, 0, Exit::Done);
    for (at, pick) in picks.iter().enumerate() {
        let now = Timestamp::now();
        let probe = running.probe();
        let made = running
            .picker
            .at_once(pick, now, probe)
            .await
            .map_err(failed)?;
        match running.settle(pick, &made).await {
            Arming::Nobody => {}
            Arming::Applied => applied += 1,
            Arming::Not(_) => not_applied += 1,
        }
        match made.choice {
            Choice::Nobody { meant } => return Err(nobody(pick, meant)),
            Choice::Withheld { reason } => return Err(Failure::new(Exit::Changed, reason)),
            _ => {}
        }
        if at + 1 < picks.len() {
            exit = first(exit, wait(running, Some(interval)).await?);
        }
    }
    if applied == 0 && not_applied > 0 {
        return Err(Failure::new(
            Exit::Refused,
            "no replica has applied it in time",
        ));
    }
    if running.picker.is_armed() {
        running
            .teller
            .out
            .note("held until it is over; Ctrl-C takes it back");
    }
    exit = first(exit, wait(running, None).await?);
    Ok(match not_applied {
        0 => exit,
        _ => first(exit, Exit::NotEverywhere),
    })
}

/// Waits for a time, or until nothing is in force, and returns the exit code for what has ended meanwhile.
async fn wait(running: &mut Running<'_>, time: Option<Duration>) -> Result<Exit, Failure> {
    let end = sleep(time.unwrap_or(Duration::MAX));
    tokio::pin!(end);
    let mut exit = Exit::Done;
    while time.is_some() || running.picker.is_armed() {
        tokio::select! {
            biased;
            () = &mut end => break,
            () = sleep(PACE) => {}
        }
        let ended = running.tell_ended().await;
        exit = first(exit, ended.map_err(|error| Failure::of_fleet(&error))?);
        running.teller.note_failures();
    }
    Ok(exit)
}

/// Returns the first of two codes that says something.
fn first(a: Exit, b: Exit) -> Exit {
    if a == Exit::Done { b } else { a }
}

fn nobody(pick: &Pick, meant: usize) -> Failure {
    let faults: Vec<_> = pick.faults().iter().map(String::as_str).collect();
    let detail = match meant {
        0 => "no replica has these labels".to_owned(),
        meant => format!(
            "of {meant} replicas, none has opted in to {}",
            faults.join(", ")
        ),
    };
    let allowed = "a group with a replica that has opted in: chaosctl fleet replicas";
    Failure::new(Exit::Refused, detail).at("--group", allowed)
}
