//! `try`: a rule that ends by itself, whatever happens.
//!
//! The service ends the rule at its deadline, so a killed process or a lost network leaves nothing behind. What
//! this process does is only to end it earlier.

mod lease;
mod prepare;
mod take_back;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    process::{Child, Command},
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use crate::{
    args::aim::TryArgs,
    client::{
        Client,
        answer::{number, text},
        rule_list::RuleList,
    },
    commands::{
        signals::Signals,
        trial::{lease::Lease, prepare::prepare, take_back::take_back},
    },
    edit::{Edit, Terms, all_or_none},
    failure::{Exit, Failure},
    fleet::{Fleet, Report},
    output::{Output, time},
};

/// How long the end waits to know how often the rules have hit.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// Why a trial ends.
enum Ending {
    /// The time is over.
    Over,
    /// A signal, with the exit code for it.
    Signal(u8),
    /// The command ended, with this code.
    Command(u8),
    /// The service shows what `--until` names.
    Bound,
    /// Somebody else has deleted or disabled the rules.
    Gone,
    /// The service has ended the rules before the time was over.
    Early,
}

impl Ending {
    fn exit(&self) -> Exit {
        match self {
            Self::Over => Exit::Done,
            Self::Signal(code) | Self::Command(code) => Exit::Other(*code),
            Self::Bound => Exit::Stopped,
            Self::Gone => Exit::Changed,
            Self::Early => Exit::Refused,
        }
    }

    fn told(&self) -> &'static str {
        match self {
            Self::Over | Self::Signal(_) | Self::Command(_) => "taken back",
            Self::Bound => "stopped by the bound",
            Self::Gone => "taken away by somebody else",
            Self::Early => "ended early, because the lease was not extended",
        }
    }
}

pub(super) async fn run(fleet: &Fleet, out: &Output, args: &TryArgs) -> Result<Report, Failure> {
    let length = *args.length;
    let lease = Lease::of(args, length)?;
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
    let armed = all_or_none(fleet, out, Terms::default(), lists, plan).await;
    if armed.exit != Exit::Done {
        if armed.is_unknown() {
            take_back(fleet, out, &ids, &mut signals).await;
        }
        return Ok(armed);
    }
    let until = jiff::Timestamp::now() + lease.ttl();
    let names = ids.join(", ");
    out.note(format_args!(
        "armed as {names} until {until:.0}, even if this ends"
    ));
    let mut child = match spawn(&args.command) {
        Ok(child) => child,
        Err(failure) => {
            take_back(fleet, out, &ids, &mut signals).await;
            return Err(failure);
        }
    };
    let (ending, Look { hits, .. }) =
        wait(fleet, out, &ids, length, &lease, &mut signals, &mut child).await;
    let (mut report, seconds) = (take_back(fleet, out, &ids, &mut signals).await, lease.age());
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

fn spawn(command: &[String]) -> Result<Option<Child>, Failure> {
    let Some((program, arguments)) = command.split_first() else {
        return Ok(None);
    };
    let child = Command::new(program)
        .args(arguments)
        .kill_on_drop(true)
        .spawn();
    child.map(Some).map_err(|error| {
        let failure = Failure::usage(format!("{program} cannot be run: {error}"));
        failure.at("COMMAND", "a program that can be run")
    })
}

/// Waits for the end of the trial, and returns what it has seen last.
async fn wait(
    fleet: &Fleet,
    out: &Output,
    ids: &[String],
    length: Duration,
    lease: &Lease,
    signals: &mut Signals,
    child: &mut Option<Child>,
) -> (Ending, Look) {
    let over = sleep(length);
    tokio::pin!(over);
    let mut second = interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = Look::default();
    let ending = loop {
        tokio::select! {
            code = signals.next() => break Ending::Signal(code),
            code = ended(child) => break Ending::Command(code),
            () = &mut over, if child.is_none() => break Ending::Over,
            _ = second.tick() => {
                // A signal does not wait for services that do not answer.
                seen = tokio::select! {
                    code = signals.next() => break Ending::Signal(code),
                    seen = watch(fleet, out, ids, lease, &seen) => seen,
                };
                match seen.ending.take() {
                    // The last second, which the service counts by a clock of its own.
                    Some(Ending::Early) if lease.is_nearly_over() => {}
                    Some(ending) => return (ending, seen),
                    None => {}
                }
                if out.is_terminal() {
                    let (age, Look { hits, matched, .. }) = (time::length(lease.age()), &seen);
                    out.note(format_args!("{age:>5}  hit {hits} of {matched}"));
                }
            }
        }
    };
    let last = timeout(LAST_LOOK, look(fleet, ids, &seen)).await;
    (ending, last.unwrap_or(seen))
}

/// Looks at the rules, and extends the lease of those that go on.
async fn watch(fleet: &Fleet, out: &Output, ids: &[String], lease: &Lease, before: &Look) -> Look {
    let seen = look(fleet, ids, before).await;
    if seen.ending.is_none() {
        lease.extend(fleet, out, ids, &seen.left).await;
    }
    seen
}

/// Waits for the command; for ever if there is none.
async fn ended(child: &mut Option<Child>) -> u8 {
    let Some(child) = child else {
        return std::future::pending().await;
    };
    match child.wait().await {
        Ok(status) => exit_code(status),
        Err(_) => Exit::Refused.code(),
    }
}

fn exit_code(status: std::process::ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return u8::try_from(128 + signal).unwrap_or(u8::MAX);
    }
    status
        .code()
        .and_then(|code| code.try_into().ok())
        .unwrap_or(u8::MAX)
}

/// What the services say of the rules.
#[derive(Default)]
struct Look {
    hits: u64,
    matched: u64,
    /// The seconds that are left at each endpoint; `None` for one that has not answered.
    left: Vec<Option<f64>>,
    ending: Option<Ending>,
}

/// Looks at the rules everywhere: how often they have hit, and whether one is over before its time. What cannot
/// be asked now is asked again.
async fn look(fleet: &Fleet, ids: &[String], before: &Look) -> Look {
    let lists = fleet
        .ask(async |client: &Client| RuleList::read(client).await)
        .await;
    let mut look = Look::default();
    for list in lists {
        let Ok(list) = list else {
            look.left.push(None);
            continue;
        };
        let rules = ids.iter().filter_map(|id| list.find(id));
        let rules: Vec<_> = rules.collect();
        if rules.len() < ids.len() {
            look.ending = Some(Ending::Gone);
        }
        let mut least = f64::INFINITY;
        for rule in rules {
            let stats = &rule["stats"];
            look.hits += number(stats, "injected");
            look.matched += number(stats, "matched");
            least = least.min(stats["expires_in"].as_f64().unwrap_or(f64::INFINITY));
            look.ending = match (rule["enabled"] == false, rule["guards"].is_array()) {
                (true, true) => Some(Ending::Bound),
                (true, false) => Some(Ending::Gone),
                _ if stats["expires_in"] == 0.0 => Some(Ending::Early),
                _ => look.ending,
            };
        }
        look.left.push(Some(least));
    }
    if look.left.contains(&None) {
        look.hits = look.hits.max(before.hits);
        look.matched = look.matched.max(before.matched);
    }
    look
}
