//! `status`: idle, armed or halted, by whom and why.

mod handover;

use std::time::Duration;

use chaos_core::OneLine;
use serde_json::{Map, Value, json};

use crate::{
    args::look::StatusArgs,
    client::{
        Client,
        answer::{number, text},
        live::{self, Live},
        rule_list::RuleList,
    },
    failure::{Exit, Failure},
    fleet::{Fleet, Report},
    output::{Output, latency, time},
};

/// How long `--latency` watches.
const WATCHED: Duration = Duration::from_millis(3500);

pub(in crate::commands) async fn run(fleet: &Fleet, out: &Output, args: &StatusArgs) -> Report {
    let states = fleet
        .ask(async |client: &Client| {
            let mut status = match args.handover {
                true => handover::read(client).await?,
                false => read(client).await?,
            };
            if let Some(sites) = &args.latency {
                status["latency"] = latency(client, sites).await?.into();
            }
            Ok(status)
        })
        .await;
    let worst = states
        .iter()
        .flatten()
        .map(exit)
        .max_by_key(|exit| exit.code());
    let report = fleet.report(out, states, |name, status| match args.handover {
        true => handover::lines(name, status),
        false => lines(name, status),
    });
    match worst {
        // What could not be asked counts for more: it may be halted or armed, too.
        Some(worst) if args.exit_code && report.exit == Exit::Done => Report {
            exit: worst,
            ..report
        },
        _ => report,
    }
}

fn exit(status: &Value) -> Exit {
    match text(status, "state") {
        "halted" => Exit::Halted,
        "armed" => Exit::Armed,
        _ => Exit::Done,
    }
}

/// Reads the status, and adds how many rules are in shadow and which ends next.
async fn read(client: &Client) -> Result<Value, Failure> {
    let status = client.get(&["v1", "status"]).await?;
    let mut status = status.with("state")?.body;
    let rules = RuleList::read(client).await?.rules;
    let shadows = rules.iter().filter(|rule| rule["mode"] == "shadow").count();
    let left = |rule: &&Value| {
        rule["stats"]["expires_in"]
            .as_f64()
            .filter(|left| *left > 0.0)
    };
    let ending = rules.iter().filter_map(|rule| Some((left(&rule)?, rule)));
    let next = ending.min_by(|(a, _), (b, _)| a.total_cmp(b));
    status["shadow"] = shadows.into();
    status["next_to_end"] = match next {
        Some((left, rule)) => json!({ "rule": rule["id"], "expires_in": left }),
        None => Value::Null,
    };
    Ok(status)
}

/// Watches sites for a while, and returns what their calls do.
async fn latency(client: &Client, sites: &[String]) -> Result<Map<String, Value>, Failure> {
    let aimed_at = match sites {
        [] => live::sites_that_matter(client, &RuleList::read(client).await?.rules).await?,
        sites => sites.to_vec(),
    };
    match aimed_at.is_empty() {
        true => Ok(Map::new()),
        false => Live::watch(client, &aimed_at).await?.figures(WATCHED).await,
    }
}

fn lines(name: &str, status: &Value) -> String {
    let mut lines = vec![format!("{}  {}", head(status), name)];
    let mut add = |label: &str, value: String| {
        lines.push(format!("  {label:<12} {}", OneLine(&value)));
    };
    if let Some(rule) = status["next_to_end"]["rule"].as_str() {
        let left = status["next_to_end"]["expires_in"].as_f64();
        let left = time::length(left.unwrap_or_default());
        add("next to end", format!("{rule} in {left}"));
    }
    let is_called = |figures: &Value| figures["calls"] != 0.0;
    for (site, figures) in status["latency"].as_object().into_iter().flatten() {
        if is_called(figures) {
            add(site, latency::latency(figures));
        }
    }
    for line in halts(status) {
        add("halted", line);
    }
    for breach in breaches(status) {
        add("breach", breach);
    }
    lines.join("\n")
}

/// Returns the line about the state and the counts.
fn head(status: &Value) -> String {
    let service = match text(status, "service") {
        "" => String::new(),
        service => format!("{}  ", OneLine(service)),
    };
    let count = |number: u64, one: &str| match number {
        1 => format!("1 {one}"),
        many => format!("{many} {one}s"),
    };
    let mut rules = count(number(status, "rules"), "rule");
    match number(status, "shadow") {
        0 => {}
        shadows => rules += &format!(", {shadows} in shadow"),
    }
    let hits = count(number(status, "injected"), "injection");
    let active = number(status, "active");
    format!(
        "{service}{}  {rules}; {hits}, {active} under way",
        OneLine(text(status, "state"))
    )
}

/// Returns a line for each of those who keep the injector halted.
fn halts(status: &Value) -> Vec<String> {
    let halted = &status["halted"];
    let holders = halted["holders"].as_array().into_iter().flatten();
    let line = |holder: &Value| {
        let ago = time::length(holder["seconds_ago"].as_f64().unwrap_or_default());
        let (by, reason) = (text(holder, "by"), text(holder, "reason"));
        match text(holder, "fleet") {
            "" => format!("by {by}, {ago} ago: {reason}"),
            fleet => {
                format!("by {by} for the fleet {fleet}, which alone resumes, {ago} ago: {reason}")
            }
        }
    };
    let lines: Vec<_> = holders.map(line).collect();
    match lines.is_empty() && halted.is_object() {
        true => vec![line(halted)],
        false => lines,
    }
}

/// Returns a sentence for each breach. Older ports have a list of sentences.
fn breaches(status: &Value) -> Vec<String> {
    let breaches = status["breaches"].as_array().into_iter().flatten();
    let sentence = |breach: &Value| match breach.as_str() {
        Some(sentence) => sentence.to_owned(),
        None => text(breach, "text").to_owned(),
    };
    breaches.map(sentence).collect()
}
