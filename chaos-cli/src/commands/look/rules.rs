//! `rules`: the list of rules.

use std::{collections::BTreeSet, time::Duration};

use chaos_core::RuleId;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    args::look::{RulesArgs, StateArg},
    client::{
        Client,
        answer::{number, text},
        no_answer,
        rule_list::RuleList,
    },
    fleet::{Fleet, Report, exit_of},
    output::{Output, table::table, time},
    rule::as_short,
};

pub(in crate::commands) async fn run(fleet: &Fleet, out: &Output, args: &RulesArgs) -> Report {
    let several = fleet.clients.len() > 1;
    let lists = fleet
        .ask(async |client: &Client| {
            let RuleList { etag, rules } = RuleList::read(client).await?;
            let rules = rules.into_iter().filter(|rule| is_wanted(rule, args));
            Ok(json!({ "generation": etag.map(unquoted), "rules": rules.collect::<Vec<_>>() }))
        })
        .await;
    fleet.report(out, lists, |name, list| {
        let rules = list["rules"].as_array().into_iter().flatten();
        let rows = rules.map(row).collect();
        let head = ["ID", "WHERE", "DOES", "HIT", "ENDS", "WHOSE"];
        let table = table(&head, rows, "no rules");
        match several {
            true => format!("{name}\n{table}"),
            false => table,
        }
    })
}

/// The longest that completions wait for a service.
const MOST: Duration = Duration::from_secs(1);

/// Prints the ids of all rules, each once.
pub(in crate::commands) async fn ids(fleet: &Fleet, out: &Output) -> Report {
    // Somebody has pressed a key and waits.
    let read = async |client: &Client| match timeout(MOST, RuleList::read(client)).await {
        Ok(list) => list,
        Err(_) => Err(no_answer("it took too long")),
    };
    let lists = fleet.ask(read).await;
    let rules = lists.iter().flatten().flat_map(|list| &list.rules);
    let ids = rules.map(|rule| text(rule, "id"));
    // What is no id may be meant for the shell.
    let ids: BTreeSet<&str> = ids.filter(|id| id.parse::<RuleId>().is_ok()).collect();
    for id in &ids {
        out.text(id);
    }
    let documents = ids.into_iter().map(Value::from).collect();
    Report {
        exit: exit_of(&lists),
        documents: Some(documents),
    }
}

/// Returns the generation that an entity tag names.
fn unquoted(tag: String) -> Value {
    let number = tag.trim_matches('"').parse::<u64>();
    number.map_or(Value::Null, Value::from)
}

fn is_wanted(rule: &Value, args: &RulesArgs) -> bool {
    let at_site = |site: &str| {
        let sites = rule["sites"].as_array().into_iter().flatten();
        rule["site"] == site || sites.into_iter().any(|known| known == site)
    };
    args.site.as_deref().is_none_or(at_site)
        && args.state.is_none_or(|wanted| wanted == state_of(rule))
}

fn state_of(rule: &Value) -> StateArg {
    match () {
        () if rule["enabled"] == false => StateArg::Off,
        () if rule["stats"]["expires_in"] == 0.0 => StateArg::Ended,
        () if rule["mode"] == "shadow" => StateArg::Shadow,
        () => StateArg::On,
    }
}

/// Returns the state of a rule in a word.
pub(in crate::commands) fn state(rule: &Value) -> &'static str {
    match state_of(rule) {
        StateArg::On => "on",
        StateArg::Off => "off",
        StateArg::Ended => "ended",
        StateArg::Shadow => "shadow",
    }
}

/// Returns how many of the calls a rule has hit.
pub(in crate::commands) fn hits(rule: &Value) -> String {
    let stats = &rule["stats"];
    let (hit, matched) = (number(stats, "injected"), number(stats, "matched"));
    match rule["mode"] == "shadow" {
        true => format!("{} of {matched} in shadow", number(stats, "shadowed")),
        false => format!("{hit} of {matched}"),
    }
}

/// Returns who has armed a rule, and why.
pub(in crate::commands) fn whose(rule: &Value) -> String {
    let (who, why) = (text(&rule["stats"], "armed_by"), text(rule, "reason"));
    match (who, why) {
        ("", why) => why.to_owned(),
        (who, "") => who.to_owned(),
        (who, why) => format!("{who}: {why}"),
    }
}

fn row(rule: &Value) -> Vec<String> {
    let ends = match state_of(rule) {
        StateArg::Off | StateArg::Ended => state(rule).to_owned(),
        StateArg::On | StateArg::Shadow => {
            let left = rule["stats"]["expires_in"].as_f64();
            left.map_or_else(|| "never".to_owned(), time::length)
        }
    };
    let mut whose = whose(rule);
    if let Some(warning) = rule["warnings"].as_array().and_then(|all| all.first()) {
        whose += &format!(
            "  ! {}; try: {}",
            text(warning, "detail"),
            text(warning, "suggestion")
        );
    }
    vec![
        text(rule, "id").to_owned(),
        text(rule, "site").to_owned(),
        shortened(&as_short::term(rule)),
        hits(rule),
        ends,
        whose.trim().to_owned(),
    ]
}

/// Shortens a text to what fits into a column.
fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
