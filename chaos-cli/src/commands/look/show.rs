//! `show`: one rule.

use chaos_core::OneLine;
use serde_json::Value;

use crate::{
    args::look::{FormatArg, ShowArgs},
    client::{Client, answer::text, rule_list::RuleList},
    commands::look::rules,
    failure::{Exit, Failure},
    fleet::{Fleet, Report, exit_of},
    output::{Output, time},
    rule::{as_command, as_short, file},
};

pub(in crate::commands) async fn run(
    fleet: &Fleet,
    out: &Output,
    args: &ShowArgs,
) -> Result<Report, Failure> {
    let rules = fleet
        .ask(async |client: &Client| {
            let list = RuleList::read(client).await?;
            find(&list, &args.id).cloned()
        })
        .await;
    let Some(format) = args.output else {
        return Ok(fleet.report(out, rules, whole));
    };
    if exit_of(&rules) != Exit::Done {
        return Ok(fleet.report(out, rules, |name, _| format!("{name}  has the rule")));
    }
    for rule in rules.iter().flatten() {
        let written = as_command::as_written(rule);
        match format {
            _ if out.is_json() => {}
            FormatArg::Json => out.print(format_args!("{written:#}")),
            FormatArg::Toml => out.print(file::to_toml(&written)?),
            FormatArg::Yaml => out.print(file::to_yaml(&written)?),
            FormatArg::Cmd => out.print(as_command::command(rule)),
        }
    }
    Ok(fleet.report(out, rules, |_, _| String::new()))
}

/// Returns the rule with this id, or the failure that names the nearest one.
pub(in crate::commands) fn find<'l>(list: &'l RuleList, id: &str) -> Result<&'l Value, Failure> {
    let ids = || list.rules.iter().map(|rule| text(rule, "id"));
    list.find(id).ok_or_else(|| unknown(id, ids()))
}

/// Returns the failure for an id that no rule has.
pub(in crate::commands) fn unknown<'l>(id: &str, known: impl Iterator<Item = &'l str>) -> Failure {
    let failure = Failure {
        status: Some(404),
        ..Failure::new(Exit::Refused, format!("there is no rule `{id}`"))
    };
    let near = known
        .map(|known| (strsim::normalized_damerau_levenshtein(id, known), known))
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    match near {
        Some((likeness, near)) if likeness >= 0.6 => Failure {
            detail: format!("{}; did you mean `{near}`?", failure.detail),
            ..failure
        },
        _ => failure,
    }
}

fn whole(name: &str, rule: &Value) -> String {
    let stats = &rule["stats"];
    let mut lines = vec![format!("{}  {}", text(rule, "id"), name)];
    let mut add = |label: &str, value: String| {
        if !value.is_empty() {
            lines.push(format!("  {label:<9} {}", OneLine(&value)));
        }
    };
    add("where", text(rule, "site").to_owned());
    add("does", as_short::term(rule));
    match &rule["match"] {
        Value::Null => {}
        matching => add("calls", matching.to_string()),
    }
    add("key", text(rule, "key").to_owned());
    add("state", rules::state(rule).to_owned());
    add("hit", rules::hits(rule));
    if let Some(left) = stats["expires_in"].as_f64() {
        add("ends in", time::length(left));
    }
    match stats["leash"].as_f64() {
        Some(left) if left > 0.0 => add(
            "leash",
            format!("{} unless it is extended", time::length(left)),
        ),
        Some(_) => add(
            "leash",
            "over; the rule goes on if it is extended".to_owned(),
        ),
        None => {}
    }
    add("whose", rules::whose(rule));
    for warning in rule["warnings"].as_array().into_iter().flatten() {
        let (detail, hint) = (text(warning, "detail"), text(warning, "suggestion"));
        add(
            "warning",
            format!("{}: {detail}; try: {hint}", text(warning, "field")),
        );
    }
    lines.join("\n")
}
