//! `status --handover`: a text for those who take over.

use chaos_core::OneLine;
use serde_json::{Value, json};

use crate::{
    client::{Client, answer::text, request::Request, rule_list::RuleList},
    commands::look::{audit, rules},
    failure::Failure,
    output::time,
    rule::as_short,
};

/// How many of the last changes are told.
const LAST: &str = "10";

pub(super) async fn read(client: &Client) -> Result<Value, Failure> {
    let mut status = super::read(client).await?;
    status["list"] = RuleList::read(client).await?.rules.into();
    let audit = Request::get(&["v1", "audit"]).query("limit", LAST);
    status["last"] = client.send(audit).await?.body["entries"].take();
    Ok(json!(status))
}

pub(super) fn lines(name: &str, status: &Value) -> String {
    let mut lines = vec![
        super::lines(name, status),
        String::new(),
        "Rules".to_owned(),
    ];
    let list = |field: &str, line: fn(&Value) -> String, lines: &mut Vec<String>| {
        let items = status[field].as_array().into_iter().flatten();
        let before = lines.len();
        lines.extend(items.map(|item| format!("  {}", OneLine(&line(item)))));
        if lines.len() == before {
            lines.push("  none".to_owned());
        }
    };
    list("list", rule, &mut lines);
    lines.extend([String::new(), "Last changes".to_owned()]);
    list("last", entry, &mut lines);
    lines.join("\n")
}

fn rule(rule: &Value) -> String {
    let left = match rule["stats"]["expires_in"].as_f64() {
        Some(left) if left > 0.0 => format!(", ends in {}", time::length(left)),
        _ => String::new(),
    };
    format!(
        "{} ({}{left}) at {}: {}, hit {}. {}",
        text(rule, "id"),
        rules::state(rule),
        text(rule, "site"),
        as_short::term(rule),
        rules::hits(rule),
        rules::whose(rule),
    )
}

fn entry(entry: &Value) -> String {
    let (actor, action) = (text(entry, "actor"), text(entry, "action"));
    let what = audit::what(entry);
    format!(
        "{}: {actor} {action} {what} {}",
        time::ago(&entry["at"]),
        text(entry, "reason")
    )
}
