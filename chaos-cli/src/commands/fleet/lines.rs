//! What is printed of a fleet for people.

use std::collections::BTreeMap;

use chaos_core::OneLine;
use chaos_fleet::{
    Answers, DocumentStatus, Fate, FleetStatus, Halt, Name, Outcome, Preview, Replica,
    ReplicaState, Report,
};
use jiff::Timestamp;

use crate::output::{table::table, time};

/// The number of names that are printed before the rest is counted.
const NAMES: usize = 5;

pub(super) fn status(status: &FleetStatus) -> String {
    let held = match &status.controller {
        Some(holder) => format!("held by {}, {}", OneLine(&holder.by), since(holder.since)),
        None => "held by nobody".to_owned(),
    };
    let states = states(&status.replicas);
    let mut lines = vec![format!("{}  {held}; {states}", status.fleet)];
    if let Some(halt) = &status.halt {
        lines.push(format!("  halted       {}", halted(halt)));
    }
    for document in &status.documents {
        lines.extend(of_document(document));
    }
    for (name, stops) in &status.stopped {
        lines.push(format!("  {name}  is not there"));
        for (replica, stop) in stops {
            lines.push(line("stopped", &format!("by {replica}: {}", stop.reason)));
        }
    }
    for (key, problem) in &status.unreadable {
        lines.push(format!(
            "  unreadable   {}: {}",
            OneLine(key),
            OneLine(problem)
        ));
    }
    lines.join("\n")
}

fn line(label: &str, text: &str) -> String {
    format!("    {label:<12} {}", OneLine(text))
}

fn since(seconds: u64) -> String {
    format!("{} ago", time::length(age(seconds)))
}

fn age(seconds: u64) -> f64 {
    Timestamp::now().as_second() as f64 - seconds as f64
}

fn halted(halt: &Halt) -> String {
    let by = format!("by {}, {}", OneLine(&halt.by), since(halt.at));
    match &halt.reason {
        Some(reason) => format!("{by}: {}", OneLine(reason)),
        None => by,
    }
}

/// Returns how many replicas there are, in which states.
fn states(replicas: &[Report]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for replica in replicas {
        *counts.entry(state(replica.state)).or_default() += 1;
    }
    let all = match replicas.len() {
        1 => "1 replica".to_owned(),
        many => format!("{many} replicas"),
    };
    let counts: Vec<_> = counts
        .iter()
        .map(|(state, many)| format!("{many} {state}"))
        .collect();
    match counts.is_empty() {
        true => all,
        false => format!("{all}: {}", counts.join(", ")),
    }
}

fn state(state: ReplicaState) -> &'static str {
    match state {
        ReplicaState::Idle => "idle",
        ReplicaState::Armed => "armed",
        ReplicaState::Halted => "halted",
        _ => "unknown",
    }
}

fn of_document(document: &DocumentStatus) -> Vec<String> {
    let DocumentStatus { name, answers, .. } = document;
    let mut lines = Vec::new();
    match &document.content {
        None => lines.push(format!("  {name}  is no document")),
        Some(content) => {
            let left = -age(content.ends_at);
            let ends = match left > 0.0 {
                true => format!("ends in {}", time::length(left)),
                false => "its time is over".to_owned(),
            };
            let (by, meant) = (OneLine(&content.by), content.meant);
            lines.push(format!("  {name}  by {by}; {ends}; meant for {meant}"));
            if let Some(reason) = &content.reason {
                lines.push(line("reason", reason));
            }
        }
    }
    if let Some(problem) = &document.problem {
        lines.push(line("refused", &problem.to_string()));
    }
    if !document.is_held {
        lines.push(line(
            "not held",
            "no replica acts on it: its controller is gone",
        ));
    }
    lines.extend(of_answers(answers));
    for (replica, stop) in &document.stops {
        lines.push(line("stopped", &format!("by {replica}: {}", stop.reason)));
    }
    lines
}

fn of_answers(answers: &Answers) -> Vec<String> {
    let mut lines = Vec::new();
    let mut add = |label: &str, who: Vec<&Name>| {
        if !who.is_empty() {
            lines.push(line(label, &names(&who)));
        }
    };
    add("applied", answers.applied.keys().collect());
    add("over", answers.over.iter().collect());
    add("not meant", answers.not_meant.iter().collect());
    add(
        "silent",
        answers.silent.iter().chain(&answers.unheard).collect(),
    );
    for (replica, refusal) in &answers.refused {
        lines.push(line("refused", &format!("by {replica}: {refusal}")));
    }
    let mut warned: Vec<&String> = answers.applied.values().flatten().collect();
    warned.sort_unstable();
    warned.dedup();
    lines.extend(warned.into_iter().map(|warning| line("warning", warning)));
    lines
}

/// Returns a number with the first names.
fn names(names: &[&Name]) -> String {
    let shown: Vec<_> = names.iter().take(NAMES).map(|name| name.as_str()).collect();
    let rest = match names.len().saturating_sub(NAMES) {
        0 => String::new(),
        rest => format!(" and {rest} more"),
    };
    format!("{}: {}{rest}", names.len(), shown.join(", "))
}

pub(super) fn replicas(replicas: &[Report]) -> String {
    let rows = replicas.iter().map(|report| {
        let documents = report.documents.iter();
        let documents = documents.map(|(name, outcome)| format!("{name}: {}", fate(outcome)));
        vec![
            report.replica.id.to_string(),
            labels(&report.replica),
            state(report.state).to_owned(),
            documents.collect::<Vec<_>>().join(", "),
        ]
    });
    let head = ["ID", "LABELS", "STATE", "DOCUMENTS"];
    table(&head, rows.collect(), "no replicas")
}

fn fate(outcome: &Outcome) -> &'static str {
    match outcome.fate {
        Fate::Applied { .. } => "applied",
        Fate::Refused(_) => "refused",
        Fate::NotMeant => "not meant",
        Fate::Over => "over",
        Fate::Stopped { .. } => "stopped",
        _ => "unknown",
    }
}

fn labels(replica: &Replica) -> String {
    let labels = replica.labels.iter();
    let labels: Vec<_> = labels
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    labels.join(" ")
}

pub(super) fn preview(name: &Name, preview: &Preview) -> String {
    let (meant, all) = (&preview.meant, preview.meant.len() + preview.others.len());
    let rows = meant
        .iter()
        .map(|replica| vec![replica.id.to_string(), labels(replica)]);
    let rows = table(&["ID", "LABELS"], rows.collect(), "no replicas");
    format!("{name} is meant for {} of {all}\n{rows}", meant.len())
}
