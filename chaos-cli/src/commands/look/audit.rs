//! `audit`: who did what.

use serde_json::{Value, json};

use crate::{
    args::look::AuditArgs,
    client::{Client, answer::text},
    fleet::{Fleet, Report},
    output::{Output, table::table, time},
};

pub(in crate::commands) async fn run(fleet: &Fleet, out: &Output, args: &AuditArgs) -> Report {
    let several = fleet.clients.len() > 1;
    let lists = fleet
        .ask(async |client: &Client| {
            let body = client.get(&["v1", "audit"]).await?.with("entries")?.body;
            let entries = body["entries"].as_array().into_iter().flatten();
            let entries: Vec<_> = entries.filter(|entry| is_wanted(entry, args)).collect();
            Ok(json!({ "run": body["run"], "missed": body["missed"], "entries": entries }))
        })
        .await;
    fleet.report(out, lists, |name, list| {
        let entries = list["entries"].as_array().into_iter().flatten();
        let head = ["ENTRY", "WHEN", "WHO", "DID", "WHAT", "WHY"];
        let table = table(&head, entries.map(row).collect(), "no entries");
        match several {
            true => format!("{name}\n{table}"),
            false => table,
        }
    })
}

fn is_wanted(entry: &Value, args: &AuditArgs) -> bool {
    let about = |id: &str| {
        let mut changes = entry["changes"].as_array().into_iter().flatten();
        entry["what"] == id || changes.any(|change| change["rule"] == id)
    };
    let since = args.since.map(|since| since.as_secs_f64());
    let is_recent = |most: f64| time::age(&entry["at"]).is_none_or(|age| age <= most);
    args.rule.as_deref().is_none_or(about) && since.is_none_or(is_recent)
}

/// Returns what an entry is about: the rules that it changed, or its own text.
pub(in crate::commands) fn what(entry: &Value) -> String {
    let changes = entry["changes"].as_array().into_iter().flatten();
    let rules: Vec<_> = changes.map(|change| text(change, "rule")).collect();
    match rules.as_slice() {
        [] => text(entry, "what").to_owned(),
        rules if rules.len() > 3 => format!("{} rules", rules.len()),
        rules => rules.join(", "),
    }
}

fn row(entry: &Value) -> Vec<String> {
    vec![
        entry["id"].to_string(),
        time::ago(&entry["at"]),
        text(entry, "actor").to_owned(),
        text(entry, "action").to_owned(),
        what(entry),
        text(entry, "reason").to_owned(),
    ]
}
