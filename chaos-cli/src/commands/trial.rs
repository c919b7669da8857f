//! `try`: a rule that ends by itself, whatever happens.
//!
//! The service ends the rule at its deadline, so a killed process or a lost network leaves nothing behind. What
//! this process does is only to end it earlier.

mod each;
mod ending;
mod latencies;
mod lease;
mod prepare;
mod take_back;
mod tally;

use std::{convert::Infallible, time::Duration};

use futures_util::future::select_all;
use serde_json::{Value, json};
use tokio::time::{interval, sleep};

use crate::{
    args::aim::TryArgs,
    client::{answer::text, rule_list::RuleList},
    commands::{
        child::Child,
        signals::Signals,
        trial::{
            ending::Ending, latencies::Latencies, lease::Lease, prepare::prepare,
            take_back::take_back, tally::Tally,
        },
    },
    edit::{Edit, Terms, all_or_none},
    failure::{Exit, Failure},
    fleet::{Fleet, Report},
    output::{Output, time},
};

pub(super) async fn run(fleet: &Fleet, out: &Output, args: &TryArgs) -> Result<Report, Failure> {
    let lease = Lease::of(args, *args.length)?;
    let rules = prepare(args, lease.ttl())?;
    let ids: Vec<_> = rules
        .iter()
        .map(|rule| text(rule, "id").to_owned())
        .collect();
    fleet.confirm(out, &format!("try {}", ids.join(", ")))?;
    // From here on a signal is waited for: one that comes while the rules are made ends them, too.
    let mut signals = Signals::new()?;
    let lists = fleet.ask(RuleList::read).await;
    let plan = |list: &RuleList| {
        let taken = ids.iter().find(|id| list.find(id).is_some());
        match taken {
            Some(id) => {
                let failure = Failure::new(Exit::Refused, format!("there is a rule `{id}`"));
                Err(failure.at("id", "one that no rule has: a trial deletes its rules"))
            }
            None => Ok(rules.iter().map(put).collect()),
        }
    };
    let tally = Tally::of(&ids);
    let armed = all_or_none(fleet, out, Terms::default(), lists, plan).await;
    if armed.exit != Exit::Done {
        if armed.is_unknown() {
            take_back(fleet, out, &ids, &tally).await;
        }
        return Ok(armed);
    }
    let until = jiff::Timestamp::now() + lease.ttl();
    let names = ids.join(", ");
    out.note(format_args!(
        "armed as {names} until {until:.0}, even if this ends"
    ));
    let mut child = match Child::spawn(&args.command, out) {
        Ok(child) => child,
        Err(failure) => {
            take_back(fleet, out, &ids, &tally).await;
            return Err(failure);
        }
    };
    let latencies = Latencies::default();
    let wait = wait(
        fleet,
        out,
        &tally,
        &latencies,
        &lease,
        &mut signals,
        &mut child,
    );
    let mut ending = tokio::select! {
        ending = wait => ending,
        never = latencies.follow(fleet, out, &rules) => match never {},
    };
    let seconds = lease.age();
    let mut report = take_back(fleet, out, &ids, &tally).await;
    // A last look has been taken: a command or a time that is over has shown nothing if no call could be hit.
    if tally.is_halted() && matches!(ending, Ending::Over | Ending::Command(0)) {
        ending = Ending::Halted;
    }
    let (hits, _) = tally.sum();
    if report.exit == Exit::Done {
        let seconds = time::length(seconds);
        out.text(format_args!(
            "{} after {seconds}, {hits} hit",
            ending.told()
        ));
        report.exit = ending.exit();
    }
    for document in report.documents.iter_mut().flatten() {
        document["rules"] = json!(ids);
        document["injected"] = hits.into();
        document["ended"] = ending.told().into();
    }
    Ok(report)
}

fn put(rule: &Value) -> Edit {
    Edit::Put {
        id: text(rule, "id").to_owned(),
        rule: rule.clone(),
    }
}

/// Waits for the end of the trial.
async fn wait(
    fleet: &Fleet,
    out: &Output,
    tally: &Tally<'_>,
    latencies: &Latencies,
    lease: &Lease,
    signals: &mut Signals,
    child: &mut Option<Child>,
) -> Ending {
    let over = sleep(lease.rest());
    let is_alone = child.is_none();
    let followed = fleet.clients.iter();
    let followed = followed.map(|client| Box::pin(tally.follow(client, out, lease)));
    // What ends the trial here does not wait for services that do not answer.
    tokio::select! {
        biased;
        code = signals.next() => Ending::Signal(code),
        code = Child::ended(child) => Ending::Command(code),
        () = over, if is_alone => Ending::Over,
        (ending, ..) = select_all(followed) => ending,
        never = tell(out, tally, latencies, lease) => match never {},
    }
}

/// Says each second how often the rules have hit, and how long calls take, where somebody looks.
async fn tell(out: &Output, tally: &Tally<'_>, latencies: &Latencies, lease: &Lease) -> Infallible {
    let mut second = interval(Duration::from_secs(1));
    loop {
        second.tick().await;
        if out.is_terminal() {
            let (age, (hits, matched)) = (time::length(lease.age()), tally.sum());
            let line = format!("{age:>5}  hit {hits} of {matched}");
            match latencies.line() {
                Some(latency) => out.note(format_args!("{line}  {latency}")),
                None => out.note(line),
            }
        }
    }
}
